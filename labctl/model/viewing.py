"""A terminal or desktop in the browser as a value: whose, which machine, who looks and how. Who may is decided in `labctl.terminals`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

TICKET_LIFE = timedelta(seconds=30)
"""From asking for a ticket to showing it: one round trip of a slow line, and no more."""


class Kind(StrEnum):
    """What of a machine is seen."""

    TERMINAL = "terminal"
    DESKTOP = "desktop"
    CONSOLE = "console"
    """The machine's own screen by Proxmox: of a seat that is not ready for those who look what is the matter, of one that is ready for its
    learner, who may have cut the network or the sshd by which a terminal goes in.
    """

    @property
    def socket(self) -> str:
        """On which WebSocket it is shown."""
        return "terminal" if self is Kind.TERMINAL else "desktop"


class Mode(StrEnum):
    """How somebody is at a terminal or desktop."""

    OWN = "own"
    WATCH = "watch"
    JOIN = "join"


class Answer(StrEnum):
    """What a seat's learner says to trainers who want to type along."""

    ASKED = "asked"
    ALLOWED = "allowed"
    REFUSED = "refused"


ASK_LIFE = timedelta(minutes=2)
"""A question that nobody answered is gone then; whoever wants to type asks again."""


@dataclass(frozen=True)
class Joining:
    """Of a seat: `who` asked, and what became of it, since then. A learner is asked once for the seat: both answers hold until they give
    another, or until somebody who refused asks for help (`labctl.terminals`).
    """

    seat: int
    answer: Answer
    who: str
    at: datetime

    @property
    def until(self) -> datetime | None:
        """Until when it counts; None: until it is answered otherwise."""
        return self.at + ASK_LIFE if self.answer is Answer.ASKED else None

    def holds(self, now: datetime) -> bool:
        """Whether it still counts."""
        return self.until is None or now < self.until


@dataclass(frozen=True)
class Ticket:
    """Good once: `who` may be at `machine` of the seat with this principal, in this mode, while the seat has this environment."""

    principal: str
    environment: str
    machine: str
    mode: Mode
    who: str
    until: datetime
    proof: str = ""
    """By what they were known when they asked for it (`labctl.knowing`): when that ends, so does the terminal."""
    kind: Kind = Kind.TERMINAL

    @property
    def acts(self) -> bool:
        """Whether its owner may type without anybody's leave: at what is their own, and where the learner cannot be, who would be asked."""
        return self.mode is Mode.OWN or (self.mode is Mode.JOIN and self.kind is Kind.CONSOLE)

    @property
    def outside(self) -> bool:
        """Whether it looks at a seat that is not ready, and ends when it is; all others are of seats that are."""
        return self.kind is Kind.CONSOLE and self.mode is not Mode.OWN


class Ending(StrEnum):
    """Why a terminal may be open no more."""

    SEAT = "seat"
    """The seat may be entered by nobody now: lease over, reset, swap, close."""
    PERSON = "person"
    """They are signed out, their token is revoked, or the seat is not theirs any more."""
