"""Tickets for terminals in the browser."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "tickets",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
