"""The one query by which environments are read: each with its class, and with the facts of the golden machines it stands on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from labctl.drivers.database.tables import classrooms, environments

_GROUND = environments.alias("ground")


def query(*, bare: bool = False, plans: bool = False) -> sa.Select[Any]:
    """Rows for `rows.environment`; `bare` ones know no machines. Without `plans` these stay where they are: they are larger than all
    the rest.
    """
    left = {*(("machines",) if bare else ()), *(() if plans else ("plan",))}
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
