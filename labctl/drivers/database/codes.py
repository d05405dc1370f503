"""One-time codes for the SSH door. A code is kept as its HMAC under the database's key, so that a copied file gives none away."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from labctl.drivers.database import part
from labctl.drivers.database.tables import codes


class CodeRows(part.Part):
    """Fills the port Codes."""

    def keep_code(self, code: str, environment: str, until: datetime) -> None:
        """Good once, until then. Those that ran out go with it."""
        with self._connection.writing() as connection:
            connection.execute(sa.delete(codes).where(codes.c.until <= self._clock.now()))
            connection.execute(sa.insert(codes).values(digest=self._seal.digest(code), environment=environment, until=until))

    def use_up(self, code: str) -> str | None:
        """The environment it was made for; gone in one transaction, so two cannot both have it. Wrong ones hold up no writer."""
        mine = codes.c.digest == self._seal.digest(code)
        with self._connection.reading() as connection:
            if connection.execute(sa.select(codes.c.until).where(mine)).first() is None:
                return None
        with self._connection.writing() as connection:
            row = connection.execute(sa.select(codes.c.environment, codes.c.until).where(mine)).one_or_none()
            if row is None or connection.execute(sa.delete(codes).where(mine)).rowcount != 1:
                return None
            return str(row.environment) if row.until > self._clock.now() else None
