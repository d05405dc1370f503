"""The runner's side of the store: claims and facts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from labctl import errors
from labctl.drivers import liveness
from labctl.drivers.database import backlog, golden_machines, looking, part, rows
from labctl.drivers.database import classrooms as classrooms_
from labctl.drivers.database.tables import classrooms, environments, seats
from labctl.model.environment import Claim, Environment, Facts, State
from labctl.model.plan import Plan


class EnvironmentRows(part.Part):
    """Fills the port Environments."""

    def environment(self, environment: str) -> Environment:
        """Raises NotFound."""
        with self._connection.reading() as connection:
            row = connection.execute(looking.query().where(environments.c.id == environment)).one_or_none()
        if row is None:
            raise errors.NotFound(f"there is no environment '{environment}'.")
        return rows.environment(row)

    def environments(self, *, classroom: str | None = None, gone: bool = False, bare: bool = False) -> tuple[Environment, ...]:
        """By class and seat; those of one class (the newest of that name), if one is named."""
        query = looking.query(bare=bare).order_by(environments.c.classroom, environments.c.seat)
        if not gone:
            query = query.where(environments.c.state != State.GONE.value)
        if classroom is not None:
            query = query.where(environments.c.classroom == newest(classroom))
        with self._connection.reading() as connection:
            return (self._bare_environments if bare else self._environments).read(connection, query)

    def seated(self, slug: str, numbers: Collection[int]) -> tuple[Environment, ...]:
        """One query, for it is asked each second about everybody who is in."""
        query = looking.query(bare=True).join(seats, seats.c.environment == environments.c.id)
        query = query.where(seats.c.classroom == newest(slug), seats.c.number.in_(sorted(numbers)))
        with self._connection.reading() as connection:
            return self._bare_environments.read(connection, query)

    def plan(self, environment: str) -> Plan:
        """Raises NotFound when there is no such environment, or it is gone and its plan with it."""
        with self._connection.reading() as connection:
            row = connection.execute(sa.select(environments.c.plan).where(environments.c.id == environment)).one_or_none()
        if row is None:
            raise errors.NotFound(f"there is no environment '{environment}'.")
        if row.plan is None:
            raise errors.NotFound(f"environment '{environment}' is gone, and its plan with it.")
        return self._seal.open(row.plan)

    def claim(self, environment: str, holder: str, hold: timedelta) -> Claim | None:
        """A claim with a new fencing number, or None while another holder's claim is alive. Raises NotFound.

        A claim is alive until its time is over, or until its holder is seen to be dead (`drivers.liveness`). The fence keeps the
        facts safe either way.
        """
        now = self._clock.now()
        with self._connection.writing() as connection:
            query = sa.select(environments.c.fence, environments.c.holder, environments.c.claimed_until)
            row = connection.execute(query.where(environments.c.id == environment).with_for_update()).one_or_none()
            if row is None:
                raise errors.NotFound(f"there is no environment '{environment}'.")
            alive = row.claimed_until is not None and row.claimed_until > now
            if alive and row.holder != holder and not liveness.surely_dead(row.holder):
                return None
            claim = Claim(environment=environment, holder=holder, fence=row.fence + 1, until=now + hold)
            values = {"fence": claim.fence, "holder": holder, "claimed_until": claim.until}
            connection.execute(sa.update(environments).where(environments.c.id == environment).values(**values))
            return claim

    def renew(self, claim: Claim, hold: timedelta) -> Claim:
        """The same claim for longer. Raises ClaimLost."""
        until = self._clock.now() + hold
        with self._connection.writing() as connection:
            _write_under(connection, claim, {"claimed_until": until})
        return Claim(environment=claim.environment, holder=claim.holder, fence=claim.fence, until=until)

    def settle(self, claim: Claim, facts: Facts, plan: Plan | None = None) -> None:
        """Write facts, and a new plan where one is given, if the fence is still the newest. Raises ClaimLost. A GONE environment frees
        its plot, which rests from now, and loses its plan; the last one of a closed class frees its name.
        """
        now = self._clock.now()
        gone = facts.state is State.GONE
        with self._connection.writing() as connection:
            before = _under(connection, claim)
            env = replace(before, facts=facts)
            values = rows.facts_columns(facts) | backlog.columns(env, now)
            if plan is not None:
                if plan.stands_on is not None:
                    golden_machines.keep(connection, plan.stands_on)
                values |= {"plan": self._seal.close(plan), "stands_on": plan.stands_on}
            if gone:
                values |= {"plan": None, "gone_at": now}
            _write_under(connection, claim, values)
            if env.golden and (facts.state, facts.trouble) != (before.facts.state, before.facts.trouble):
                # Also written anew, so that a look at their class sees what became of their ground.
                backlog.refresh_standing(connection, env.id, now)
            if gone:
                query = sa.select(environments.c.classroom).where(environments.c.id == claim.environment)
                number = connection.execute(query).scalar_one()
                # Two last ones at the same moment would each still see the other: the class's row makes them queue.
                connection.execute(sa.select(classrooms.c.id).where(classrooms.c.id == number).with_for_update())
                golden_machines.over(connection, number, now)
                classrooms_.bury(connection, number)

    def release(self, claim: Claim) -> None:
        """Let go. A claim that was lost meanwhile is left alone. When it is due next is written anew, so that an environment that
        was taken and had nothing to do is not taken again and again.
        """
        with self._connection.writing() as connection:
            try:
                values = backlog.columns(_under(connection, claim), self._clock.now())
            except errors.ClaimLost:
                return
            _write_under(connection, claim, {**values, "holder": None, "claimed_until": None})


def newest(slug: str) -> Any:
    """The number of the newest classroom of that name, as a subquery."""
    return sa.select(sa.func.max(classrooms.c.id)).where(classrooms.c.slug == slug).scalar_subquery()


def _mine(claim: Claim) -> sa.ColumnElement[bool]:
    return (environments.c.id == claim.environment) & (environments.c.fence == claim.fence)


def _under(connection: sa.Connection, claim: Claim) -> Environment:
    """The environment as it is, locked. Raises ClaimLost."""
    row = connection.execute(looking.query().where(_mine(claim)).with_for_update(of=environments)).one_or_none()
    if row is None:
        raise _lost(claim)
    return rows.environment(row)


def _write_under(connection: sa.Connection, claim: Claim, values: dict[str, Any]) -> None:
    if connection.execute(sa.update(environments).where(_mine(claim)).values(**values)).rowcount != 1:
        raise _lost(claim)


def _lost(claim: Claim) -> errors.ClaimLost:
    return errors.ClaimLost(f"another worker holds environment '{claim.environment}' now.")
