"""Who is signed in, and who belongs to which class. A session says nothing of rights: these are looked up at each request, so what is
taken from somebody is taken at once.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labctl import errors
from labctl.drivers.database import part, people_accounts, people_links
from labctl.drivers.database.people_tables import accounts, class_codes, memberships, sessions
from labctl.drivers.database.tables import classrooms, seats
from labctl.model import people

SEEN_EVERY = timedelta(minutes=1)
"""How finely it is written down when a session was last seen: a write for each request would cost more than the request."""


class SessionRows(part.Part):
    """Fills the ports Sessions and Memberships."""

    def begin_session(self, until: datetime, *, account: str = "", sitting: people.Sitting | None = None) -> str:
        """See `people_ports.Sessions`."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        with self._connection.writing() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.until <= now))
            place = None
            if sitting is not None:
                mine = _sits(people_links.living(connection, sitting.classroom), sitting.seat)
                place = connection.execute(sa.select(memberships.c.id).where(mine)).scalar_one()
            row = {"digest": self._session(secret), "account": account or None, "sitting": place}
            connection.execute(sa.insert(sessions).values(**row, created=now, seen=now, until=until))
        return secret

    def person(self, secret: str, idle: timedelta) -> people.Person | None:
        """See `people_ports.Sessions`."""
        mine, now = sessions.c.digest == self._session(secret), self._clock.now()
        with self._connection.reading() as connection:
            row = connection.execute(sa.select(sessions).where(mine)).one_or_none()
            if row is None or row.until <= now or (row.account and row.seen + idle <= now):
                return None
            found = _somebody(connection, row.account) if row.account else _sitting(connection, row.sitting)
        if found is not None and row.seen + SEEN_EVERY <= now:
            with self._connection.writing() as connection:
                connection.execute(sa.update(sessions).where(mine).values(seen=now))
        return found

    def end_session(self, secret: str) -> None:
        """See `people_ports.Sessions`."""
        with self._connection.writing() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.digest == self._session(secret)))

    def end_sessions(self, *, account: str = "", classroom: str = "", seat: int = 0) -> int:
        """See `people_ports.Sessions`."""
        with self._connection.writing() as connection:
            if account:
                return connection.execute(sa.delete(sessions).where(sessions.c.account == account)).rowcount
            sitting = sa.select(memberships.c.id).where(_sits(people_links.living(connection, classroom), seat))
            return connection.execute(sa.delete(sessions).where(sessions.c.sitting.in_(sitting))).rowcount

    def _session(self, secret: str) -> bytes:
        return self._seal.digest(f"session {secret}")

    def co_train(self, classroom: str, account: str) -> None:
        """See `people_ports.Memberships`."""
        try:
            with self._connection.writing() as connection:
                row = {"classroom": people_links.living(connection, classroom), "role": people.Role.COTRAINER.value, "account": account}
                connection.execute(sa.insert(memberships).values(**row, since=self._clock.now()))
        except exc.IntegrityError:
            # They run it already.
            return

    def sit(self, sitting: people.Sitting) -> None:
        """See `people_ports.Memberships`."""
        try:
            with self._connection.writing() as connection:
                number = people_links.living(connection, sitting.classroom)
                there = (seats.c.classroom == number) & (seats.c.number == sitting.seat) & seats.c.learner.is_not(None)
                if connection.execute(sa.select(seats.c.number).where(there)).first() is None:
                    raise errors.NotFound(f"class '{sitting.classroom}' has no seat {sitting.seat} for a learner.")
                row = {"classroom": number, "role": people.Role.LEARNER.value, "seat": sitting.seat, "name": sitting.name}
                connection.execute(sa.insert(memberships).values(**row, since=self._clock.now()))
        except exc.IntegrityError:
            raise errors.Conflict(
                f"somebody has taken seat {sitting.seat} already.", hint="If that was you, ask your trainer for a link to your seat."
            ) from None

    def stand_up(self, classroom: str, seat: int) -> bool:
        """See `people_ports.Memberships`."""
        with self._connection.writing() as connection:
            mine = _sits(people_links.living(connection, classroom), seat)
            connection.execute(sa.delete(sessions).where(sessions.c.sitting.in_(sa.select(memberships.c.id).where(mine))))
            return connection.execute(sa.delete(memberships).where(mine)).rowcount == 1

    def sittings(self, classroom: str) -> tuple[people.Sitting, ...]:
        """See `people_ports.Memberships`."""
        with self._connection.reading() as connection:
            number = people_links.living(connection, classroom)
            query = sa.select(memberships).where(memberships.c.classroom == number, memberships.c.seat.is_not(None))
            found = connection.execute(query.order_by(memberships.c.seat)).all()
        return tuple(people.Sitting(classroom, row.seat, row.name) for row in found)

    def set_class_code(self, classroom: str, code: str | None) -> None:
        """See `people_ports.Memberships`."""
        with self._connection.writing() as connection:
            number = people_links.living(connection, classroom)
            connection.execute(sa.delete(class_codes).where(class_codes.c.classroom == number))
            if code is not None:
                row = {"classroom": number, "digest": self._seal.digest(f"class {code}"), "created": self._clock.now()}
                connection.execute(sa.insert(class_codes).values(**row))

    def class_of_code(self, code: str) -> str | None:
        """See `people_ports.Memberships`."""
        query = sa.select(classrooms.c.slug).join(class_codes, class_codes.c.classroom == classrooms.c.id)
        mine = (class_codes.c.digest == self._seal.digest(f"class {code}")) & classrooms.c.living & classrooms.c.closed.is_(None)
        with self._connection.reading() as connection:
            slug = connection.execute(query.where(mine, classrooms.c.ends > self._clock.now())).scalar()
        return str(slug) if slug is not None else None


def _sits(number: int, seat: int) -> sa.ColumnElement[bool]:
    return (memberships.c.classroom == number) & (memberships.c.seat == seat)


def _somebody(connection: sa.Connection, id_: str) -> people.Person | None:
    """An account as it is now, with the classes it co-trains and the seats that the roster gives to its address."""
    row = connection.execute(sa.select(accounts).where(accounts.c.id == id_)).one_or_none()
    if row is None or row.closed is not None:
        return None
    known = people_accounts.account(row)
    runs = sa.select(classrooms.c.slug).join(memberships, memberships.c.classroom == classrooms.c.id)
    runs = runs.where(memberships.c.account == id_, memberships.c.role == people.Role.COTRAINER.value, classrooms.c.living)
    email = sa.func.lower(seats.c.learner["email"].as_string())
    places = _places().where(classrooms.c.living, email == known.email)
    return people.Person(
        name=known.name,
        roles=known.roles,
        runs=frozenset(connection.scalars(runs)),
        places=tuple(_place(one) for one in connection.execute(places).all()),
        account=known.id,
        signature=known.email,
    )


def _sitting(connection: sa.Connection, id_: int) -> people.Person | None:
    """Somebody without an account: nobody once the class is over."""
    query = (
        _places()
        .add_columns(memberships.c.name)
        .join(memberships, (memberships.c.classroom == seats.c.classroom) & (memberships.c.seat == seats.c.number))
    )
    row = connection.execute(query.where(memberships.c.id == id_, classrooms.c.living)).one_or_none()
    if row is None:
        return None
    sitting = people.Sitting(row.slug, row.number, row.name)
    return people.Person(name=row.name, places=(_place(row),), signature=sitting.signature)


def _places() -> sa.Select[Any]:
    return (
        sa.select(classrooms.c.slug, seats.c.number, seats.c.environment)
        .select_from(seats)
        .join(classrooms, classrooms.c.id == seats.c.classroom)
        .order_by(classrooms.c.id, seats.c.number)
    )


def _place(row: Any) -> people.Place:
    return people.Place(row.slug, row.number, row.environment)
