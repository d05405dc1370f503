"""Raised hands, messages to a class, notes on seats, leave to type along, and how far learners are in the guide."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from labctl import errors
from labctl.drivers.database import environments as environments_
from labctl.drivers.database import part
from labctl.drivers.database.tables import hands, joinings, reached, remarks
from labctl.model import viewing
from labctl.model.help import Hand, Remark


class HelpRows(part.Part):
    """Fills the ports Helps, Joinings and Progresses."""

    def raise_hand(self, slug: str, seat: int, text: str) -> bool:
        """One a seat; its place in the queue is kept."""
        with self._connection.writing() as connection:
            room = _room(connection, slug)
            mine = sa.and_(hands.c.classroom == room, hands.c.seat == seat)
            if connection.execute(sa.update(hands).where(mine).values(text=text)).rowcount:
                return False
            connection.execute(sa.insert(hands).values(classroom=room, seat=seat, since=self._clock.now(), text=text))
            return True

    def lower_hand(self, slug: str, seat: int) -> bool:
        """Whether one was up."""
        with self._connection.writing() as connection:
            mine = sa.and_(hands.c.classroom == _room(connection, slug), hands.c.seat == seat)
            return connection.execute(sa.delete(hands).where(mine)).rowcount == 1

    def hands(self, slug: str) -> tuple[Hand, ...]:
        """Who waits longest comes first."""
        query = sa.select(hands).where(hands.c.classroom == environments_.newest(slug)).order_by(hands.c.since, hands.c.seat)
        with self._connection.reading() as connection:
            return tuple(hand(row) for row in connection.execute(query))

    def remark(self, slug: str, seat: int | None, text: str, who: str) -> None:
        """One more."""
        with self._connection.writing() as connection:
            room = _room(connection, slug)
            connection.execute(sa.insert(remarks).values(classroom=room, seat=seat, at=self._clock.now(), text=text, who=who))

    def remarks(self, slug: str, seat: int | None, limit: int = 50) -> tuple[Remark, ...]:
        """Newest first."""
        mine = remarks.c.seat.is_(None) if seat is None else remarks.c.seat == seat
        query = sa.select(remarks).where(remarks.c.classroom == environments_.newest(slug), mine)
        with self._connection.reading() as connection:
            found = connection.execute(query.order_by(remarks.c.number.desc()).limit(limit)).all()
        return tuple(Remark(row.number, row.at, row.seat, row.text, row.who) for row in found)

    def joining(self, joining: viewing.Joining, slug: str) -> None:
        """The newest counts."""
        with self._connection.writing() as connection:
            room = _room(connection, slug)
            connection.execute(sa.delete(joinings).where(joinings.c.classroom == room, joinings.c.seat == joining.seat))
            row = {"seat": joining.seat, "answer": joining.answer.value, "who": joining.who, "at": joining.at}
            connection.execute(sa.insert(joinings).values(classroom=room, **row))

    def joinings(self, slug: str) -> tuple[viewing.Joining, ...]:
        """In order of seats."""
        query = sa.select(joinings).where(joinings.c.classroom == environments_.newest(slug)).order_by(joinings.c.seat)
        with self._connection.reading() as connection:
            return tuple(joining(row) for row in connection.execute(query))

    def reach(self, slug: str, seat: int, page: int, pages: int) -> None:
        """The furthest page stays."""
        with self._connection.writing() as connection:
            room = _room(connection, slug)
            mine = sa.and_(reached.c.classroom == room, reached.c.seat == seat)
            before = connection.execute(sa.select(reached.c.page).where(mine)).scalar()
            now = {"page": max(page, before or 0), "pages": pages, "at": self._clock.now()}
            if before is None:
                connection.execute(sa.insert(reached).values(classroom=room, seat=seat, **now))
            else:
                connection.execute(sa.update(reached).where(mine).values(**now))


def hand(row: Any) -> Hand:
    """A raised hand, from its row."""
    return Hand(row.seat, row.since, row.text)


def joining(row: Any) -> viewing.Joining:
    """A question of trainers, from its row."""
    return viewing.Joining(row.seat, viewing.Answer(row.answer), row.who, row.at)


def _room(connection: sa.Connection, slug: str) -> int:
    found = connection.execute(sa.select(environments_.newest(slug))).scalar()
    if found is None:
        raise errors.NotFound(f"there is no class '{slug}'.")
    return int(found)
