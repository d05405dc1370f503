"""Rows that are read again and again, made into values once: what a row says is looked at each time, what it was made into is kept as long
as the row says the same. So a look at a class of a thousand, in which one seat changed, makes one value and fetches the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

MOST = 20_000
"""Rows kept; more than any site has seats."""

Value = TypeVar("Value")


class Decoded(Generic[Value]):
    """`make` takes a row as the query's own types would give it. The first `key` columns of a query say which row it is."""

    def __init__(self, make: Callable[[Any], Value], *, key: int = 1) -> None:
        self._make = make
        self._key = key
        self._lock = threading.Lock()
        self._kept: dict[tuple[Any, ...], tuple[tuple[Any, ...], Value]] = {}

    def read(self, connection: sa.Connection, query: sa.Select[Any]) -> tuple[Value, ...]:
        """What the query finds, in its order. The same object as before for a row that says the same."""
        columns = list(query.selected_columns)
        raw = query.with_only_columns(
            *(sa.type_coerce(one, sa.types.NULLTYPE).label(one.name) for one in columns), maintain_column_froms=True
        )
        found = [tuple(row) for row in connection.execute(raw).all()]
        with self._lock:
            known = {row[: self._key]: self._kept.get(row[: self._key]) for row in found}
        fresh = [row for row in found if (old := known[row[: self._key]]) is None or old[0] != row]
        if fresh:
            processors = [one.type.dialect_impl(connection.dialect).result_processor(connection.dialect, None) for one in columns]
            names = [one.name for one in columns]
            for row in fresh:
                values = (process(value) if process else value for process, value in zip(processors, row, strict=True))
                known[row[: self._key]] = (row, self._make(SimpleNamespace(**dict(zip(names, values, strict=True)))))
            with self._lock:
                if len(self._kept) > MOST:
                    self._kept.clear()
                self._kept.update({row[: self._key]: kept for row in fresh if (kept := known[row[: self._key]])})
        return tuple(kept[1] for row in found if (kept := known[row[: self._key]]))
