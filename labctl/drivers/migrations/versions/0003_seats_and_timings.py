"""Undo, handing over and what is kept on environments; how long steps took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for column in (
        sa.Column("wanted_undo", sa.Integer, nullable=False, server_default="0"),
        sa.Column("wanted_hand", sa.Integer, nullable=False, server_default="0"),
        sa.Column("aside", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("hand", sa.Integer, nullable=False, server_default="0"),
        sa.Column("kept", sa.JSON),
    ):
        op.add_column("environments", column)
    op.create_table(
        "timings",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("blueprint", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_timings_blueprint_step", "timings", ["blueprint", "step"])
