"""When a row was last written, as a number: whoever looks again reads only rows with a greater one (`sights`). Every INSERT and UPDATE
that goes through `tables` writes it, so no verb can forget it.

SQLite has one writer at a time: the table's greatest number and one more is greater than whatever anybody has seen. In PostgreSQL many
write at once and commit in any order, so a row has the number of its transaction, and a look goes on from the oldest transaction that
had not ended (functions `txid_current` and `txid_snapshot_xmin`, PostgreSQL's documentation 9.27.5).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class Stamp(FunctionElement[int]):
    """What a write puts into `touched` of that table."""

    type = sa.BigInteger()
    inherit_cache = True


class Mark(FunctionElement[int]):
    """How far a look has seen that table: all rows with that number or a smaller one, in their newest state."""

    type = sa.BigInteger()
    inherit_cache = True


def touched(table: str) -> sa.Column[int]:
    """The column, which wants an index."""
    stamp = Stamp(sa.literal_column(table))
    return sa.Column("touched", sa.BigInteger, nullable=False, server_default="0", default=stamp, onupdate=stamp)


def mark(table: sa.Table) -> sa.Label[int]:
    """The mark, named as the table."""
    return Mark(sa.literal_column(table.name)).label(table.name)


@compiles(Stamp)
def _stamp(element: Stamp, compiler: Any, **how: Any) -> str:
    return f"(SELECT coalesce(max(touched), 0) + 1 FROM {compiler.process(element.clauses, **how)})"  # noqa: S608  a table of ours


@compiles(Stamp, "postgresql")
def _stamp_of_transaction(element: Stamp, compiler: Any, **how: Any) -> str:
    del element, compiler, how
    return "txid_current()"


@compiles(Mark)
def _mark(element: Mark, compiler: Any, **how: Any) -> str:
    return f"(SELECT coalesce(max(touched), 0) FROM {compiler.process(element.clauses, **how)})"  # noqa: S608  a table of ours


@compiles(Mark, "postgresql")
def _mark_of_transactions(element: Mark, compiler: Any, **how: Any) -> str:
    del element, compiler, how
    return "(txid_snapshot_xmin(txid_current_snapshot()) - 1)"
