"""The first tables: classrooms, seats, environments, journal, tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "classrooms",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("blueprint", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("starts", _MOMENT, nullable=False),
        sa.Column("ends", _MOMENT, nullable=False),
        sa.Column("opened", _MOMENT, nullable=False),
        sa.Column("trainer", sa.Text, nullable=False),
        sa.Column("closed", _MOMENT),
        sa.Column("living", sa.Boolean, nullable=False),
    )
    op.create_index("ix_classrooms_slug", "classrooms", ["slug"])
    living = sa.text("living")
    op.create_index("one_living_classroom_per_slug", "classrooms", ["slug"], unique=True, sqlite_where=living, postgresql_where=living)
    op.create_table(
        "environments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), nullable=False),
        sa.Column("seat", sa.Integer, nullable=False),
        sa.Column("plot", sa.Integer, nullable=False),
        sa.Column("plan", sa.LargeBinary),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("starts", _MOMENT, nullable=False),
        sa.Column("ends", _MOMENT, nullable=False),
        sa.Column("wanted_round", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("doing", sa.Text),
        sa.Column("doing_since", _MOMENT),
        sa.Column("trouble", sa.JSON),
        sa.Column("machines", sa.JSON, nullable=False),
        sa.Column("gone_at", _MOMENT),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("claimed_until", _MOMENT),
    )
    op.create_index("ix_environments_classroom", "environments", ["classroom"])
    here = sa.text("state != 'gone'")
    op.create_index("one_environment_per_plot", "environments", ["plot"], unique=True, sqlite_where=here, postgresql_where=here)
    op.create_table(
        "seats",
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("learner", sa.JSON),
        sa.Column("environment", sa.Text, sa.ForeignKey("environments.id"), nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_environment", "journal", ["environment"])
    op.create_table(
        "tokens",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("environment", sa.Text),
        sa.Column("expires", _MOMENT),
        sa.Column("created", _MOMENT, nullable=False),
    )
