"""What tasks look like over the wire. A right answer is in none of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.shapes import Shape
from labctl.model.task_boxes import Box
from labctl.model.tasks import Outcome, State


class LookShape(Shape):
    """The last look or try: `unknown` when labctl could not look, which never counts against the learner."""

    outcome: Outcome
    message: str = Field(default="", examples=["There is no file hello yet."])
    at: datetime | None = None


class TaskShape(Shape):
    """One task of a seat, as its learner may see it."""

    id: str
    title: str
    points: int
    proof: str = Field(examples=["answer", "choices", "checks", "confirm"])
    state: State
    worth: int = Field(description="Points that are left of it after the hints that were opened.")
    earned: int = 0
    requires: list[str] = Field(default_factory=list, description="Titles of the tasks that are still to be done before it opens.")
    choices: list[str] = Field(default_factory=list, description="What there is to choose from; places count from 0.")
    several: bool = Field(default=False, description="Whether more than one choice is right.")
    tries: int = 0
    tries_left: int | None = Field(default=None, description="Empty: no limit.")
    hints: list[str] = Field(default_factory=list, description="Those that were opened.")
    hints_all: int = 0
    next_cost: int = Field(default=0, description="Points that the next hint takes.")
    explain: str = Field(default="", description="Only when it is done or given up.")
    minutes: int | None = None
    optional: bool = False
    looking: bool = Field(default=False, description="Its machines are being looked into just now.")
    stale: bool = Field(default=False, description="It was proven on machines that were set back since; it stays done.")
    waits: bool = Field(default=False, description="Its machines are still being prepared.")
    last: LookShape | None = None


class NewAnswer(Shape):
    """A text where the task wants an answer, places from 0 where it wants choices."""

    answer: Annotated[str, Field(max_length=1000)] = ""
    choices: Annotated[list[Annotated[int, Field(ge=0, le=1000)]], Field(max_length=1000)] = Field(default_factory=list)


class NewHint(Shape):
    """Which hint, from 1: asking twice for the same costs once."""

    number: Annotated[int, Field(ge=1, le=1000)]


def task(box: Box) -> TaskShape:
    """A box as it goes over the wire."""
    mine = box.standing
    return TaskShape(
        id=box.id,
        title=box.title,
        points=box.points,
        proof=box.proof,
        state=box.state,
        worth=box.worth,
        earned=mine.earned,
        requires=list(box.requires),
        choices=list(box.choices),
        several=box.several,
        tries=mine.tries,
        tries_left=box.tries_left,
        hints=list(box.hints),
        hints_all=box.hints_all,
        next_cost=box.next_cost,
        explain=box.explain,
        minutes=box.minutes,
        optional=box.optional,
        looking=box.looking,
        stale=box.stale,
        waits=box.waits,
        last=LookShape(outcome=mine.outcome, message=mine.message, at=mine.at) if mine.outcome else None,
    )
