"""What a class looks like at one moment: everything that its board is made of, as values. The store reads it, the API shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labctl.model.classroom import Classroom
from labctl.model.environment import Environment
from labctl.model.help import Hand, Reached
from labctl.model.tasks import Score
from labctl.model.viewing import Joining


@dataclass(frozen=True)
class Sight:
    """The class `number` (slugs are used again). By environment: its value (gone ones too) and its newest journal line; by seat: who
    waits for help, how far they are in the guide and with their tasks, and who asks to type along. `message` is the newest to everybody.

    `changed`: the seats of which something differs from the sight before; None: there was none. `marks` are the store's own.
    """

    number: int
    room: Classroom
    environments: Mapping[str, Environment]
    lines: Mapping[str, str]
    hands: Mapping[int, Hand]
    reached: Mapping[int, Reached]
    scores: Mapping[int, Score]
    joinings: Mapping[int, Joining]
    message: str
    marks: Mapping[str, int]
    changed: frozenset[int] | None
