"""The one query by which environments are read: each with its class, and with the facts of the golden machines it stands on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from labctl.drivers.database.tables import classrooms, environments

_GROUND = environments.alias("ground")


def query() -> sa.Select[Any]:
    """Rows for `rows.environment`."""
    return (
        sa.select(
            environments,
            classrooms.c.slug,
            classrooms.c.golden,
            _GROUND.c.state.label("ground_state"),
            _GROUND.c.trouble.label("ground_trouble"),
        )
        .join(classrooms, classrooms.c.id == environments.c.classroom)
        .outerjoin(_GROUND, _GROUND.c.id == environments.c.stands_on)
    )
