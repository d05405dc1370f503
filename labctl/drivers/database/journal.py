"""The journal: what was done, by whom, to what. Append-only; it is the audit trail, and what boards follow."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from labctl.drivers.database import environments as environments_
from labctl.drivers.database import part
from labctl.drivers.database.tables import environments, journal
from labctl.ports import Line

LONGEST = 4000
"""Characters kept of one line; a tool that prints a book must not fill the database."""

_APPENDS = 0x6C616264
"""PostgreSQL's advisory lock for appending."""


class JournalRows(part.Part):
    """Fills the port Journal."""

    def write(self, environment: str, step: str, text: str, who: str = "labctl") -> None:
        """Append one line."""
        self.write_all({environment: text}, step, who)

    def write_all(self, texts: Mapping[str, str], step: str, who: str = "labctl") -> None:
        """Append a line for each of these environments, in one transaction."""
        now = self._clock.now()
        lines = [{"at": now, "environment": one, "step": step, "text": text[:LONGEST], "who": who} for one, text in texts.items()]
        if not lines:
            return
        with self._connection.writing() as connection:
            if connection.dialect.name == "postgresql":
                # Numbers are drawn before they are committed; without a queue a reader that goes on after line 8 could miss 7.
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _APPENDS})
            connection.execute(sa.insert(journal), lines)

    def read(self, *, environment: str | None = None, classroom: str | None = None, after: int = 0, limit: int = 200) -> tuple[Line, ...]:
        """Lines numbered above `after`, oldest first, at most `limit`; of one environment or one class (the newest of that name)."""
        query = sa.select(journal).where(journal.c.number > after).order_by(journal.c.number).limit(limit)
        if environment is not None:
            query = query.where(journal.c.environment == environment)
        if classroom is not None:
            inside = sa.select(environments.c.id).where(environments.c.classroom == environments_.newest(classroom))
            query = query.where(journal.c.environment.in_(inside))
        with self._connection.reading() as connection:
            found = connection.execute(query).all()
        return tuple(Line(row.number, row.at, row.environment, row.step, row.text, row.who) for row in found)
