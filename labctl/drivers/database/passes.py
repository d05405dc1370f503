"""Passes for web apps: tickets, which go when they are shown, and what their cookies open. Kept as HMACs under the database's key."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from labctl.drivers.database import part
from labctl.drivers.database.tables import passes
from labctl.model import web_apps

MOST = 32
"""Of one person at one app: as many browsers and frames; the oldest go."""


class PassRows(part.Part):
    """Fills the port Passes."""

    def keep_pass(self, secret: str, kept: web_apps.Pass, *, ticket: bool) -> str:
        """See `ports.Passes`. Those that ran out go with it."""
        same = (passes.c.proof == kept.proof) & (passes.c.host == kept.host) & (passes.c.ticket == ticket)
        with self._connection.writing() as connection:
            newest = sa.select(passes.c.number).where(same).order_by(passes.c.number.desc()).limit(MOST - 1)
            old = same & passes.c.number.not_in(list(connection.scalars(newest)))
            connection.execute(sa.delete(passes).where((passes.c.until <= self._clock.now()) | old))
            row = {"digest": self._pass(secret, ticket=ticket), "ticket": ticket, **vars(kept)}
            made = connection.execute(sa.insert(passes).values(row)).inserted_primary_key
        assert made is not None
        return str(made[0])

    def use_pass_ticket(self, secret: str) -> web_apps.Pass | None:
        """See `ports.Passes`."""
        mine = passes.c.digest == self._pass(secret, ticket=True)
        with self._connection.writing() as connection:
            row = connection.execute(sa.select(passes).where(mine)).one_or_none()
            if row is None or connection.execute(sa.delete(passes).where(mine)).rowcount != 1 or row.until <= self._clock.now():
                return None
        return _kept(row)

    def pass_of(self, secret: str, host: str) -> tuple[str, web_apps.Pass] | None:
        """See `ports.Passes`."""
        mine = (passes.c.digest == self._pass(secret, ticket=False)) & (passes.c.host == host) & (passes.c.until > self._clock.now())
        with self._connection.reading() as connection:
            row = connection.execute(sa.select(passes).where(mine)).one_or_none()
        return (str(row.number), _kept(row)) if row else None

    def is_host(self, host: str) -> bool:
        """See `ports.Passes`."""
        query = sa.select(passes.c.number).where(passes.c.host == host, passes.c.until > self._clock.now()).limit(1)
        with self._connection.reading() as connection:
            return connection.execute(query).first() is not None

    def passes(self, ids: Collection[str]) -> dict[str, web_apps.Pass]:
        """See `ports.Passes`."""
        numbers = [int(one) for one in ids if one.isascii() and one.isdigit() and len(one) < 18]
        query = sa.select(passes).where(passes.c.number.in_(numbers), passes.c.until > self._clock.now(), ~passes.c.ticket)
        with self._connection.reading() as connection:
            return {str(row.number): _kept(row) for row in connection.execute(query).all()}

    def _pass(self, secret: str, *, ticket: bool) -> bytes:
        return self._seal.digest(f"app {'ticket' if ticket else 'visit'} {secret}")


def _kept(row: Any) -> web_apps.Pass:
    return web_apps.Pass(
        host=row.host,
        principal=row.principal,
        environment=row.environment,
        app=row.app,
        who=row.who,
        until=row.until,
        proof=row.proof,
    )
