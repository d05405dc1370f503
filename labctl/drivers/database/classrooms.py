"""The desk's side of the store: classrooms, seats, plots and wishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labctl import errors
from labctl.drivers.database import backlog, golden_machines, looking, part, rows
from labctl.drivers.database.tables import classrooms, environments, seats
from labctl.model.classroom import Classroom, Seat
from labctl.model.environment import Environment, Facts, Lease, State, Wanted, Wishes
from labctl.model.plan import Plan

REST = timedelta(seconds=60)
"""How long a freed plot rests: ARP entries, switch tables and Proxmox's own caches still remember who lived there."""

_ATTEMPTS = 5
"""How often plots are drawn anew when another class was opened in the same moment."""


class ClassroomRows(part.Part):
    """Fills the port Classrooms."""

    def open(self, classroom: Classroom, plans: Callable[[Sequence[int]], Sequence[Plan]], plots: range) -> None:
        """Write the classroom, its seats and their environments with sealed plans: all or nothing.

        Plots are looked up first and `plans` is called outside of any transaction, for it may ask the cluster; the unique
        index then decides, and a class that lost a plot to another one is planned again. Raises Conflict.
        """
        for _ in range(_ATTEMPTS):
            with self._connection.reading() as connection:
                _refuse_taken(connection, classroom.slug)
                drawn = self._draw(connection, plots, len(classroom.seats))
            made = tuple(plans(drawn))
            try:
                self._write(classroom, drawn, made)
            except (exc.IntegrityError, golden_machines.Vanished):
                continue
            return
        raise errors.Conflict("other classes were opened at the same moment; nothing was written.", hint="Try again.")

    def classroom(self, slug: str) -> Classroom:
        """With its seats. Where a slug was used before, the newest. Raises NotFound."""
        with self._connection.reading() as connection:
            row = connection.execute(_newest(slug)).one_or_none()
            if row is None:
                raise errors.NotFound(f"there is no class '{slug}'.", hint="`labctl class list` shows those that are open.")
            return looking.room(connection, row, self._seats)

    def classrooms(self, *, closed: bool = False) -> tuple[Classroom, ...]:
        """Living ones, oldest first (a closed class lives on until all of it is gone); with `closed`, the past ones too."""
        with self._connection.reading() as connection:
            query = sa.select(classrooms).where(~classrooms.c.golden).order_by(classrooms.c.id)
            if not closed:
                query = query.where(classrooms.c.living)
            return tuple(looking.room(connection, row, self._seats) for row in connection.execute(query).all())

    def wish(self, environment: str, change: Callable[[Wishes], Wishes]) -> Environment:
        """Change what is wanted, in one transaction. Raises NotFound, and whatever `change` raises; then nothing is written."""
        with self._connection.writing() as connection:
            query = looking.query().where(environments.c.id == environment).with_for_update(of=environments)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise errors.NotFound(f"there is no environment '{environment}'.")
            wishes = change(rows.environment(row).wishes)
            connection.execute(sa.update(environments).where(environments.c.id == environment).values(**rows.wishes_columns(wishes)))
            return backlog.refresh(connection, environments.c.id == environment, self._clock.now())[0]

    def extend(self, slug: str, until: datetime) -> Classroom:
        """Let the class and every environment in it live until then: one transaction. Raises NotFound."""
        with self._connection.writing() as connection:
            row = connection.execute(_newest(slug)).one_or_none()
            if row is None:
                raise errors.NotFound(f"there is no class '{slug}'.", hint="`labctl class list` shows those that are open.")
            connection.execute(sa.update(environments).where(environments.c.classroom == row.id).values(ends=until))
            _refresh_class(connection, row.id, self._clock.now())
            connection.execute(sa.update(classrooms).where(classrooms.c.id == row.id).values(ends=until))
            return looking.room(connection, connection.execute(_newest(slug)).one(), self._seats)

    def close(self, slug: str, at: datetime) -> None:
        """Write that the class is closed and want everything in it gone: one transaction. Repeating changes nothing."""
        with self._connection.writing() as connection:
            row = connection.execute(_newest(slug)).one_or_none()
            if row is None:
                raise errors.NotFound(f"there is no class '{slug}'.", hint="`labctl class list` shows those that are open.")
            connection.execute(sa.update(environments).where(environments.c.classroom == row.id).values(wanted=Wanted.GONE.value))
            _refresh_class(connection, row.id, self._clock.now())
            if row.closed is None:
                connection.execute(sa.update(classrooms).where(classrooms.c.id == row.id).values(closed=at))
            bury(connection, row.id)

    def free_plots(self, plots: range) -> tuple[int, ...]:
        """In the order in which they would be drawn."""
        with self._connection.reading() as connection:
            return self._free(connection, plots)[0]

    def _free(self, connection: sa.Connection, plots: range) -> tuple[tuple[int, ...], int]:
        """Never used before used long ago before used lately; and how many more rest."""
        taken = set(connection.scalars(sa.select(environments.c.plot).where(environments.c.state != State.GONE.value)))
        query = sa.select(environments.c.plot, sa.func.max(environments.c.gone_at)).where(environments.c.state == State.GONE.value)
        freed = {plot: at for plot, at in connection.execute(query.group_by(environments.c.plot)).all() if at is not None}
        rested = self._clock.now() - REST
        free = [plot for plot in plots if plot not in taken and (plot not in freed or freed[plot] <= rested)]
        free.sort(key=lambda plot: (freed[plot].timestamp() if plot in freed else 0.0, plot))
        return tuple(free), len([plot for plot in plots if plot not in taken]) - len(free)

    def _draw(self, connection: sa.Connection, plots: range, count: int) -> tuple[int, ...]:
        free, resting = self._free(connection, plots)
        if len(free) < count:
            raise errors.Conflict(
                f"{count} seats are wanted, but only {len(free)} of the site's {len(plots)} plots are free"
                + (f" ({resting} more rest for up to {REST.seconds} s)." if resting else "."),
                hint="Close a class first, or open fewer seats.",
            )
        return free[:count]

    def _write(self, classroom: Classroom, plots: Sequence[int], plans: Sequence[Plan]) -> None:
        lease = Lease(classroom.lease.starts, golden_machines.FOREVER) if classroom.golden else classroom.lease
        with self._connection.writing() as connection:
            _refuse_taken(connection, classroom.slug)
            for ground in sorted({plan.stands_on for plan in plans if plan.stands_on}):
                golden_machines.hold(connection, ground)
            number = connection.execute(
                sa.insert(classrooms)
                .values(
                    slug=classroom.slug,
                    title=classroom.title,
                    blueprint=classroom.blueprint,
                    digest=classroom.digest,
                    starts=classroom.lease.starts,
                    ends=classroom.lease.ends,
                    opened=classroom.opened,
                    trainer=classroom.trainer,
                    living=True,
                    golden=classroom.golden,
                    may_join=classroom.may_join,
                )
                .returning(classrooms.c.id)
            ).scalar_one()
            for seat, plot, plan in zip(classroom.seats, plots, plans, strict=True):
                self._write_seat(connection, number, seat, plot, plan, lease)
            _refresh_class(connection, number, self._clock.now())

    def _write_seat(self, connection: sa.Connection, number: int, seat: Seat, plot: int, plan: Plan, lease: Lease) -> None:
        self._write_environment(connection, number, seat, plot, plan, lease)
        learner = dict(vars(seat.learner)) if seat.learner else None
        line = {"classroom": number, "number": seat.number, "learner": learner, "environment": seat.environment}
        connection.execute(sa.insert(seats).values(**line))

    def _write_environment(self, connection: sa.Connection, number: int, seat: Seat, plot: int, plan: Plan, lease: Lease) -> None:
        own = {
            "id": seat.environment,
            "classroom": number,
            "seat": seat.number,
            "plot": plot,
            "plan": self._seal.close(plan),
            "stands_on": plan.stands_on,
            "fence": 0,
        }
        wishes, facts = rows.wishes_columns(Wishes(wanted=Wanted.READY, lease=lease)), rows.facts_columns(Facts())
        connection.execute(sa.insert(environments).values(**own, **wishes, **facts))


def _refresh_class(connection: sa.Connection, number: int, now: datetime) -> None:
    backlog.refresh(connection, (environments.c.classroom == number) & (environments.c.state != State.GONE.value), now)


def bury(connection: sa.Connection, number: int) -> None:
    """A class lives until it is closed and everything in it is gone; then its slug is free again."""
    left = sa.select(environments.c.id).where(environments.c.classroom == number, environments.c.state != State.GONE.value)
    done = sa.update(classrooms).where(classrooms.c.id == number, classrooms.c.closed.is_not(None), ~left.exists())
    connection.execute(done.values(living=False))


def _refuse_taken(connection: sa.Connection, slug: str) -> None:
    row = connection.execute(sa.select(classrooms).where(classrooms.c.slug == slug, classrooms.c.living)).one_or_none()
    if row is None:
        return
    if row.closed is not None:
        raise errors.Conflict(
            f"the class '{slug}' is closed, but still being removed.", hint="Wait until it is gone, or take another name."
        )
    raise errors.Conflict(f"there is already a class '{slug}'.", hint="Close it first, or take another name.")


def _newest(slug: str) -> sa.Select[Any]:
    return sa.select(classrooms).where(classrooms.c.slug == slug).order_by(classrooms.c.id.desc()).limit(1)
