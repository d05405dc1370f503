"""Who may be at which terminal or desktop in the browser, and how (`access.md` 3.1, 4). Bytes are moved by `api.terminals` and
`api.desktops`, not here.

A ticket is asked for by somebody who is known, and shown once, within half a minute, on a connection that carries no other proof.
A seat's learner has terminals and desktops of their own; staff watches, or joins in; of a seat without a learner staff may have its own.
Whoever joins types once the seat's learner has allowed it, who is asked once; or at once where the class was opened so. To look on is
the trainers' right: a learner always sees it and may send them away, but not keep them away.

Of a seat that is not ready staff sees its machines' own screens, and types there without asking: its learner cannot be in. Of one that is
ready its learner sees those of the machines that they may enter, for when sshd or network are broken and no terminal gets in.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from labctl import entering as entering_
from labctl import errors, ports
from labctl.model import passage, people, viewing
from labctl.model.classroom import Seat

_CLOSED = "that ticket is not good (any more)"
_WORDS = {viewing.Mode.OWN: "opens", viewing.Mode.WATCH: "watches", viewing.Mode.JOIN: "joins"}


@dataclass(frozen=True)
class Admission:
    """A ticket that was shown, with what it opens now."""

    ticket: viewing.Ticket
    way: passage.Way
    target: passage.Target
    screen: passage.Screen | None = None
    """Of a desktop."""


@dataclass(frozen=True)
class Terminals:
    """See the module."""

    entering: entering_.Entering
    tickets: ports.Tickets
    known: Callable[[Collection[str]], Mapping[str, people.Person]]
    """Proofs -> who these are now (`labctl.knowing`)."""
    kept: ports.Joinings
    helps: ports.Helps

    def ticket(
        self,
        slug: str,
        number: int,
        machine: str,
        mode: viewing.Mode | None,
        *,
        who: str,
        staff: bool,
        proof: str,
        kind: viewing.Kind = viewing.Kind.TERMINAL,
    ) -> tuple[str, viewing.Ticket]:
        """A ticket for that machine, and what it opens; without a mode a learner's own, or watching for staff. Whose seat it is was
        asked before. Raises NotFound (no such machine to enter), Forbidden (mode), Conflict (the seat cannot be entered).
        """
        if kind is not viewing.Kind.CONSOLE:
            way = self.entering.way_of(slug, number)
        else:
            way = self.entering.screens_of(slug, number) if staff else self.entering.own_screens_of(slug, number)
        if (found := _seen(way, machine, kind)) is None:
            all_ = way.targets if kind is viewing.Kind.TERMINAL else [one.target for one in way.screens]
            names = ", ".join(one.name for one in all_)
            raise errors.NotFound(
                f"seat {number} of class '{slug}' has no machine '{machine}' with a {kind.value}.", hint=f"It has: {names or 'none'}."
            )
        chosen = mode or (viewing.Mode.WATCH if staff else viewing.Mode.OWN)
        seat, _ = self.entering.desk.seat(slug, number)
        alone = seat.learner is None and kind is not viewing.Kind.CONSOLE
        if (chosen is viewing.Mode.OWN) is staff and not (staff and alone):
            raise errors.Forbidden(
                f"a {kind.value} of this seat cannot be opened with mode '{chosen.value}' by you.",
                hint="Trainers watch or join; learners have their own.",
            )
        if chosen is viewing.Mode.JOIN and kind is not viewing.Kind.CONSOLE:
            self._ask(seat, way.environment, who)
        until = min(self.entering.desk.clock.now() + viewing.TICKET_LIFE, way.until)
        made = viewing.Ticket(way.principal, way.environment, found[0].name, chosen, who, until, proof, kind)
        secret = secrets.token_urlsafe(32)
        self.tickets.keep_ticket(secret, made)
        return secret, made

    def admit(self, secret: str, kind: viewing.Kind = viewing.Kind.TERMINAL) -> Admission:
        """Use a ticket up. Raises Unauthenticated where it is not good for this, Forbidden where the seat may be entered no more."""
        ticket = self.tickets.use_ticket(secret)
        if ticket is None or ticket.kind.socket != kind.socket:
            raise errors.Unauthenticated(_CLOSED)
        way = self._way(ticket)
        if not _theirs(self.known([ticket.proof]).get(ticket.proof), ticket):
            raise errors.Unauthenticated(_CLOSED)
        found = _seen(way, ticket.machine, ticket.kind)
        if found is None or way.environment != ticket.environment:
            raise errors.Forbidden(_CLOSED)
        if ticket.mode is not viewing.Mode.OWN or ticket.kind is viewing.Kind.CONSOLE:
            word = _WORDS[ticket.mode]
            self.entering.desk.journal.write(way.environment, "enter", f"{word} the {ticket.kind.value} of {ticket.machine}", ticket.who)
        return Admission(ticket, way, *found)

    def _way(self, ticket: viewing.Ticket) -> passage.Way:
        named = passage.seat_of(ticket.principal)
        if ticket.kind is not viewing.Kind.CONSOLE or named is None:
            return self.entering.way(ticket.principal)
        try:
            return self.entering.screens_of(*named) if ticket.outside else self.entering.own_screens_of(*named)
        except (errors.NotFound, errors.Conflict):
            raise errors.Forbidden(_CLOSED) from None

    def joining(self, slug: str, number: int) -> viewing.Joining | None:
        """What was asked and said of typing along on that seat, where it still counts. Raises NotFound."""
        return self._joinings(slug).get(number)

    def answer(self, slug: str, number: int, answer: viewing.Answer, *, who: str) -> None:
        """The learner's: they let trainers type along on their seat from now on, or (any more) not. Raises NotFound."""
        _, env = self.entering.desk.seat(slug, number)
        self.kept.joining(viewing.Joining(number, answer, who, self.entering.desk.clock.now()), slug)
        self.entering.desk.journal.write(env.id, "enter", f"typing along: {answer.value}", who)

    def typing(self, principals: Collection[str]) -> frozenset[str]:
        """On which of these seats whoever joins may type now."""
        named = {one: seat for one in principals if (seat := passage.seat_of(one)) is not None}
        found = {slug: self._may_type(slug) for slug in {slug for slug, _ in named.values()}}
        return frozenset(one for one, (slug, number) in named.items() if number in found[slug])

    def _may_type(self, slug: str) -> Collection[int]:
        try:
            room = self.entering.desk.room(slug)
            joinings = self._joinings(slug)
        except errors.NotFound:
            return ()
        # On a seat without a learner nobody is there to be asked.
        alone = {seat.number for seat in room.seats if seat.learner is None or room.may_join}
        said = {number: one.answer for number, one in joinings.items() if one.answer is not viewing.Answer.ASKED}
        return {number for number in alone | said.keys() if said.get(number, viewing.Answer.ALLOWED) is viewing.Answer.ALLOWED}

    def _joinings(self, slug: str) -> dict[int, viewing.Joining]:
        now = self.entering.desk.clock.now()
        return {one.seat: one for one in self.kept.joinings(slug) if one.holds(now)}

    def _ask(self, seat: Seat, environment: str, who: str) -> None:
        """Once: nobody is asked again while it counts what they said. Who refused and then asks for help may be asked."""
        said = self._joinings(seat.classroom).get(seat.number)
        if said is not None and said.answer is viewing.Answer.REFUSED and self._hand_since(seat, said.at):
            said = None
        if said is not None or seat.number in self._may_type(seat.classroom):
            return
        now = self.entering.desk.clock.now()
        self.kept.joining(viewing.Joining(seat.number, viewing.Answer.ASKED, who, now), seat.classroom)
        self.entering.desk.journal.write(environment, "enter", "asks to type along", who)

    def _hand_since(self, seat: Seat, moment: datetime) -> bool:
        return any(hand.seat == seat.number and hand.since >= moment for hand in self.helps.hands(seat.classroom))

    def certify(self, principal: str, public_key: str) -> str:
        """A certificate of ten minutes for the API's own key of the moment. Raises Forbidden."""
        return self.entering.certify(principal, public_key)

    def ended(self, tickets: Collection[viewing.Ticket]) -> dict[viewing.Ticket, viewing.Ending]:
        """Those of these that were admitted and may be open no more."""
        outside = {one.principal for one in tickets if one.outside}
        alive = {False: self.entering.still(sorted({one.principal for one in tickets if not one.outside}))}
        alive[True] = self.entering.unready(sorted(outside)) if outside else frozenset()
        known = self.known({one.proof for one in tickets})
        found: dict[viewing.Ticket, viewing.Ending] = {}
        for one in tickets:
            if f"{one.principal} {one.environment}" not in alive[one.outside]:
                found[one] = viewing.Ending.SEAT
            elif not _theirs(known.get(one.proof), one):
                found[one] = viewing.Ending.PERSON
        return found


def _theirs(person: people.Person | None, ticket: viewing.Ticket) -> bool:
    """Whether somebody with these rights may still be where that ticket led."""
    named = passage.seat_of(ticket.principal)
    if person is None or named is None:
        return False
    mine = ticket.mode is viewing.Mode.OWN and person.owns(ticket.environment)
    return mine or person.may(people.Right.ENTER_SEATS, named[0])


def _seen(way: passage.Way, machine: str, kind: viewing.Kind) -> tuple[passage.Target, passage.Screen | None] | None:
    if kind is viewing.Kind.TERMINAL:
        target = way.target(machine)
        return None if target is None else (target, None)
    screen = way.screen(machine)
    return None if screen is None else (screen.target, screen)
