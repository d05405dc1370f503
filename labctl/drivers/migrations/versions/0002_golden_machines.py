"""Golden machines: which rows are sets of them, and which environment stands on which set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("classrooms", sa.Column("golden", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("environments", sa.Column("stands_on", sa.Text))
    op.create_index("ix_environments_stands_on", "environments", ["stands_on"])
