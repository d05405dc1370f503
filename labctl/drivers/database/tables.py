"""The tables as SQLAlchemy sees them. What is in the database is decided by the migrations; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from labctl.drivers.database import stamps

HEAD = "0014"
"""The migration this code is written for; a test holds it to Alembic's own head."""


class Moment(TypeDecorator[datetime]):
    """An aware datetime in UTC. SQLite keeps none of the zone, so it is put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse naive times: nobody knows what they mean."""
        del dialect
        if value is not None and value.tzinfo is None:
            msg = "a time without a zone"
            raise ValueError(msg)
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Aware again."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData()

# A slug may be used again when its class is closed and everything in it gone, so rows are told apart by number.
classrooms = sa.Table(
    "classrooms",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("blueprint", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("starts", Moment, nullable=False),
    sa.Column("ends", Moment, nullable=False),
    sa.Column("opened", Moment, nullable=False),
    sa.Column("trainer", sa.Text, nullable=False),
    sa.Column("closed", Moment),
    # True until everything in it is gone and it is closed: one slug, one living class.
    sa.Column("living", sa.Boolean, nullable=False),
    # True: no class but a set of golden machines; its slug names its golden digest, so one living set per digest.
    sa.Column("golden", sa.Boolean, nullable=False, server_default=sa.false()),
    # Whether trainers may type in a learner's terminal without asking.
    sa.Column("may_join", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("one_living_classroom_per_slug", "slug", unique=True, sqlite_where=sa.text("living"), postgresql_where=sa.text("living")),
)

seats = sa.Table(
    "seats",
    metadata,
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("learner", sa.JSON(none_as_null=True)),
    sa.Column("environment", sa.Text, sa.ForeignKey("environments.id"), nullable=False),
    stamps.touched("seats"),
    sa.Index("ix_seats_touched", "touched"),
)

environments = sa.Table(
    "environments",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), nullable=False, index=True),
    sa.Column("seat", sa.Integer, nullable=False),
    sa.Column("plot", sa.Integer, nullable=False),
    sa.Column("plan", sa.LargeBinary),
    # the environment whose golden machines its machines are clones of
    sa.Column("stands_on", sa.Text, index=True),
    # wishes: written by the desk
    sa.Column("wanted", sa.Text, nullable=False),
    sa.Column("starts", Moment, nullable=False),
    sa.Column("ends", Moment, nullable=False),
    sa.Column("wanted_round", sa.Integer, nullable=False),
    sa.Column("wanted_undo", sa.Integer, nullable=False, server_default="0"),
    sa.Column("wanted_hand", sa.Integer, nullable=False, server_default="0"),
    sa.Column("aside", sa.Boolean, nullable=False, server_default=sa.false()),
    # facts: written by the runner
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("doing", sa.Text),
    sa.Column("doing_since", Moment),
    sa.Column("trouble", sa.JSON(none_as_null=True)),
    sa.Column("machines", sa.JSON, nullable=False),
    sa.Column("hand", sa.Integer, nullable=False, server_default="0"),
    sa.Column("kept", sa.JSON(none_as_null=True)),
    sa.Column("gone_at", Moment),
    # when it is due, and when it is on its way out: follow from wishes, facts and ground (`model.urgency`), kept true by `backlog`
    sa.Column("due_at", Moment),
    sa.Column("leaves_at", Moment),
    # the claim
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("holder", sa.Text),
    sa.Column("claimed_until", Moment),
    stamps.touched("environments"),
    sa.Index("ix_environments_touched", "touched"),
    sa.Index(
        "one_environment_per_plot",
        "plot",
        unique=True,
        sqlite_where=sa.text("state != 'gone'"),
        postgresql_where=sa.text("state != 'gone'"),
    ),
    sa.Index("ix_environments_due", "due_at"),
    sa.Index("ix_environments_class_due", "classroom", "state", "due_at"),
    sa.Index("ix_environments_leaving", "leaves_at"),
    sa.Index(
        "ix_environments_held",
        "claimed_until",
        sqlite_where=sa.text("holder IS NOT NULL"),
        postgresql_where=sa.text("holder IS NOT NULL"),
    ),
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("environment", sa.Text, nullable=False, index=True),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)

timings = sa.Table(
    "timings",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("blueprint", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Index("ix_timings_blueprint_step", "blueprint", "step"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("environment", sa.Text),
    sa.Column("expires", Moment),
    sa.Column("created", Moment, nullable=False),
)

# One-time codes for the SSH door: only a hash is kept, and a row goes when its code is shown.
codes = sa.Table(
    "codes",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("until", Moment, nullable=False),
)

# Tickets for terminals and desktops in the browser: only a hash is kept, and a row goes when its ticket is shown.
tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("until", Moment, nullable=False),
    sa.Column("proof", sa.Text, nullable=False, server_default=""),
    sa.Column("kind", sa.Text, nullable=False),
)

# Passes for web apps: tickets, which go when they are shown, and what their cookies open. Only hashes are kept.
passes = sa.Table(
    "passes",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("ticket", sa.Boolean, nullable=False),
    sa.Column("host", sa.Text, nullable=False, index=True),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("app", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("proof", sa.Text, nullable=False),
    sa.Column("until", Moment, nullable=False),
    sqlite_autoincrement=True,
)

# Raised hands belong to the seat, not to its environment: a swap must not make a learner ask again. Lowered ones are gone; the journal
# has them.
hands = sa.Table(
    "hands",
    metadata,
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
    sa.Column("seat", sa.Integer, primary_key=True),
    sa.Column("since", Moment, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)

# Whether whoever joins a seat's terminals may type there: asked (by whom, since when), allowed or refused. Belongs to the seat.
joinings = sa.Table(
    "joinings",
    metadata,
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
    sa.Column("seat", sa.Integer, primary_key=True),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
)

# Messages to the class (no seat) and trainers' notes on a seat.
remarks = sa.Table(
    "remarks",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), nullable=False),
    sa.Column("seat", sa.Integer),
    sa.Column("at", Moment, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Index("ix_remarks_classroom_seat", "classroom", "seat"),
    sqlite_autoincrement=True,
)

# How far a learner came in the guide: the furthest page, of how many.
reached = sa.Table(
    "reached",
    metadata,
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
    sa.Column("seat", sa.Integer, primary_key=True),
    sa.Column("page", sa.Integer, nullable=False),
    sa.Column("pages", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    stamps.touched("reached"),
    sa.Index("ix_reached_touched", "touched"),
)

# How a seat stands with a task. Belongs to the seat as hands do: what a learner has shown is not undone by new machines.
standings = sa.Table(
    "standings",
    metadata,
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
    sa.Column("seat", sa.Integer, primary_key=True),
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("done", Moment),
    sa.Column("gave_up", sa.Boolean, nullable=False),
    sa.Column("earned", sa.Integer, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("hints", sa.Integer, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("at", Moment),
    sa.Column("proven", sa.Text, nullable=False),
    sa.Column("set_up", sa.Text, nullable=False),
    sa.Column("changed", Moment, nullable=False),
    stamps.touched("standings"),
    sa.Index("ix_standings_touched", "touched"),
)

# Which seat is being looked into for a task, by whom: one look a seat.
looks = sa.Table(
    "looks",
    metadata,
    sa.Column("classroom", sa.Integer, sa.ForeignKey("classrooms.id"), primary_key=True),
    sa.Column("seat", sa.Integer, primary_key=True),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", Moment, nullable=False),
)
