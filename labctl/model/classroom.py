"""A classroom: a blueprint, a roster, a window of time; and its seats."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from labctl.model.environment import Lease


@dataclass(frozen=True)
class Learner:
    """One line of a roster. `login` is unique in the roster: [a-z][a-z0-9-]{0,22}[a-z0-9]; it names the seat's files."""

    name: str
    email: str
    login: str


@dataclass(frozen=True)
class Seat:
    """A learner's place in a classroom; numbers count from 1. A spare has no learner yet."""

    classroom: str
    number: int
    learner: Learner | None
    environment: str


@dataclass(frozen=True)
class Classroom:
    """`blueprint` is its name, `digest` the digest of its content when the class was opened ("sha256:...").

    With `golden` it is no class but one set of golden machines (one environment, seat 1 without a learner): `digest` is the golden
    digest, and the lease says until when the set counts as fresh. With `may_join` trainers type in learners' terminals without asking.
    """

    slug: str
    title: str
    blueprint: str
    digest: str
    lease: Lease
    opened: datetime
    trainer: str
    closed: datetime | None = None
    seats: tuple[Seat, ...] = field(default=())
    golden: bool = False
    may_join: bool = False
