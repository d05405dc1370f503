"""Who may go where: a seat's machines as door, terminals and desktops see them. Values only; who asks is checked in `entering`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_PRINCIPAL = re.compile(r"seat-(?P<classroom>[a-z0-9][a-z0-9-]*)-(?P<seat>[1-9][0-9]*)-(?P<environment>[a-z0-9]+)")


@dataclass(frozen=True)
class Target:
    """One machine that may be entered: `host` is the name its host certificate is made for, `host_key` its pinned key."""

    name: str
    address: str
    user: str
    host: str
    host_key: str


@dataclass(frozen=True)
class Screen:
    """One machine that has a desktop: how its own sshd is entered, and which guest of which node it is."""

    target: Target
    node: str
    vmid: int
    kind: str


@dataclass(frozen=True)
class Way:
    """What a seat's learner may reach now, and until when (aware, UTC). `principal` names the seat through resets and swaps."""

    environment: str
    classroom: str
    seat: int
    learner: str
    login: str
    principal: str
    until: datetime
    targets: tuple[Target, ...]
    screens: tuple[Screen, ...] = ()
    """Machines with a desktop; they need not be enterable."""

    def target(self, name: str) -> Target | None:
        """The machine of that name, by look-up only: a name is never made into an address."""
        return next((one for one in self.targets if one.name == name), None)

    def screen(self, name: str) -> Screen | None:
        """The same for desktops."""
        return next((one for one in self.screens if one.target.name == name), None)


def host_name(principal: str, machine: str) -> str:
    """The name a machine's host certificate is made for. It stays the same through reset, rebuild and swap."""
    return f"{machine}.{principal}.lab"


def seat_of(principal: str) -> tuple[str, int] | None:
    """(classroom, seat number) of a seat's principal; None where the text is none."""
    found = _PRINCIPAL.fullmatch(principal)
    return (found["classroom"], int(found["seat"])) if found else None
