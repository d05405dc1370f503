"""People: who they are, and the one table of what each role may do. Values only; who is who is found out in `labctl.signing_in`.

Trainer, IT and author are roles of an account. Co-trainer and learner are nobody's role but a place in one class: an outside
professional who was invited to a class may run that class, and has no rights on the cluster or on any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What somebody is to labctl."""

    IT = "it"
    TRAINER = "trainer"
    AUTHOR = "author"
    COTRAINER = "co-trainer"
    LEARNER = "learner"
    DOOR = "door"
    APPS = "apps"


OF_ACCOUNTS = frozenset({Role.IT, Role.TRAINER, Role.AUTHOR})
"""Roles that an account may have by itself."""


OF_PROCESSES = frozenset({Role.DOOR, Role.APPS})
"""Roles of labctl's own processes that face the outside; nobody's seat is theirs."""


class Right(StrEnum):
    """What one may do. Words for people: they stand in refusals."""

    KNOW_MYSELF = "ask who they are"
    USE_SEAT = "use a seat of their own"
    SEE_CLASS = "see a class"
    RUN_CLASS = "run a class"
    ENTER_SEATS = "enter learners' seats"
    INVITE = "invite people to a class"
    OPEN_CLASS = "open a class"
    READ_COURSES = "read blueprints"
    BAKE = "bake golden machines"
    SEE_CLUSTER = "see the cluster"
    ACCOUNTS = "keep accounts and tokens"
    CARRY = "carry logins for the SSH door"
    CARRY_APPS = "carry web apps"


_CLASS = frozenset({Right.KNOW_MYSELF, Right.SEE_CLASS, Right.RUN_CLASS, Right.ENTER_SEATS, Right.INVITE})
_TRAINER = _CLASS | {Right.USE_SEAT, Right.OPEN_CLASS, Right.READ_COURSES, Right.BAKE, Right.SEE_CLUSTER}

MAY: dict[Role, frozenset[Right]] = {
    Role.IT: _TRAINER | {Right.ACCOUNTS},
    Role.TRAINER: _TRAINER,
    Role.AUTHOR: frozenset({Right.KNOW_MYSELF, Right.USE_SEAT, Right.READ_COURSES, Right.BAKE}),
    Role.COTRAINER: _CLASS,
    Role.LEARNER: frozenset({Right.KNOW_MYSELF, Right.USE_SEAT}),
    Role.DOOR: frozenset({Right.CARRY}),
    Role.APPS: frozenset({Right.CARRY_APPS}),
}
"""The one table. A co-trainer's rights hold in their classes, a learner's on their seats; everybody else's hold everywhere."""


@dataclass(frozen=True)
class Place:
    """A seat that somebody sits on, with the environment that is there now."""

    classroom: str
    seat: int
    environment: str


@dataclass(frozen=True)
class Person:
    """Somebody who asks. `roles` are an account's or a token's own; `runs` are classes they co-train; `places` their own seats.

    `account` is empty for a learner without an account and for tokens. `signature` is what the journal calls them, which nobody can
    choose to be somebody else's; empty where `name` is that already.
    """

    name: str
    roles: frozenset[Role] = frozenset()
    runs: frozenset[str] = frozenset()
    places: tuple[Place, ...] = ()
    account: str = ""
    signature: str = ""

    @property
    def role(self) -> Role:
        """The one word for them: the strongest."""
        held = set(self.roles) | ({Role.COTRAINER} if self.runs else set()) | ({Role.LEARNER} if self.places else set())
        return next((role for role in Role if role in held), Role.LEARNER)

    def may(self, right: Right, classroom: str | None = None) -> bool:
        """Whether they may: in that class or, without one, everywhere. A learner's rights count as had, for each seat is asked about
        by itself (`owns`).
        """
        if any(right in MAY[role] for role in self.roles):
            return True
        if classroom in self.runs and right in MAY[Role.COTRAINER]:
            return True
        return right in MAY[Role.LEARNER] and not self.roles & OF_PROCESSES

    def may_somewhere(self, right: Right) -> bool:
        """Whether there is anything at all for which they may."""
        return self.may(right) or (bool(self.runs) and right in MAY[Role.COTRAINER])

    def owns(self, environment: str) -> bool:
        """Whether that is theirs."""
        return any(place.environment == environment for place in self.places)


@dataclass(frozen=True)
class Account:
    """Somebody whom labctl knows. `email` is in small letters and unique; `subject` is who they are to the identity provider
    ("ISSUER SUBJECT"), empty for those who sign in here. `closed`: since when they may not come in any more.
    """

    id: str
    name: str
    email: str
    roles: frozenset[Role]
    created: datetime
    subject: str = ""
    closed: datetime | None = None


class Errand(StrEnum):
    """What an invitation link is for."""

    ACCOUNT = "account"
    """Become somebody with these roles, and choose how to sign in."""
    CREDENTIAL = "credential"
    """Choose anew how to sign in, for an account that is there."""
    CLASS = "class"
    """Run one class beside its trainer."""
    SEAT = "seat"
    """Sit down on one seat, without an account."""


@dataclass(frozen=True)
class Invitation:
    """What a link leads to, once. `account` for CREDENTIAL, `classroom` for CLASS and SEAT, `seat` for SEAT."""

    errand: Errand
    until: datetime
    name: str = ""
    email: str = ""
    roles: frozenset[Role] = frozenset()
    account: str = ""
    classroom: str = ""
    seat: int = 0
    made_by: str = "labctl"
    id: bytes = b""
    """By which one that is still open is named to those who keep accounts; opens nothing."""


@dataclass(frozen=True)
class Passkey:
    """A public key credential (WebAuthn): what is checked at each use. `count` is the authenticator's own counter."""

    id: bytes
    account: str
    public_key: bytes
    count: int
    label: str = ""


@dataclass(frozen=True)
class Session:
    """One browser in which an account is signed in, for its owner. `id` names it and opens nothing; `agent` is what the browser calls
    itself; `here`: it is the one that asks.
    """

    id: bytes
    created: datetime
    seen: datetime
    agent: str
    here: bool


@dataclass(frozen=True)
class Sitting:
    """A learner without an account on a seat: `name` as they gave it or as the roster has it."""

    classroom: str
    seat: int
    name: str

    @property
    def signature(self) -> str:
        """What the journal calls them: the name may be of their own choice, the seat is not."""
        return f"{self.name}, seat {self.seat}"
