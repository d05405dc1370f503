"""What tasks ask of the world: rows that remember how each seat stands, and somebody who looks into machines. Protocols only.

As in `labctl.ports` every verb blocks, may be repeated, and raises only errors of `labctl.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from labctl.model.environment import Machine
from labctl.model.plan import Plan, PlannedAction, PlannedTask
from labctl.model.tasks import Outcome, Standing


class Standings(Protocol):
    """How seats of the living class of that name stand with their tasks. They belong to the seat: resets and swaps change nothing."""

    def standings(self, slug: str, seat: int) -> tuple[Standing, ...]:
        """Of all tasks that something is known of."""

    def mark_task(self, slug: str, seat: int, task: str, change: Callable[[Standing], Standing]) -> Standing:
        """Change one, in one transaction; `change` may be called with one of which nothing is known, and may raise. Raises NotFound."""


class Looks(Protocol):
    """Which seat is being looked into: one look a seat, whoever asks for it."""

    def begin_look(self, slug: str, seat: int, task: str, holder: str, until: datetime) -> bool:
        """False while another one goes on: until its `until`, or until its holder is surely dead."""

    def end_look(self, slug: str, seat: int, holder: str) -> None:
        """It ended; of another holder's nothing is changed."""

    def looking(self, slug: str, seat: int) -> str:
        """The task it is for; empty where none goes on."""


@dataclass(frozen=True)
class Exam:
    """What a look came to: `message` is for the learner, `detail` for trainers; neither holds the value of a secret variable."""

    outcome: Outcome
    message: str = ""
    detail: str = ""


class Examiner(Protocol):
    """Looks into the machines of a seat, and does small things there. Filled by `drivers.ssh_examiner`."""

    def examine(self, plan: Plan, machines: Sequence[Machine], folder: Path, task: PlannedTask) -> Exam:
        """One look at each of the task's checks, until one fails. Raises nothing: what cannot be looked at is an outcome."""

    def act(self, plan: Plan, machines: Sequence[Machine], folder: Path, actions: Sequence[PlannedAction]) -> None:
        """Do these, one after another. Raises CheckFailed when one fails, Unreachable."""

    def write(self, plan: Plan, machine: Machine, path: str, content: str) -> None:
        """Write a file as the learner would, folders above it too. Raises BadInput when the learner may not, Unreachable."""


class Hands(Protocol):
    """A few that do small work, in turn, while whoever asked goes on."""

    def do(self, work: Callable[[], None]) -> Future[None]:
        """Do it as soon as a hand is free. What it raises comes out of the future."""
