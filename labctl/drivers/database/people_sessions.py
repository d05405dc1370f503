"""Who is signed in, and who belongs to which class. A session says nothing of rights: these are looked up at each request, so what is
taken from somebody is taken at once.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
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
        digest, now = self._session(secret), self._clock.now()
        with self._connection.reading() as connection:
            seen, found = self._holders(connection, [digest], idle).get(digest, (now, None))
        if found is not None and seen + SEEN_EVERY <= now:
            with self._connection.writing() as connection:
                connection.execute(sa.update(sessions).where(sessions.c.digest == digest).values(seen=now))
        return found

    def session_proof(self, secret: str) -> str:
        """See `people_ports.Sessions`."""
        return self._session(secret).hex()

    def session_holders(self, proofs: Iterable[str], idle: timedelta) -> dict[str, people.Person]:
        """See `people_ports.Sessions`."""
        with self._connection.reading() as connection:
            found = self._holders(connection, [bytes.fromhex(proof) for proof in proofs], idle)
        return {digest.hex(): person for digest, (_, person) in found.items()}

    def _holders(self, connection: sa.Connection, digests: Sequence[bytes], idle: timedelta) -> dict[bytes, tuple[datetime, people.Person]]:
        """Of those that are good: when they were last seen, and who they are. As many questions for a thousand as for one."""
        now = self._clock.now()
        rows = connection.execute(sa.select(sessions).where(sessions.c.digest.in_(digests), sessions.c.until > now)).all()
        good = [row for row in rows if not row.account or row.seen + idle > now]
        known = _somebodies(connection, {row.account for row in good if row.account})
        there = _sittings(connection, {row.sitting for row in good if not row.account})
        found = {bytes(row.digest): (row.seen, known.get(row.account) if row.account else there.get(row.sitting)) for row in good}
        return {digest: (seen, person) for digest, (seen, person) in found.items() if person is not None}

    def end_session(self, secret: str) -> None:
        """See `people_ports.Sessions`."""
        with self._connection.writing() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.digest == self._session(secret)))

    def end_sessions(self, *, account: str = "", classroom: str = "", seat: int = 0, only: bytes = b"", but: str = "") -> int:
        """See `people_ports.Sessions`."""
        with self._connection.writing() as connection:
            if account:
                mine = sessions.c.account == account
                mine &= sessions.c.digest == only if only else sa.true()
                mine &= sessions.c.digest != self._session(but) if but else sa.true()
                return connection.execute(sa.delete(sessions).where(mine)).rowcount
            sitting = sa.select(memberships.c.id).where(_sits(people_links.living(connection, classroom), seat))
            return connection.execute(sa.delete(sessions).where(sessions.c.sitting.in_(sitting))).rowcount

    def name_session(self, secret: str, agent: str) -> None:
        """See `people_ports.Sessions`."""
        with self._connection.writing() as connection:
            connection.execute(sa.update(sessions).where(sessions.c.digest == self._session(secret)).values(agent=agent))

    def sessions_of(self, account: str, secret: str) -> tuple[people.Session, ...]:
        """See `people_ports.Sessions`."""
        here = self._session(secret)
        mine = (sessions.c.account == account) & (sessions.c.until > self._clock.now())
        with self._connection.reading() as connection:
            found = connection.execute(sa.select(sessions).where(mine).order_by(sessions.c.seen.desc(), sessions.c.digest)).all()
        return tuple(people.Session(bytes(row.digest), row.created, row.seen, row.agent, bytes(row.digest) == here) for row in found)

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
                row["sealed"] = self._seal.hide(code)
                connection.execute(sa.insert(class_codes).values(**row))

    def class_code(self, classroom: str) -> str | None:
        """See `people_ports.Memberships`."""
        mine = (classrooms.c.slug == classroom) & classrooms.c.living & classrooms.c.closed.is_(None)
        query = sa.select(class_codes.c.sealed).join(classrooms, class_codes.c.classroom == classrooms.c.id).where(mine)
        with self._connection.reading() as connection:
            sealed = connection.execute(query).scalar()
        return self._seal.shown(bytes(sealed)) if sealed is not None else None

    def class_of_code(self, code: str) -> str | None:
        """See `people_ports.Memberships`."""
        query = sa.select(classrooms.c.slug).join(class_codes, class_codes.c.classroom == classrooms.c.id)
        mine = (class_codes.c.digest == self._seal.digest(f"class {code}")) & classrooms.c.living & classrooms.c.closed.is_(None)
        with self._connection.reading() as connection:
            slug = connection.execute(query.where(mine, classrooms.c.ends > self._clock.now())).scalar()
        return str(slug) if slug is not None else None


def _sits(number: int, seat: int) -> sa.ColumnElement[bool]:
    return (memberships.c.classroom == number) & (memberships.c.seat == seat)


def _somebodies(connection: sa.Connection, ids: Collection[str]) -> dict[str, people.Person]:
    """Accounts as they are now, each with the classes it co-trains and the seats that the roster gives to its address."""
    if not ids:
        return {}
    rows = connection.execute(sa.select(accounts).where(accounts.c.id.in_(ids), accounts.c.closed.is_(None))).all()
    known = [people_accounts.account(row) for row in rows]
    runs, places = defaultdict(set), defaultdict(list)
    run = sa.select(memberships.c.account, classrooms.c.slug).join(classrooms, memberships.c.classroom == classrooms.c.id)
    run = run.where(memberships.c.account.in_(ids), memberships.c.role == people.Role.COTRAINER.value, classrooms.c.living)
    for account, slug in connection.execute(run).all():
        runs[account].add(slug)
    email = sa.func.lower(seats.c.learner["email"].as_string())
    mine = _places().add_columns(email.label("email")).where(classrooms.c.living, email.in_([one.email for one in known]))
    for row in connection.execute(mine).all():
        places[row.email].append(_place(row))
    return {
        one.id: people.Person(
            name=one.name,
            roles=one.roles,
            runs=frozenset(runs[one.id]),
            places=tuple(places[one.email]),
            account=one.id,
            signature=one.email,
        )
        for one in known
    }


def _sittings(connection: sa.Connection, ids: Collection[int]) -> dict[int, people.Person]:
    """People without an account: nobody once the class is over."""
    if not ids:
        return {}
    query = (
        _places()
        .add_columns(memberships.c.id, memberships.c.name)
        .join(memberships, (memberships.c.classroom == seats.c.classroom) & (memberships.c.seat == seats.c.number))
    )
    rows = connection.execute(query.where(memberships.c.id.in_(ids), classrooms.c.living)).all()
    return {
        row.id: people.Person(name=row.name, places=(_place(row),), signature=people.Sitting(row.slug, row.number, row.name).signature)
        for row in rows
    }


def _places() -> sa.Select[Any]:
    return (
        sa.select(classrooms.c.slug, seats.c.number, seats.c.environment)
        .select_from(seats)
        .join(classrooms, classrooms.c.id == seats.c.classroom)
        .order_by(classrooms.c.id, seats.c.number)
    )


def _place(row: Any) -> people.Place:
    return people.Place(row.slug, row.number, row.environment)
