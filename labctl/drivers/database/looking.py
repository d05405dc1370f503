"""How environments are read (each with its class, and with the facts of the golden machines it stands on), and classes with their seats."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from labctl.drivers.database import decoded, rows
from labctl.drivers.database.tables import classrooms, environments, seats
from labctl.model.classroom import Classroom, Seat

_GROUND = environments.alias("ground")

_NOT_LOOKED_AT = frozenset({"gone_at", "due_at", "leaves_at", "fence", "holder", "claimed_until", "touched"})
"""Columns that are no part of an environment as a value: claims, and what follows from the rest or says when it was written."""


def query(*, bare: bool = False, plans: bool = False) -> sa.Select[Any]:
    """Rows for `rows.environment`; `bare` ones know no machines. Without `plans` these stay where they are: they are larger than all
    the rest.
    """
    left = {*_NOT_LOOKED_AT, *(("machines",) if bare else ()), *(() if plans else ("plan",))}
    return (
        sa.select(
            *(column for column in environments.c if column.name not in left),
            *([sa.null().label("machines")] if bare else []),
            classrooms.c.slug,
            classrooms.c.golden,
            _GROUND.c.state.label("ground_state"),
            _GROUND.c.trouble.label("ground_trouble"),
        )
        .join(classrooms, classrooms.c.id == environments.c.classroom)
        .outerjoin(_GROUND, _GROUND.c.id == environments.c.stands_on)
    )


def room(connection: sa.Connection, row: Any, known: decoded.Decoded[Seat]) -> Classroom:
    """A class, from its row, with its seats in order."""
    query = sa.select(seats, sa.literal(row.slug).label("slug")).where(seats.c.classroom == row.id).order_by(seats.c.number)
    return rows.classroom(row, known.read(connection, query))
