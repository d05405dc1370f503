"""The store's side of golden machines: sets, who stands on them, and that a set goes only when nobody does.

A set is a row of `classrooms` with `golden` set and one environment, so claims, facts, plots, plans and journal are everybody's. One
living set per golden digest: its slug names the digest, and the index on living slugs is unique.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import sqlalchemy as sa

from labctl import errors
from labctl.drivers.database import backlog, looking, part, rows
from labctl.drivers.database.tables import classrooms, environments
from labctl.model.classroom import Classroom
from labctl.model.environment import Environment, State, Wanted
from labctl.model.plan import Plan

FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
"""The end of golden machines' lease: no clock ends it while somebody may stand on them."""


class Vanished(Exception):
    """The golden machines somebody wanted to stand on are on their way out: plan again."""


def hold(connection: sa.Connection, ground: str) -> None:
    """In the transaction of whoever comes to stand on it: it is there, and stays. Raises Vanished."""
    query = sa.select(environments.c.state, environments.c.wanted).where(environments.c.id == ground).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None or row.state == State.GONE.value or row.wanted == Wanted.GONE.value:
        raise Vanished


def keep(connection: sa.Connection, ground: str) -> None:
    """The same for one who can only try again later. Raises Conflict."""
    try:
        hold(connection, ground)
    except Vanished:
        raise errors.Conflict("its golden machines are being removed at this moment.", hint="Try again.") from None


def over(connection: sa.Connection, number: int, at: datetime) -> None:
    """A set whose machines are gone is closed, whether somebody wished it or its bake failed."""
    mine = (classrooms.c.id == number) & classrooms.c.golden & classrooms.c.closed.is_(None)
    connection.execute(sa.update(classrooms).where(mine).values(closed=at))


def _on(ground: str) -> sa.ColumnElement[bool]:
    return (environments.c.stands_on == ground) & (environments.c.state != State.GONE.value)


class GoldenRows(part.Part):
    """Fills the port Goldens."""

    def goldens(self) -> tuple[Classroom, ...]:
        """Living sets, oldest first."""
        with self._connection.reading() as connection:
            query = sa.select(classrooms).where(classrooms.c.golden, classrooms.c.living).order_by(classrooms.c.id)
            return tuple(looking.room(connection, row, self._seats) for row in connection.execute(query).all())

    def standing(self, ground: str) -> tuple[Environment, ...]:
        """Environments that stand on it and are not GONE."""
        with self._connection.reading() as connection:
            query = looking.query().where(_on(ground)).order_by(environments.c.classroom, environments.c.seat)
            return tuple(rows.environment(row) for row in connection.execute(query).all())

    def retire(self, ground: str) -> bool:
        """Want the set gone unless somebody stands on it, in one transaction; whether it is wanted gone now."""
        with self._connection.writing() as connection:
            connection.execute(sa.select(environments.c.id).where(environments.c.id == ground).with_for_update())
            if connection.execute(sa.select(environments.c.id).where(_on(ground)).limit(1)).one_or_none() is not None:
                return False
            connection.execute(sa.update(environments).where(environments.c.id == ground).values(wanted=Wanted.GONE.value))
            backlog.refresh(connection, environments.c.id == ground, self._clock.now())
            return True

    def stand(self, environment: str, change: Callable[[Plan], Plan]) -> None:
        """Let an environment that is not built yet stand on other golden machines (`Plan.stands_on` of what `change` returns).
        Raises NotFound; Conflict when it is built, or the golden machines are on their way out.
        """
        with self._connection.writing() as connection:
            query = sa.select(environments.c.plan, environments.c.state).where(environments.c.id == environment).with_for_update()
            row = connection.execute(query).one_or_none()
            if row is None or row.plan is None:
                raise errors.NotFound(f"there is no environment '{environment}'.")
            if row.state != State.NEW.value:
                raise errors.Conflict(f"environment '{environment}' is built already.")
            plan = change(self._seal.open(row.plan))
            if plan.stands_on is not None:
                keep(connection, plan.stands_on)
            values = {"plan": self._seal.close(plan), "stands_on": plan.stands_on}
            connection.execute(sa.update(environments).where(environments.c.id == environment).values(**values))
            backlog.refresh(connection, environments.c.id == environment, self._clock.now())
