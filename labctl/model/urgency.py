"""When an environment is due, when it is on its way out, and who goes first among those that are due.

Pure, and only a way to ask `lifecycle` ahead of time: both moments are stored with the environment whenever its wishes, its facts or
its ground change, so that sweep and workers find what is due by an index instead of looking at everything. What is done then is
still `lifecycle.next_step`'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from labctl.model import lifecycle
from labctl.model.environment import Environment, State

KEPT_FREE = 8
"""One place in so many is kept for removals, and as many for everything else, however much of the other kind is queued."""


def due_at(env: Environment, now: datetime) -> datetime | None:
    """The first moment, from now on, at which `lifecycle.next_step` names a step while nothing else changes; None: never. What is
    due once stays due until something is changed.
    """
    return _first(env, now, lambda moment: lifecycle.next_step(env, moment) is not None)


def leaves_at(env: Environment, now: datetime) -> datetime | None:
    """The first moment, from now on, at which it is on its way out (`lifecycle.leaving`); None once it is gone."""
    if env.facts.state is State.GONE:
        return None
    return _first(env, now, lambda moment: lifecycle.leaving(env, moment))


def _first(env: Environment, now: datetime, true: Callable[[datetime], bool]) -> datetime | None:
    if true(now):
        return now
    return next((moment for moment in moments(env, now) if true(moment)), None)


def moments(env: Environment, now: datetime) -> list[datetime]:
    """When anything `lifecycle` says of it may become another by the clock alone, after now, in order."""
    lease, trouble, kept = env.wishes.lease, env.facts.trouble, env.facts.kept
    # `lifecycle` compares the clock with these moments and no others.
    found = (lease.starts, lease.ends, trouble.retry_at if trouble else None, kept.until if kept else None)
    return sorted(one for one in found if one is not None and one > now)


@dataclass(frozen=True)
class Line:
    """One of those who wait for places: a class, by its number, with how many of its environments are at work; or (`leaving`) all
    removals together. `since` is the start of the class's lease, or when the oldest removal was due.
    """

    at_work: int
    since: datetime
    number: int = 0
    golden: bool = False
    leaving: bool = False


def order(lines: Iterable[Line]) -> list[Line]:
    """Who gets the next free place: golden machines, for whole classes wait for them; then who has the fewest at work, so that a
    large class leaves room for a small one; among equals the nearest start, and people before removals.
    """
    return sorted(lines, key=lambda line: (not line.golden, line.at_work, line.leaving, line.since, line.number))


@dataclass(frozen=True)
class Places:
    """How many environments one process may have at work at once, and how many of them are kept for each kind."""

    total: int

    @property
    def kept(self) -> int:
        """Kept for removals, and again for the rest. A single place is everybody's."""
        return 0 if self.total < 2 else max(1, self.total // KEPT_FREE)

    def free(self, others: int, leaving: int) -> tuple[bool, bool]:
        """Whether there is a place for another kind of work, and for a removal, while so many of each are at work."""
        left = self.total > others + leaving
        most = self.total - self.kept
        return left and others < most, left and leaving < most
