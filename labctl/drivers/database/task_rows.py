"""How seats stand with their tasks, and which seat is being looked into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from labctl import errors
from labctl.drivers import liveness
from labctl.drivers.database import environments as environments_
from labctl.drivers.database import part
from labctl.drivers.database.tables import classrooms, looks, standings
from labctl.model.tasks import Outcome, Score, Standing


class TaskRows(part.Part):
    """Fills the ports Standings and Looks."""

    def standings(self, slug: str, seat: int) -> tuple[Standing, ...]:
        """See `task_ports.Standings`."""
        mine = (standings.c.classroom == environments_.newest(slug)) & (standings.c.seat == seat)
        with self._connection.reading() as connection:
            return tuple(_standing(row) for row in connection.execute(sa.select(standings).where(mine).order_by(standings.c.task)))

    def mark_task(self, slug: str, seat: int, task: str, change: Callable[[Standing], Standing]) -> Standing:
        """See `task_ports.Standings`."""
        with self._connection.writing() as connection:
            room = _locked(connection, slug)
            mine = (standings.c.classroom == room) & (standings.c.seat == seat) & (standings.c.task == task)
            before = connection.execute(sa.select(standings).where(mine)).one_or_none()
            now = change(Standing(task) if before is None else _standing(before))
            values = {**asdict(now), "changed": self._clock.now()}
            if before is None:
                connection.execute(sa.insert(standings).values(classroom=room, seat=seat, **values))
            else:
                connection.execute(sa.update(standings).where(mine).values(**values))
            return now

    def begin_look(self, slug: str, seat: int, task: str, holder: str, until: datetime) -> bool:
        """See `task_ports.Looks`."""
        with self._connection.writing() as connection:
            room = _locked(connection, slug)
            mine = (looks.c.classroom == room) & (looks.c.seat == seat)
            there = connection.execute(sa.select(looks).where(mine)).one_or_none()
            if there is not None and there.until > self._clock.now() and not liveness.surely_dead(there.holder):
                return False
            connection.execute(sa.delete(looks).where(mine))
            connection.execute(sa.insert(looks).values(classroom=room, seat=seat, task=task, holder=holder, until=until))
            return True

    def end_look(self, slug: str, seat: int, holder: str) -> None:
        """See `task_ports.Looks`."""
        mine = (looks.c.classroom == environments_.newest(slug)) & (looks.c.seat == seat) & (looks.c.holder == holder)
        with self._connection.writing() as connection:
            connection.execute(sa.delete(looks).where(mine))

    def looking(self, slug: str, seat: int) -> str:
        """See `task_ports.Looks`."""
        mine = (looks.c.classroom == environments_.newest(slug)) & (looks.c.seat == seat)
        with self._connection.reading() as connection:
            there = connection.execute(sa.select(looks).where(mine)).one_or_none()
        over = there is None or there.until <= self._clock.now() or liveness.surely_dead(there.holder)
        return "" if over or there is None else str(there.task)


def counted(which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """What is known of these, in numbers for each seat. Counted by the database: a class of a thousand has tens of thousands of rows."""
    return (
        sa.select(
            standings.c.seat,
            sa.func.count(standings.c.done).label("done"),
            sa.func.sum(standings.c.earned).label("points"),
            sa.func.max(standings.c.changed, type_=standings.c.changed.type).label("changed"),
        )
        .where(which)
        .group_by(standings.c.seat)
    )


def score(row: Any) -> Score:
    """A seat's tasks in numbers, from a row of `counted`."""
    return Score(row.seat, row.done, int(row.points), row.changed)


def _standing(row: Any) -> Standing:
    return Standing(
        task=row.task,
        done=row.done,
        gave_up=row.gave_up,
        earned=row.earned,
        tries=row.tries,
        hints=row.hints,
        outcome=Outcome(row.outcome) if row.outcome else None,
        message=row.message,
        at=row.at,
        proven=row.proven,
        set_up=row.set_up,
    )


def _locked(connection: sa.Connection, slug: str) -> int:
    """The class, whose rows nobody else changes meanwhile: two presses at once are counted one after another. Raises NotFound."""
    query = sa.select(classrooms.c.id).where(classrooms.c.id == environments_.newest(slug)).with_for_update()
    found = connection.execute(query).scalar()
    if found is None:
        raise errors.NotFound(f"there is no class '{slug}'.")
    return int(found)
