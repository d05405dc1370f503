"""What passes between learners and trainers beside the machines: raised hands, messages to the class, trainers' notes. Values only."""

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
