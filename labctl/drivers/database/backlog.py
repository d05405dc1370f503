"""What is due, and who takes which of it: the store's side of the queue, which has no memory of its own.

`due_at` and `leaves_at` follow from wishes, facts and ground by `model.urgency`; every verb that writes one of these calls `refresh`
(or writes `columns` along) in the same transaction. No query here looks at environments that are not due, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from labctl import ports
from labctl.drivers import liveness
from labctl.drivers.database import looking, part, rows
from labctl.drivers.database.tables import classrooms, environments
from labctl.model import urgency
from labctl.model.environment import Claim, Environment, State

_TAKING = 0x6C616264
"""PostgreSQL's advisory lock for taking: shares are counted, so two at once must not each take the last place of a class."""

_BEGUN = [state.value for state in State if state not in {State.NEW, State.GONE}]
"""Of a class these go first: what is half made, or somebody waits at it."""


def columns(env: Environment, now: datetime) -> dict[str, Any]:
    """When it is due and when it leaves, as columns."""
    return {"due_at": urgency.due_at(env, now), "leaves_at": urgency.leaves_at(env, now)}


def refresh(connection: sa.Connection, which: sa.ColumnElement[bool], now: datetime) -> list[Environment]:
    """Write when these are due, after something they follow from was written in this transaction; returns them as they are now."""
    # Locked, and read anew: what another transaction changed meanwhile is seen, or it will see what this one changed.
    found = [rows.environment(row) for row in connection.execute(looking.query().where(which).with_for_update(of=environments)).all()]
    values = [{"this": env.id, **columns(env, now)} for env in found]
    if values:
        writing = {name: sa.bindparam(name, type_=environments.c[name].type) for name in ("due_at", "leaves_at")}
        connection.execute(sa.update(environments).where(environments.c.id == sa.bindparam("this")).values(**writing), values)
    return found


def refresh_standing(connection: sa.Connection, ground: str, now: datetime) -> None:
    """The same for those that wait for these golden machines."""
    refresh(connection, (environments.c.stands_on == ground) & (environments.c.state == State.NEW.value), now)


_C = environments.c
_NOW = sa.bindparam("now", type_=_C.due_at.type)
_DUE = _C.due_at <= _NOW
_FREE = _C.claimed_until.is_(None) | (_C.claimed_until <= _NOW)

# The questions are put together once: for SQLAlchemy that is more work than asking them.
_HELD = sa.select(_C.id, _C.classroom, _C.holder, _C.due_at, _C.leaves_at).where(_C.holder.is_not(None), _C.claimed_until > _NOW)
_OLDEST = sa.select(_C.id).where(_DUE, _FREE).order_by(_C.due_at, _C.id).limit(sa.bindparam("most", type_=sa.Integer))
_MORE = sa.select(_C.id).where(_DUE, _FREE).limit(1)
_REMOVAL = sa.select(_C.id, _C.leaves_at).where(_C.leaves_at <= _NOW, _DUE, _FREE).order_by(_C.leaves_at).limit(1)
_FENCE = sa.select(_C.fence).where(_C.id == sa.bindparam("chosen")).with_for_update()
_TAKE = (
    sa.update(environments)
    .where(_C.id == sa.bindparam("chosen"))
    .values({name: sa.bindparam(f"new_{name}", type_=_C[name].type) for name in ("fence", "holder", "claimed_until")})
)


def _first_of_each_class() -> sa.Select[Any]:
    """Classes there are, and of each the environment to begin with: one that is begun, and one that is not."""
    here = environments.alias("here")
    ready = (here.c.classroom == classrooms.c.id) & (here.c.due_at <= _NOW) & (here.c.leaves_at > _NOW)
    ready &= here.c.claimed_until.is_(None) | (here.c.claimed_until <= _NOW)
    first = sa.select(here.c.id).where(ready).order_by(here.c.due_at, here.c.seat).limit(1).correlate(classrooms)
    return sa.select(
        classrooms.c.id,
        classrooms.c.golden,
        classrooms.c.starts,
        first.where(here.c.state.in_(_BEGUN)).scalar_subquery().label("begun"),
        first.where(here.c.state == State.NEW.value).scalar_subquery().label("fresh"),
    ).where(classrooms.c.living)


_CLASSES = _first_of_each_class()


class BacklogRows(part.Part):
    """Fills the port Backlog."""

    def take(self, holder: str, hold: timedelta, places: int) -> ports.Taken | None:
        """See `ports.Backlog`: one transaction."""
        now = self._clock.now()
        with self._connection.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TAKING})
            chosen = _chosen(connection, holder, places, now)
            if chosen is None:
                return None
            fence = connection.execute(_FENCE, {"chosen": chosen}).scalar_one()
            claim = Claim(environment=chosen, holder=holder, fence=fence + 1, until=now + hold)
            values = {"new_fence": claim.fence, "new_holder": holder, "new_claimed_until": claim.until}
            connection.execute(_TAKE, {"chosen": chosen, **values})
            return ports.Taken(claim, more=connection.execute(_MORE, {"now": now}).one_or_none() is not None)

    def due(self, limit: int) -> tuple[str, ...]:
        """Due and in nobody's hands, oldest first; before them those whose holder is seen to be dead."""
        now = self._clock.now()
        with self._connection.reading() as connection:
            dead = [row for row in connection.execute(_HELD, {"now": now}).all() if liveness.surely_dead(row.holder)]
            left = [row.id for row in dead if row.due_at is not None and row.due_at <= now]
            return (*left, *connection.scalars(_OLDEST, {"now": now, "most": limit}))[:limit]

    def ended(self) -> tuple[str, ...]:
        """Classes whose lease is over and of which nothing is left, but which nobody closed."""
        left = sa.select(_C.id).where(_C.classroom == classrooms.c.id, _C.state != State.GONE.value)
        over = classrooms.c.living & classrooms.c.closed.is_(None) & ~classrooms.c.golden & (classrooms.c.ends <= self._clock.now())
        with self._connection.reading() as connection:
            return tuple(connection.scalars(sa.select(classrooms.c.slug).where(over, ~left.exists()).order_by(classrooms.c.id)))


def _going(row: Any, now: datetime) -> bool:
    """Whether it is being removed, or gone and not let go of yet."""
    return row.leaves_at is None or bool(row.leaves_at <= now)


def _chosen(connection: sa.Connection, holder: str, places: int, now: datetime) -> str | None:
    """Which one `holder` ("PROCESS/TURN") takes."""
    held = connection.execute(_HELD, {"now": now}).all()
    dead = {row.id for row in held if liveness.surely_dead(row.holder)}
    at_work = [row for row in held if row.id not in dead]
    mine = [row for row in at_work if row.holder.rpartition("/")[0] == holder.rpartition("/")[0]]
    leaving = sum(_going(row, now) for row in mine)
    other, removal = urgency.Places(places).free(len(mine) - leaving, leaving)
    for row in held:
        if row.id in dead and row.due_at is not None and row.due_at <= now and (removal if _going(row, now) else other):
            return str(row.id)
    found = _classes(connection, at_work, now) if other else {}
    if removal:
        found |= _removals(connection, at_work, now)
    return found[urgency.order(found)[0]] if found else None


def _classes(connection: sa.Connection, at_work: Sequence[Any], now: datetime) -> dict[urgency.Line, str]:
    """Of each class for which something is due, which environment would be the next."""
    counts = Counter(row.classroom for row in at_work if not _going(row, now))
    return {
        urgency.Line(counts[row.id], row.starts, row.id, golden=row.golden): row.begun or row.fresh
        for row in connection.execute(_CLASSES, {"now": now}).all()
        if row.begun or row.fresh
    }


def _removals(connection: sa.Connection, at_work: Sequence[Any], now: datetime) -> dict[urgency.Line, str]:
    """The removal that waits longest."""
    row = connection.execute(_REMOVAL, {"now": now}).one_or_none()
    if row is None:
        return {}
    return {urgency.Line(sum(_going(one, now) for one in at_work), row.leaves_at, leaving=True): row.id}
