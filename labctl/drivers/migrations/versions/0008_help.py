"""Raised hands, messages to a class, trainers' notes, and how far learners are in the guide."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
# Until the parts of this issue meet; then "0007".
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "hands",
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
        sa.Column("seat", sa.Integer, primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "remarks",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), nullable=False),
        sa.Column("seat", sa.Integer),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_remarks_classroom_seat", "remarks", ["classroom", "seat"])
    op.create_table(
        "reached",
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
        sa.Column("seat", sa.Integer, primary_key=True),
        sa.Column("page", sa.Integer, nullable=False),
        sa.Column("pages", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
