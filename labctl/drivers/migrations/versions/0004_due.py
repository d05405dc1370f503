"""When environments are due and when they leave, stored, so that nobody has to look at all of them to find the few that are due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    for name in ("due_at", "leaves_at"):
        op.add_column("environments", sa.Column(name, moment))
    # Rather too early than too late: whoever takes one that is not due writes the right moments.
    op.execute("UPDATE environments SET due_at = starts, leaves_at = ends WHERE state != 'gone'")
    op.execute("UPDATE environments SET due_at = starts, leaves_at = starts WHERE state != 'gone' AND wanted = 'gone'")
    op.create_index("ix_environments_due", "environments", ["due_at"])
    op.create_index("ix_environments_class_due", "environments", ["classroom", "state", "due_at"])
    op.create_index("ix_environments_leaving", "environments", ["leaves_at"])
    held = sa.text("holder IS NOT NULL")
    op.create_index("ix_environments_held", "environments", ["claimed_until"], sqlite_where=held, postgresql_where=held)
