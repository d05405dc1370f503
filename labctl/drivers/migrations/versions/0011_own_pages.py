"""What pages of people and classes keep: a browser's name beside its session, class codes to be shown again, leave to join a terminal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("agent", sa.Text, nullable=False, server_default=""))
    op.add_column("class_codes", sa.Column("sealed", sa.LargeBinary))
    op.add_column("classrooms", sa.Column("may_join", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "joinings",
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
        sa.Column("seat", sa.Integer, primary_key=True),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
