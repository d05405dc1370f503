"""Tickets for terminals and desktops in the browser. Kept as an HMAC under the database's key; a row goes when its ticket is shown."""

from __future__ import annotations

import sqlalchemy as sa

from labctl.drivers.database import part
from labctl.drivers.database.tables import tickets
from labctl.model import viewing


class TicketRows(part.Part):
    """Fills the port Tickets."""

    def keep_ticket(self, secret: str, ticket: viewing.Ticket) -> None:
        """Good once, until then. Those that ran out go with it."""
        with self._connection.writing() as connection:
            connection.execute(sa.delete(tickets).where(tickets.c.until <= self._clock.now()))
            connection.execute(sa.insert(tickets).values(digest=self._seal.digest(secret), **vars(ticket)))

    def use_ticket(self, secret: str) -> viewing.Ticket | None:
        """What it opens; gone with the same transaction, so two cannot both have it."""
        with self._connection.writing() as connection:
            mine = tickets.c.digest == self._seal.digest(secret)
            row = connection.execute(sa.select(tickets).where(mine)).one_or_none()
            if row is None or connection.execute(sa.delete(tickets).where(mine)).rowcount != 1 or row.until <= self._clock.now():
                return None
        return viewing.Ticket(
            principal=row.principal,
            environment=row.environment,
            machine=row.machine,
            mode=viewing.Mode(row.mode),
            who=row.who,
            until=row.until,
            proof=row.proof,
            kind=viewing.Kind(row.kind),
        )
