"""When a row was last written, so that a look at a class reads what changed since the one before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    for table in ("seats", "environments", "reached", "standings"):
        op.add_column(table, sa.Column("touched", sa.BigInteger, nullable=False, server_default="0"))
        op.create_index(f"ix_{table}_touched", table, ["touched"])
