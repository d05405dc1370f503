"""How seats stand with their tasks, and which seat is being looked into."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "standings",
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
        sa.Column("seat", sa.Integer, primary_key=True),
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("done", sa.DateTime(timezone=True)),
        sa.Column("gave_up", sa.Boolean, nullable=False),
        sa.Column("earned", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("hints", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("proven", sa.Text, nullable=False),
        sa.Column("set_up", sa.Text, nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "looks",
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
        sa.Column("seat", sa.Integer, primary_key=True),
        sa.Column("task", sa.Text, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
