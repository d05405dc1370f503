"""What is good once: invitation links, and what a sign-in must remember between two requests. And tries, which are counted.

Secrets are 32 random bytes; what is kept of them is an HMAC under the database's key, as of one-time codes.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from labctl import errors
from labctl.drivers.database import part
from labctl.drivers.database.people_tables import ceremonies, failed_tries, invitations
from labctl.drivers.database.tables import classrooms
from labctl.model import people


def living(connection: sa.Connection, slug: str) -> int:
    """The number of the living class of that name. Raises NotFound."""
    mine = (classrooms.c.slug == slug) & classrooms.c.living & ~classrooms.c.golden
    number = connection.execute(sa.select(classrooms.c.id).where(mine)).scalar()
    if number is None:
        raise errors.NotFound(f"there is no open class '{slug}'.", hint="`labctl class list` shows those that are open.")
    return int(number)


class LinkRows(part.Part):
    """Fills the ports Invitations and Ceremonies."""

    def invite(self, invitation: people.Invitation) -> str:
        """See `people_ports.Invitations`."""
        secret = secrets.token_urlsafe(32)
        with self._connection.writing() as connection:
            connection.execute(sa.delete(invitations).where(invitations.c.until <= self._clock.now()))
            number = living(connection, invitation.classroom) if invitation.classroom else None
            connection.execute(
                sa.insert(invitations).values(
                    digest=self._invitation(secret),
                    errand=invitation.errand.value,
                    name=invitation.name,
                    email=invitation.email.lower(),
                    roles=sorted(invitation.roles),
                    account=invitation.account or None,
                    classroom=number,
                    seat=invitation.seat or None,
                    made_by=invitation.made_by,
                    until=invitation.until,
                )
            )
        return secret

    def invitation(self, secret: str) -> people.Invitation | None:
        """See `people_ports.Invitations`."""
        with self._connection.reading() as connection:
            return self._found(connection, secret)

    def use_invitation(self, secret: str) -> people.Invitation | None:
        """See `people_ports.Invitations`."""
        with self._connection.writing() as connection:
            found = self._found(connection, secret)
            gone = connection.execute(sa.delete(invitations).where(invitations.c.digest == self._invitation(secret))).rowcount
            return found if gone == 1 else None

    def open_invitations(self) -> tuple[people.Invitation, ...]:
        """See `people_ports.Invitations`."""
        query = sa.select(invitations, classrooms.c.slug).outerjoin(classrooms, classrooms.c.id == invitations.c.classroom)
        living = (invitations.c.until > self._clock.now()) & (invitations.c.classroom.is_(None) | classrooms.c.living)
        with self._connection.reading() as connection:
            found = connection.execute(query.where(living).order_by(invitations.c.until, invitations.c.digest)).all()
        return tuple(_invitation(row) for row in found)

    def withdraw(self, id: bytes) -> bool:  # noqa: A002
        """See `people_ports.Invitations`."""
        with self._connection.writing() as connection:
            return connection.execute(sa.delete(invitations).where(invitations.c.digest == id)).rowcount == 1

    def _found(self, connection: sa.Connection, secret: str) -> people.Invitation | None:
        query = sa.select(invitations, classrooms.c.slug, classrooms.c.living).outerjoin(
            classrooms, classrooms.c.id == invitations.c.classroom
        )
        row = connection.execute(query.where(invitations.c.digest == self._invitation(secret))).one_or_none()
        # A class that is gone takes its links along: a later one of the same name is another class.
        if row is None or row.until <= self._clock.now() or (row.classroom is not None and not row.living):
            return None
        return _invitation(row)

    def _invitation(self, secret: str) -> bytes:
        return self._seal.digest(f"invitation {secret}")

    def remember(self, what: str, data: Mapping[str, str], until: datetime) -> str:
        """See `people_ports.Ceremonies`."""
        secret = secrets.token_urlsafe(32)
        with self._connection.writing() as connection:
            connection.execute(sa.delete(ceremonies).where(ceremonies.c.until <= self._clock.now()))
            row = {"digest": self._seal.digest(f"ceremony {secret}"), "what": what, "data": dict(data), "until": until}
            connection.execute(sa.insert(ceremonies).values(**row))
        return secret

    def recall(self, what: str, secret: str) -> dict[str, str] | None:
        """See `people_ports.Ceremonies`."""
        mine = ceremonies.c.digest == self._seal.digest(f"ceremony {secret}")
        with self._connection.writing() as connection:
            row = connection.execute(sa.select(ceremonies).where(mine)).one_or_none()
            if row is None or connection.execute(sa.delete(ceremonies).where(mine)).rowcount != 1:
                return None
        return dict(row.data) if row.what == what and row.until > self._clock.now() else None

    def attempt(self, limits: Mapping[str, int], until: datetime) -> tuple[int, ...] | None:
        """See `people_ports.Ceremonies`."""
        digests = {self._seal.digest(f"try {key}"): most for key, most in limits.items()}
        with self._connection.writing() as connection:
            connection.execute(sa.delete(failed_tries).where(failed_tries.c.until <= self._clock.now()))
            _one_after_another(connection, digests)
            for digest, most in digests.items():
                mine = sa.select(sa.func.count()).select_from(failed_tries).where(failed_tries.c.digest == digest)
                if connection.execute(mine).scalar_one() >= most:
                    return None
            written = sa.insert(failed_tries).returning(failed_tries.c.number)
            return tuple(connection.execute(written.values(digest=digest, until=until)).scalar_one() for digest in digests)

    def forgive(self, attempt: tuple[int, ...]) -> None:
        """See `people_ports.Ceremonies`."""
        with self._connection.writing() as connection:
            connection.execute(sa.delete(failed_tries).where(failed_tries.c.number.in_(attempt)))


def _one_after_another(connection: sa.Connection, digests: Iterable[bytes]) -> None:
    """SQLite's writers are so anyway; PostgreSQL's would each count without the others' tries."""
    if connection.dialect.name == "postgresql":
        for number in sorted(int.from_bytes(digest[:8], signed=True) for digest in digests):
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _invitation(row: Any) -> people.Invitation:
    return people.Invitation(
        errand=people.Errand(row.errand),
        until=row.until,
        name=row.name,
        email=row.email,
        roles=frozenset(people.Role(word) for word in row.roles),
        account=row.account or "",
        classroom=row.slug or "",
        seat=row.seat or 0,
        made_by=row.made_by,
        id=bytes(row.digest),
    )
