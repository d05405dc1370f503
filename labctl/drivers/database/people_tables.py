"""The tables of people, as `tables` has those of machines. Secrets are hashes here; nothing in these rows opens anything by itself."""

from __future__ import annotations

import sqlalchemy as sa

from labctl.drivers.database.tables import Moment, metadata

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("subject", sa.Text, unique=True),
    sa.Column("created", Moment, nullable=False),
    sa.Column("closed", Moment),
)

# A password's id is its account's; a passkey's is the credential id that its authenticator chose.
credentials = sa.Table(
    "credentials",
    metadata,
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("label", sa.Text, nullable=False, server_default=""),
    sa.Column("created", Moment, nullable=False),
    sa.Column("used", Moment),
)

invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("errand", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id")),
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id")),
    sa.Column("seat", sa.Integer),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("until", Moment, nullable=False),
)

ceremonies = sa.Table(
    "ceremonies",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("until", Moment, nullable=False),
)

failed_tries = sa.Table(
    "failed_tries",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, index=True),
    sa.Column("until", Moment, nullable=False, index=True),
)

# `account` for a co-trainer, `seat` for somebody without an account who sits there.
memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), index=True),
    sa.Column("seat", sa.Integer),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("since", Moment, nullable=False),
    sa.UniqueConstraint("classroom", "seat", name="one_sitting_per_seat"),
    sa.UniqueConstraint("classroom", "account", name="one_membership_per_account"),
)

class_codes = sa.Table(
    "class_codes",
    metadata,
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created", Moment, nullable=False),
    # the code itself, encrypted: whoever runs the class shows it again
    sa.Column("sealed", sa.LargeBinary),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("account", sa.Text, sa.ForeignKey("accounts.id"), index=True),
    sa.Column("sitting", sa.Integer, sa.ForeignKey("memberships.id"), index=True),
    sa.Column("created", Moment, nullable=False),
    sa.Column("seen", Moment, nullable=False),
    sa.Column("until", Moment, nullable=False),
    # what the browser calls itself, for its owner's list of sessions
    sa.Column("agent", sa.Text, nullable=False, server_default=""),
)
