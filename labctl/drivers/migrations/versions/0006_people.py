"""People: accounts, how they sign in, invitations, sessions, places in classes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _accounts()
    _links()
    _places()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("subject", sa.Text, unique=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("closed", _MOMENT),
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("label", sa.Text, nullable=False, server_default=""),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("used", _MOMENT),
    )


def _links() -> None:
    op.create_table(
        "invitations",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("errand", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("account", sa.Text, sa.ForeignKey("accounts.id")),
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id")),
        sa.Column("seat", sa.Integer),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
    )
    op.create_table(
        "ceremonies",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
    )
    op.create_table(
        "failed_tries",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, index=True),
        sa.Column("until", _MOMENT, nullable=False, index=True),
    )


def _places() -> None:
    op.create_table(
        "memberships",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), index=True),
        sa.Column("seat", sa.Integer),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("since", _MOMENT, nullable=False),
        sa.UniqueConstraint("classroom", "seat", name="one_sitting_per_seat"),
        sa.UniqueConstraint("classroom", "account", name="one_membership_per_account"),
    )
    op.create_table(
        "class_codes",
        sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created", _MOMENT, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), index=True),
        sa.Column("sitting", sa.Integer, sa.ForeignKey("memberships.id"), index=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("seen", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
    )
