"""A class at one moment, read on from the moment before: a look at a thousand seats of which one changed reads one row (`stamps`).

Hands, questions of trainers and messages are few, and rows of them go away, so they are read whole each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import sqlalchemy as sa

from labctl import errors
from labctl.drivers.database import help as help_
from labctl.drivers.database import looking, part, rows, stamps, task_rows
from labctl.drivers.database.tables import classrooms, environments, hands, joinings, journal, reached, remarks, seats, standings
from labctl.model.classroom import Classroom, Seat
from labctl.model.sight import Sight

Key = TypeVar("Key")
Value = TypeVar("Value")

_ROOM, _SINCE = sa.bindparam("room", type_=sa.Integer), sa.bindparam("since", type_=sa.BigInteger)

# The questions are put together once: for SQLAlchemy that is more work than asking them.
_NEWEST = sa.select(classrooms).where(classrooms.c.slug == sa.bindparam("slug")).order_by(classrooms.c.id.desc()).limit(1)
_MARKS = sa.select(
    *(stamps.mark(table) for table in (seats, environments, reached, standings)),
    # Lines are appended in the order of their numbers (`journal`), by whatever database.
    sa.select(sa.func.coalesce(sa.func.max(journal.c.number), 0)).scalar_subquery().label("journal"),
)
_SEATS = (
    sa.select(seats.c.number, seats.c.learner, seats.c.environment, classrooms.c.slug)
    .join(classrooms, classrooms.c.id == seats.c.classroom)
    .where(seats.c.classroom == _ROOM, seats.c.touched > _SINCE)
)
_ENVIRONMENTS = looking.query().where(environments.c.classroom == _ROOM, environments.c.touched > _SINCE)
_REACHED = sa.select(reached).where(reached.c.classroom == _ROOM, reached.c.touched > _SINCE)
_TOUCHED = sa.select(standings.c.seat).where(standings.c.classroom == _ROOM, standings.c.touched > _SINCE)
_SCORES = task_rows.counted(standings.c.classroom == _ROOM).where(standings.c.seat.in_(_TOUCHED))
_HANDS = sa.select(hands).where(hands.c.classroom == _ROOM).order_by(hands.c.since, hands.c.seat)
_JOININGS = sa.select(joinings).where(joinings.c.classroom == _ROOM)
_MESSAGE = (
    sa.select(remarks.c.text).where(remarks.c.classroom == _ROOM, remarks.c.seat.is_(None)).order_by(remarks.c.number.desc()).limit(1)
)
_LINES = sa.select(journal.c.environment, journal.c.text).where(journal.c.number > _SINCE).order_by(journal.c.number)
_INSIDE = sa.select(environments.c.id).where(environments.c.classroom == _ROOM)
_LAST = sa.select(sa.func.max(journal.c.number)).where(journal.c.environment.in_(_INSIDE)).group_by(journal.c.environment)
_NEWEST_LINES = sa.select(journal.c.environment, journal.c.text).where(journal.c.number.in_(_LAST))


class SightRows(part.Part):
    """Fills the port Sights."""

    def sight(self, slug: str, before: Sight | None = None) -> Sight:
        """See `ports.Sights`: one transaction."""
        with self._connection.reading() as connection:
            row = connection.execute(_NEWEST, {"slug": slug}).one_or_none()
            if row is None:
                raise errors.NotFound(f"there is no class '{slug}'.", hint="`labctl class list` shows those that are open.")
            return _Look(connection, row, before if before is not None and before.number == row.id else None).sight()


class _Look:
    """One look at one class."""

    def __init__(self, connection: sa.Connection, row: Any, before: Sight | None) -> None:
        self._connection = connection
        self._row = row
        self._before = before
        # Marks first: what is committed while we look is seen now or, at the latest, by the next look.
        self._marks: dict[str, int] = connection.execute(_MARKS).one()._asdict()

    def sight(self) -> Sight:
        before, row = self._before, self._row
        lines = self._lines()
        fresh_seats = {one.number: rows.seat(one) for one in self._since(_SEATS, "seats")}
        fresh = {one.id: rows.environment(one) for one in self._since(_ENVIRONMENTS, "environments")}
        pages = {one.seat: rows.reached(one) for one in self._since(_REACHED, "reached")}
        scores = {one.seat: task_rows.score(one) for one in self._since(_SCORES, "standings")}
        here = {"room": row.id}
        found = Sight(
            number=row.id,
            room=self._room(fresh_seats),
            environments=_merged(before.environments if before else {}, fresh),
            lines={},
            hands={one.seat: help_.hand(one) for one in self._connection.execute(_HANDS, here)},
            reached=_merged(before.reached if before else {}, pages),
            scores=_merged(before.scores if before else {}, scores),
            joinings={one.seat: help_.joining(one) for one in self._connection.execute(_JOININGS, here)},
            message=self._connection.execute(_MESSAGE, here).scalar() or "",
            marks=self._marks,
            changed=None,
        )
        mine = {env: text for env, text in lines.items() if env in found.environments}
        found = replace(found, lines=_merged(before.lines if before else {}, mine))
        if before is None:
            return found
        changed = {*fresh_seats, *pages, *scores, *_differing(before.hands, found.hands), *_differing(before.joinings, found.joinings)}
        # Claims are written into the same rows and are no part of what is seen.
        changed |= {env.seat for env in fresh.values() if before.environments.get(env.id) != env}
        changed |= {found.environments[env].seat for env in mine}
        return replace(found, changed=frozenset(changed))

    def _since(self, query: sa.Select[Any], table: str) -> list[Any]:
        since = -1 if self._before is None else self._before.marks[table]
        if since == self._marks[table] and self._connection.dialect.name == "sqlite":
            return []  # PostgreSQL's mark stands still while an old transaction goes on, and newer ones end
        return list(self._connection.execute(query, {"room": self._row.id, "since": since}))

    def _lines(self) -> dict[str, str]:
        """Environment -> newest line, of whatever class; of a class seen for the first time the newest of each."""
        if self._before is None:
            found = self._connection.execute(_NEWEST_LINES, {"room": self._row.id})
        elif self._before.marks["journal"] == self._marks["journal"]:
            return {}
        else:
            found = self._connection.execute(_LINES, {"since": self._before.marks["journal"]})
        return {one.environment: one.text for one in found}

    def _room(self, fresh: Mapping[int, Seat]) -> Classroom:
        before = self._before.room if self._before else None
        there = before.seats if before else ()
        if fresh:
            there = tuple(seat for _, seat in sorted({**{seat.number: seat for seat in there}, **fresh}.items()))
        room = rows.classroom(self._row, there)
        return before if before == room and before is not None else room


def _merged(before: Mapping[Key, Value], fresh: Mapping[Key, Value]) -> Mapping[Key, Value]:
    return {**before, **fresh} if fresh else before


def _differing(before: Mapping[Key, Value], now: Mapping[Key, Value]) -> set[Key]:
    return {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}
