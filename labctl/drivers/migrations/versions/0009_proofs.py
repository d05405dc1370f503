"""A ticket for a terminal says by what its owner was known, so that the terminal ends when they sign out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("tickets", sa.Column("proof", sa.Text, nullable=False, server_default=""))
