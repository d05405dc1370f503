"""Tasks (`blueprint.md` 13): what learners do, what it is worth, and how it is proven; actions of `setup` and `solve` (11).

What spans several tasks (order, names, machines, references) is in `labctl.model.crosschecks_tasks`. Which task is open, and whether an
answer is right, is decided in `labctl.model.tasks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from labctl.model import refusals, scalars
from labctl.model.block import Block
from labctl.model.blueprint_steps import Check
from labctl.model.scalars import Duration, Maybe, Name, NotYet, Path, Regex, Several, Text, Truth, Whole

PROOFS = ("answer", "choices", "checks", "review", "confirm")
ACTION_KINDS = ("run", "script")


def _at_most_ten_minutes(seconds: int) -> int:
    if seconds > 600:
        raise refusals.wrong("an action's timeout is at most 10m")
    return seconds


def _hash(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise refusals.wrong(f"'{text}' is not a SHA-256 in hex; `labctl blueprint hash TEXT` makes one")
    return text.lower()


def _true(value: Any, info: Any) -> bool:
    if not scalars.truth_of(value, info):
        raise refusals.wrong("'confirm' can only be true; leave it out", kind="key")
    return True


class _OrText:
    """In the schema: the type itself, or a plain text instead of it."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"oneOf": [{"type": ["string", "number", "boolean"]}, handler(core)]}


def _or_text(wrap: Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: wrap(value) if isinstance(value, str) else value)


class Action(Block):
    """One thing that is done on a machine."""

    run: Maybe[Text] = None
    """A command."""
    script: Maybe[Path] = None
    """Path of a script."""
    machine: Maybe[Name] = None
    """Where it happens; may be left out with one machine."""
    as_: Annotated[Literal["root", "learner"], BeforeValidator(scalars.text_of)] = Field(default="root", alias="as")
    """root or learner (login shell)."""
    timeout: Annotated[Duration, AfterValidator(_at_most_ten_minutes)] = 60
    """60s, at most 10m. Seconds."""

    @property
    def kind(self) -> Literal["run", "script"]:
        """Which of the two it is."""
        return "run" if self.run is not None else "script"

    @model_validator(mode="after")
    def _one_thing(self) -> Action:
        said = [key for key in ACTION_KINDS if self.said(key)]
        if len(said) != 1:
            raise refusals.wrong(f"an action has exactly one of run, script; this one has {' and '.join(said) or 'none'}")
        return self


class Answer(Block):
    """What counts as the right answer: any of those that are written. Both sides are trimmed, blanks folded, small letters."""

    is_: Maybe[Annotated[Several[Text], _or_text(lambda text: [text]), _OrText()]] = Field(default=None, alias="is")
    """The right answer, or several."""
    matches: Maybe[Regex] = None
    """Regular expression for the whole answer."""
    sha256: Maybe[Annotated[Text, AfterValidator(_hash)]] = None
    """SHA-256 of the right answer, from `labctl blueprint hash`."""
    case: Truth = False
    """Whether capital letters count."""

    @model_validator(mode="after")
    def _something(self) -> Answer:
        if self.is_ is None and self.matches is None and self.sha256 is None:
            raise refusals.wrong("an answer has is, matches or sha256; this one has none")
        if self.is_ is not None and not self.is_:
            refusals.wrong_keys([("is", "'is' is empty")])
        return self


class Choice(Block):
    """One thing to choose."""

    text: Text
    """What it says."""
    right: Truth = False
    """Whether it belongs to the right ones."""


class Hint(Block):
    """Help that a learner may open."""

    text: Text
    """What it says; references to what the learner may see are possible."""
    cost: Annotated[Whole, Field(ge=0, le=1000)] = 0
    """Points that it takes."""


class Task(Block):
    """One task."""

    id: Name
    """Unique among the tasks."""
    title: Text
    """What is to be done."""
    points: Annotated[Whole, Field(ge=0, le=1000)] = 1
    """0 to 1000; 1."""
    requires: Several[Name] = ()
    """Earlier tasks that must be done first."""
    answer: Maybe[Annotated[Answer, _or_text(lambda text: {"is": [text]}), _OrText()]] = None
    """Proven by this answer."""
    choices: Maybe[Several[Choice]] = None
    """Proven by choosing the right ones of these."""
    checks: Maybe[Several[Check]] = None
    """Proven by these checks, all of them."""
    review: NotYet = None
    """Not supported yet."""
    confirm: Annotated[bool, BeforeValidator(_true)] = False
    """Proven by the learner's word."""
    attempts: Maybe[Annotated[Whole, Field(ge=1, le=1000)]] = None
    """Most tries of an answer or a choice; no limit."""
    hints: Several[Hint] = ()
    """Help, opened in order."""
    explain: Maybe[Text] = None
    """Shown when it is done or given up."""
    setup: Several[Action] = ()
    """Done when the task opens."""
    solve: Several[Action] = ()
    """Does the task: proof that it can be done."""
    checkpoint: Annotated[bool, BeforeValidator(scalars.off)] = False
    """Not supported yet."""
    skills: Several[Name] = ()
    """Skills of `about` that it shows."""
    minutes: Maybe[Annotated[Whole, Field(ge=1, le=1000)]] = None
    """Expected time."""
    optional: Truth = False
    """Whether one is through without it."""

    @property
    def proof(self) -> Literal["answer", "choices", "checks", "confirm"]:
        """How it is proven."""
        if self.answer is not None:
            return "answer"
        if self.choices is not None:
            return "choices"
        return "checks" if self.checks is not None else "confirm"

    @model_validator(mode="after")
    def _one_proof(self) -> Task:
        said = [key for key in PROOFS if self.said(key)]
        if len(said) != 1:
            has = " and ".join(said) or "none"
            raise refusals.wrong(f"a task has exactly one of answer, choices, checks, review, confirm; this one has {has}")
        strangers: list[tuple[str | int, str]] = []
        if self.attempts is not None and self.proof not in {"answer", "choices"}:
            strangers.append(("attempts", f"'attempts' does not go with '{self.proof}'; it goes with answer and choices"))
        if self.choices is not None and len(self.choices) < 2:
            strangers.append(("choices", "'choices' needs at least two to choose from"))
        elif self.choices is not None and not any(choice.right for choice in self.choices):
            strangers.append(("choices", "none of the choices is right; say right: true at one or more"))
        if self.checks is not None and not self.checks:
            strangers.append(("checks", "'checks' is empty"))
        cost = sum(hint.cost for hint in self.hints)
        if cost > self.points:
            points = "1 point" if self.points == 1 else f"{self.points} points"
            strangers.append(("hints", f"the hints cost {cost} together, more than the task's {points}"))
        if strangers:
            refusals.wrong_keys(strangers)
        return self
