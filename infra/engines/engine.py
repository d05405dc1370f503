"""What an engine is: it makes a stack's resources agree with a program, or takes them all away, and keeps the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from infra.program import Program
from infra.provider import Labctl
from infra.work import Work

MakeProvider = Callable[[Work], Labctl]
"""A provider for one update (`pulumi.md`, trap 2)."""


@dataclass
class Outcome:
    """What an update did: URN's names per operation, and in plain words what failed (empty: it went well)."""

    same: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether everything came to be as asked."""
        return not self.failures


class Engine(Protocol):
    """Blocks; one update of a stack at a time (a lock file says so). Raises Busy when the stack is locked."""

    name: str

    def up(self, program: Program, work: Work) -> Outcome:
        """Look what is really there, then make, change and remove until it is what the program says."""

    def destroy(self, stack: str, work: Work) -> Outcome:
        """Remove everything on record, last made first."""

    def recover(self, stack: str) -> None:
        """After a killed run: free the lock. Raises Busy when its holder is alive."""
