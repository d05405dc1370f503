"""Passes for web apps of seats."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "passes",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("ticket", sa.Boolean, nullable=False),
        sa.Column("host", sa.Text, nullable=False, index=True),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("app", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("proof", sa.Text, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
