"""Raised hands and the help queue, messages to the class, trainers' notes, progress in the guide.

What a learner asks and a trainer says beside the machines. Rows only; who may ask is the doors' business, and machines are not touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from labctl import desk as desk_
from labctl import errors, ports
from labctl.model.classroom import Seat
from labctl.model.help import Hand, Remark

LONGEST = 2000
"""Signs of one message: a page of text, not a book."""


@dataclass(frozen=True)
class Waiting:
    """One place in the help queue."""

    hand: Hand
    seat: Seat


@dataclass(frozen=True)
class Helping:
    """See the module."""

    desk: desk_.Desk
    store: ports.Helps
    progresses: ports.Progresses

    def raise_hand(self, slug: str, number: int, text: str, *, who: str) -> None:
        """The learner of that seat wants help. May be repeated. Raises NotFound, BadInput, Conflict (class closed)."""
        seat, env = self.desk.seat(slug, number)
        self._open(slug)
        if seat.learner is None:
            raise errors.BadInput(f"seat {number} of class '{slug}' is a spare.", hint="Nobody sits there who could ask.")
        if self.store.raise_hand(slug, number, _said(text, empty=True)):
            self.desk.journal.write(env.id, "help", "a hand was raised", who)

    def lower_hand(self, slug: str, number: int, *, who: str) -> None:
        """Helped, or not needed any more. May be repeated. Raises NotFound."""
        _, env = self.desk.seat(slug, number)
        if self.store.lower_hand(slug, number):
            self.desk.journal.write(env.id, "help", "the hand was lowered", who)

    def queue(self, slug: str) -> tuple[Waiting, ...]:
        """Who waits, longest first. Raises NotFound."""
        seats = {seat.number: seat for seat in self.desk.room(slug).seats}
        return tuple(Waiting(hand, seats[hand.seat]) for hand in self.store.hands(slug) if hand.seat in seats)

    def hand(self, slug: str, number: int) -> Hand | None:
        """Whether that seat's hand is up."""
        return next((one for one in self.store.hands(slug) if one.seat == number), None)

    def broadcast(self, slug: str, text: str, *, who: str) -> None:
        """A message to everybody in the class. Raises NotFound, BadInput (empty, too long), Conflict (class closed)."""
        self._open(slug)
        self.store.remark(slug, None, _said(text), who)

    def messages(self, slug: str, limit: int = 20) -> tuple[Remark, ...]:
        """To everybody in the class, newest first."""
        return self.store.remarks(slug, None, limit)

    def note(self, slug: str, number: int, text: str, *, who: str) -> None:
        """Something trainers remember of that seat; its learner does not see it. Raises NotFound, BadInput."""
        self.desk.seat(slug, number)
        self.store.remark(slug, number, _said(text), who)

    def notes(self, slug: str, number: int) -> tuple[Remark, ...]:
        """Of that seat, newest first."""
        return self.store.remarks(slug, number)

    def reach(self, slug: str, number: int, page: int, pages: int) -> None:
        """The learner of that seat came to this page of the guide. Raises NotFound, BadInput (there is no such page)."""
        self.desk.seat(slug, number)
        if not 1 <= page <= pages:
            raise errors.BadInput(f"the guide has no page {page}.", hint=f"It has {pages}.")
        self.progresses.reach(slug, number, page, pages)

    def _open(self, slug: str) -> None:
        if self.desk.room(slug).closed is not None:
            raise errors.Conflict(f"class '{slug}' is closed.", hint="Nobody is in it any more.")


def _said(text: str, *, empty: bool = False) -> str:
    said = "".join(sign for sign in text.strip() if sign.isprintable() or sign == "\n")
    if not said and not empty:
        raise errors.BadInput("there is no text.", hint="Write what you want to say, then send it.")
    if len(said) > LONGEST:
        raise errors.BadInput(f"the text has {len(said)} signs; at most {LONGEST} can be sent.", hint="Shorten it.")
    return said
