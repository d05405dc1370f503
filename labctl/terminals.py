"""Who may be at which terminal in the browser, and how (`access.md` 3.1). Bytes are moved by `api.terminals`, not here.

A ticket is asked for by somebody who is known, and shown once, within half a minute, on a connection that carries no other proof.
A seat's learner has terminals of their own; staff watches, or joins in; of a seat without a learner staff may have its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from labctl import entering as entering_
from labctl import errors, ports
from labctl.model import passage, viewing

_CLOSED = "that ticket is not good (any more)"


@dataclass(frozen=True)
class Admission:
    """A ticket that was shown, with what it opens now."""

    ticket: viewing.Ticket
    way: passage.Way
    target: passage.Target


@dataclass(frozen=True)
class Terminals:
    """See the module."""

    entering: entering_.Entering
    tickets: ports.Tickets

    def ticket(
        self, slug: str, number: int, machine: str, mode: viewing.Mode | None, *, who: str, staff: bool
    ) -> tuple[str, viewing.Ticket]:
        """A ticket for that machine, and what it opens; without a mode a learner's own, or watching for staff. Whose seat it is was
        asked before. Raises NotFound (no such machine to enter), Forbidden (mode), Conflict (the seat cannot be entered).
        """
        way = self.entering.way_of(slug, number)
        target = way.target(machine)
        if target is None:
            names = ", ".join(one.name for one in way.targets)
            raise errors.NotFound(
                f"seat {number} of class '{slug}' has no machine '{machine}' with a terminal.", hint=f"It has: {names or 'none'}."
            )
        chosen = mode or (viewing.Mode.WATCH if staff else viewing.Mode.OWN)
        seat, _ = self.entering.desk.seat(slug, number)
        if (chosen is viewing.Mode.OWN) is staff and not (staff and seat.learner is None):
            raise errors.Forbidden(
                f"a terminal of this seat cannot be opened with mode '{chosen.value}' by you.",
                hint="Trainers watch or join; learners have their own.",
            )
        until = min(self.entering.desk.clock.now() + viewing.TICKET_LIFE, way.until)
        made = viewing.Ticket(way.principal, way.environment, target.name, chosen, who, until)
        secret = secrets.token_urlsafe(32)
        self.tickets.keep_ticket(secret, made)
        return secret, made

    def admit(self, secret: str) -> Admission:
        """Use a ticket up. Raises Unauthenticated where it is not good, Forbidden where the seat may be entered no more."""
        ticket = self.tickets.use_ticket(secret)
        if ticket is None:
            raise errors.Unauthenticated(_CLOSED)
        way = self.entering.way(ticket.principal)
        target = way.target(ticket.machine)
        if target is None or way.environment != ticket.environment:
            raise errors.Forbidden(_CLOSED)
        if ticket.mode is not viewing.Mode.OWN:
            word = "watches" if ticket.mode is viewing.Mode.WATCH else "joins"
            self.entering.desk.journal.write(way.environment, "enter", f"{word} the terminal of {target.name}", ticket.who)
        return Admission(ticket, way, target)

    def certify(self, principal: str, public_key: str) -> str:
        """A certificate of ten minutes for the API's own key of the moment. Raises Forbidden."""
        return self.entering.certify(principal, public_key)

    def still(self, principals: Sequence[str]) -> frozenset[str]:
        """Which of these may be in now, each as "principal environment"."""
        return self.entering.still(principals)
