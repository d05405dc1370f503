"""What passes between learners and trainers beside the machines: hands, messages, notes, progress in the guide. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Hand:
    """A learner waits for help since then; `text` is what they wrote, perhaps nothing."""

    seat: int
    since: datetime
    text: str = ""


@dataclass(frozen=True)
class Remark:
    """A message to everybody in the class (`seat` is None) or a trainer's note on one seat, which its learner does not see."""

    number: int
    at: datetime
    seat: int | None
    text: str
    who: str


@dataclass(frozen=True)
class Reached:
    """The furthest page of the guide that a learner came to, of how many, and when."""

    seat: int
    page: int
    pages: int
    at: datetime
