"""How long steps took, by blueprint and step. Only the newest are kept: what a cluster did last year says nothing of today."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from labctl.drivers.database import part
from labctl.drivers.database.tables import classrooms, environments, timings
from labctl.model.environment import Step

NEWEST = 50
"""Rows kept of each step of a blueprint."""


class TimingRows(part.Part):
    """Fills the port Timings."""

    def measured(self, environment: str, step: Step, seconds: float) -> None:
        """One more row; the oldest ones go. An environment nobody knows is not written down."""
        with self._connection.writing() as connection:
            query = sa.select(classrooms.c.blueprint).join(environments, environments.c.classroom == classrooms.c.id)
            blueprint = connection.execute(query.where(environments.c.id == environment)).scalar()
            if blueprint is None:
                return
            row = {"blueprint": blueprint, "step": step.value, "seconds": seconds, "at": self._clock.now()}
            connection.execute(sa.insert(timings).values(**row))
            mine = (timings.c.blueprint == blueprint) & (timings.c.step == step.value)
            newest = sa.select(timings.c.number).where(mine).order_by(timings.c.number.desc()).limit(NEWEST).subquery()
            connection.execute(sa.delete(timings).where(mine, timings.c.number.not_in(sa.select(newest.c.number))))

    def times(self, blueprint: str) -> Mapping[Step, tuple[float, ...]]:
        """Newest first."""
        query = sa.select(timings).where(timings.c.blueprint == blueprint).order_by(timings.c.number.desc())
        found: dict[Step, tuple[float, ...]] = {}
        with self._connection.reading() as connection:
            for row in connection.execute(query).all():
                step = Step(row.step)
                found[step] = (*found.get(step, ()), row.seconds)
        return found
