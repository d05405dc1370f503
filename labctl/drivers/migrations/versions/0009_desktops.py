"""Tickets for desktops in the browser."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("tickets", sa.Column("kind", sa.Text, nullable=False, server_default="terminal"))
