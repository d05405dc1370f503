"""How a seat stands with its tasks: which are open, what is worth how much, and whether an answer is right (`blueprint.md` 13). Pure.

What was done belongs to the seat and not to its machines: it stays through reset and swap. A task that was proven by looking at machines
which have been set back since stays done, and says so (`Standing.proven`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from labctl.model.plan import Plan, PlannedAnswer, PlannedTask

PAUSE = timedelta(seconds=3)
"""Between two tries of one task: guessing by a loop is no use (`blueprint.md` 13)."""

LONGEST = 500
"""Signs of an answer."""


class State(StrEnum):
    """Of a task, for one seat."""

    LOCKED = "locked"
    """What it requires is not done."""
    OPEN = "open"
    DONE = "done"
    GIVEN_UP = "given-up"


class Outcome(StrEnum):
    """Of a look or a try."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Could not look: never counts against the learner."""


@dataclass(frozen=True)
class Standing:
    """What is known of one task at one seat. `earned` points, once it is done; `tries` of answers; `hints` that were
    opened; `outcome`, `message` and `at` of the last look or try. `proven` and `set_up`: on which machines it was proven, and its `setup`
    done (`model.task_boxes.here`); empty for none.
    """

    task: str
    done: datetime | None = None
    gave_up: bool = False
    earned: int = 0
    tries: int = 0
    hints: int = 0
    outcome: Outcome | None = None
    message: str = ""
    at: datetime | None = None
    proven: str = ""
    set_up: str = ""


@dataclass(frozen=True)
class Score:
    """A seat's tasks in numbers: done of all, points; `changed` when something about them was last written."""

    seat: int
    done: int
    points: int
    changed: datetime


def state(task: PlannedTask, standings: Mapping[str, Standing]) -> State:
    """Whether it is open, by what is known of this and the others."""
    mine = standings.get(task.id)
    if mine is not None and mine.done is not None:
        return State.GIVEN_UP if mine.gave_up else State.DONE
    through = all((one := standings.get(other)) is not None and one.done is not None for other in task.requires)
    return State.OPEN if through else State.LOCKED


def worth(task: PlannedTask, hints: int) -> int:
    """Points that are left of it after so many hints."""
    return task.points - sum(hint.cost for hint in task.hints[:hints])


def folded(text: str, *, case: bool = False) -> str:
    """A text as answers are compared: NFC, trimmed, blanks folded, small letters unless `case`."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return plain if case else plain.lower()


def hashed(text: str, *, case: bool = False) -> str:
    """SHA-256 in hex of the folded text, as it stands in a blueprint."""
    return hashlib.sha256(folded(text, case=case).encode()).hexdigest()


def right(answer: PlannedAnswer, said: str) -> bool:
    """Whether what somebody said is right."""
    mine = folded(said, case=answer.case)
    if mine in {folded(text, case=answer.case) for text in answer.texts}:
        return True
    # A pattern cannot be folded as a text can (\S is not \s), so it is told to look past capitals.
    loose = folded(said, case=True)
    if answer.matches is not None and re.fullmatch(answer.matches, loose, 0 if answer.case else re.IGNORECASE):
        return True
    return answer.sha256 is not None and hashed(said, case=answer.case) == answer.sha256


def shuffled(plan: Plan, task: PlannedTask) -> tuple[int, ...]:
    """In which order this seat sees the choices. It follows from their texts alone, so the order in the blueprint, where authors like
    to write the right one first, cannot be read from it.
    """

    def key(number: int) -> bytes:
        return hashlib.sha256(f"{plan.principal}\0{task.id}\0{task.choices[number].text}".encode()).digest()

    return tuple(sorted(range(len(task.choices)), key=key))


def chosen_right(plan: Plan, task: PlannedTask, places: Collection[int]) -> bool:
    """Whether exactly the right choices were made; `places` as this seat sees them, from 0."""
    return {place for place, number in enumerate(shuffled(plan, task)) if task.choices[number].right} == set(places)


def through(tasks: Sequence[PlannedTask], standings: Mapping[str, Standing]) -> bool:
    """Whether everything that is not optional is done."""
    return all(task.optional or state(task, standings) in {State.DONE, State.GIVEN_UP} for task in tasks)
