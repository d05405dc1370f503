"""Two seats exchange their environments; a class gets one more seat. The desk's side of the store, as `classrooms`."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import exc

from labctl import errors
from labctl.drivers.database import backlog, golden_machines, looking, rows
from labctl.drivers.database.classrooms import ClassroomRows
from labctl.drivers.database.tables import classrooms, environments, seats, tokens
from labctl.model.classroom import Seat
from labctl.model.environment import Environment, Lease, State, Wishes
from labctl.model.plan import Plan

_ATTEMPTS = 5
Write = Callable[[sa.Connection, int, int, Plan, Lease], None]
"""Writes rows for a class (its number), a plot, a plan and a lease."""


class ExchangeRows(ClassroomRows):
    """The rest of the port Classrooms."""

    def exchange(
        self,
        seat: Seat,
        spare: Seat,
        plan: Callable[[Plan, Plan], Plan],
        change: Callable[[Environment, Environment], tuple[Wishes, Wishes]],
    ) -> None:
        """See `ports.Classrooms`. Learners' tokens name environments, so they go along; a claim that lives stays with its worker,
        who finds the new wish afterwards.
        """
        with self._connection.writing() as connection:
            number = self._number(connection, seat.classroom)
            old, new = (self._environment(connection, number, one) for one in (seat, spare))
            wishes = change(rows.environment(old), rows.environment(new))
            if old.plan is None or new.plan is None:
                raise errors.Conflict(f"the machines of seat {(seat if old.plan is None else spare).number} are gone.")
            made = self._seal.close(plan(self._seal.open(old.plan), self._seal.open(new.plan)))
            for row, wish, place, more in ((old, wishes[0], spare, {}), (new, wishes[1], seat, {"plan": made})):
                values = {**rows.wishes_columns(wish), **more, "seat": place.number}
                connection.execute(sa.update(environments).where(environments.c.id == row.id).values(**values))
                mine = (seats.c.classroom == number) & (seats.c.number == place.number)
                connection.execute(sa.update(seats).where(mine).values(environment=row.id))
            backlog.refresh(connection, environments.c.id.in_([old.id, new.id]), self._clock.now())
            connection.execute(sa.update(tokens).where(tokens.c.environment == old.id).values(environment=new.id))

    def add_seat(self, slug: str, seat: Seat, plan: Callable[[int], Plan], plots: range) -> None:
        """See `ports.Classrooms`."""

        def write(connection: sa.Connection, number: int, plot: int, made: Plan, lease: Lease) -> None:
            self._write_seat(connection, number, seat, plot, made, lease)

        self._one_more(slug, plan, plots, write)

    def replace(self, seat: Seat, fresh: Seat, plan: Callable[[int], Plan], change: Callable[[Environment], Wishes], plots: range) -> None:
        """See `ports.Classrooms`."""

        def write(connection: sa.Connection, number: int, plot: int, made: Plan, lease: Lease) -> None:
            old = self._environment(connection, number, seat)
            # What is given up keeps a place of its own, so that nobody takes the class for gone while it is still there.
            last = connection.execute(sa.select(sa.func.max(seats.c.number)).where(seats.c.classroom == number)).scalar_one() + 1
            wishes = {**rows.wishes_columns(change(rows.environment(old))), "seat": last}
            connection.execute(sa.update(environments).where(environments.c.id == old.id).values(**wishes))
            connection.execute(sa.insert(seats).values(classroom=number, number=last, learner=None, environment=old.id))
            self._write_environment(connection, number, fresh, plot, made, lease)
            mine = (seats.c.classroom == number) & (seats.c.number == seat.number)
            connection.execute(sa.update(seats).where(mine).values(environment=fresh.environment))
            connection.execute(sa.update(tokens).where(tokens.c.environment == old.id).values(environment=fresh.environment))

        self._one_more(seat.classroom, plan, plots, write)

    def _one_more(self, slug: str, plan: Callable[[int], Plan], plots: range, write: Write) -> None:
        """One more environment for a class, planned outside of any transaction on the plot that is drawn; `write` writes it."""
        for _ in range(_ATTEMPTS):
            with self._connection.reading() as connection:
                (plot,) = self._draw(connection, plots, 1)
            made = plan(plot)
            try:
                with self._connection.writing() as connection:
                    number = self._number(connection, slug)
                    if made.stands_on:
                        golden_machines.hold(connection, made.stands_on)
                    row = connection.execute(sa.select(classrooms).where(classrooms.c.id == number)).one()
                    write(connection, number, plot, made, Lease(row.starts, row.ends))
                    mine = (environments.c.classroom == number) & (environments.c.state != State.GONE.value)
                    backlog.refresh(connection, mine, self._clock.now())
            except exc.IntegrityError:
                continue
            except golden_machines.Vanished:
                raise errors.Conflict(
                    "the golden machines that this class stands on are being removed.", hint="Open another class."
                ) from None
            return
        raise errors.Conflict("other classes were opened at the same moment; no seat was added.", hint="Try again.")

    def _number(self, connection: sa.Connection, slug: str) -> int:
        number = connection.execute(sa.select(classrooms.c.id).where(classrooms.c.slug == slug, classrooms.c.living)).scalar()
        if number is None:
            raise errors.NotFound(f"there is no open class '{slug}'.")
        return int(number)

    def _environment(self, connection: sa.Connection, number: int, seat: Seat) -> sa.Row[tuple[object, ...]]:
        query = (
            looking.query(plans=True)
            .join(seats, (seats.c.classroom == number) & (seats.c.environment == environments.c.id))
            .where(seats.c.number == seat.number, environments.c.id == seat.environment)
            .with_for_update(of=environments)
        )
        row = connection.execute(query).one_or_none()
        if row is None:
            raise errors.Conflict(f"seat {seat.number} has other machines by now.", hint="Look at the class again.")
        return row
