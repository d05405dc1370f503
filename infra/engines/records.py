"""The record of one stack while an update runs: old resources, new ones, operations under way; saved at every step.

New resources stand in the order in which they came to be, so what is needed stands before what needs it; the old ones
that nobody has named yet follow. A pending operation is written before each call of the provider, so that a killed run
tells what may have happened.
"""

from __future__ import annotations

import hashlib
import threading
from datetime import UTC, datetime
from typing import Any

from infra import state

VERSION = "v3.260.0"
"""The version of Pulumi whose format the records have. The CLI refuses a manifest whose magic is not this text's hash."""

Record = dict[str, Any]


class Records:
    """Thread-safe; every change is on disk when the call returns."""

    def __init__(self, backend: state.Backend, stack: str) -> None:
        self._backend = backend
        self._stack = stack
        self._guard = threading.RLock()
        latest = backend.load(stack)
        self._rest = {key: value for key, value in latest.items() if key not in {"manifest", "resources", "pending_operations"}}
        rows: list[Record] = latest.get("resources") or []
        self.interrupted: list[Record] = [one["resource"] for one in latest.get("pending_operations") or [] if one["type"] == "creating"]
        """Creates of a killed run: something may exist that no record holds."""
        self._old: dict[str, Record] = {row["urn"]: row for row in rows if not row.get("delete") and not row.get("pendingReplacement")}
        self._doomed: list[Record] = [row for row in rows if row.get("delete")]
        self._new: dict[str, Record] = {}
        self._pending: dict[str, dict[str, Any]] = {}

    def old(self, urn: str) -> Record | None:
        """What the record says of a resource that nobody has named yet."""
        with self._guard:
            return self._old.get(urn)

    def olds(self) -> list[Record]:
        """All not named yet, in order; deletions of an earlier run that are still due come first."""
        with self._guard:
            return [*self._doomed, *self._old.values()]

    def begin(self, record: Record, operation: str) -> None:
        """Before a call of the provider: creating, updating, deleting or reading."""
        with self._guard:
            self._pending[record["urn"]] = {"resource": record, "type": operation}
            self._save()

    def settle(self, record: Record) -> None:
        """The resource is as `record` says."""
        with self._guard:
            now = datetime.now(UTC).isoformat()
            before = self._new.get(record["urn"]) or self._old.pop(record["urn"], None)
            self._new[record["urn"]] = {"created": (before or {}).get("created", now), "modified": now} | record
            self._pending.pop(record["urn"], None)
            self._save()

    def keep(self, urn: str, record: Record) -> None:
        """The resource is unchanged; only its place in the order is new. Saved with the next change."""
        with self._guard:
            self._old.pop(urn, None)
            self._new[urn] = record

    def give_up(self, urn: str) -> None:
        """The call failed and changed nothing."""
        with self._guard:
            self._pending.pop(urn, None)
            self._save()

    def drop(self, record: Record) -> None:
        """The resource is gone."""
        with self._guard:
            self._doomed = [row for row in self._doomed if row is not record]
            if self._old.get(record["urn"]) is record:
                del self._old[record["urn"]]
            self._pending.pop(record["urn"], None)
            self._save()

    def save(self) -> None:
        """Write the record as it stands."""
        with self._guard:
            self._save()

    def _save(self) -> None:
        rows = [*self._new.values(), *self._doomed, *self._old.values()]
        manifest = {"time": datetime.now(UTC).isoformat(), "magic": hashlib.sha256(VERSION.encode()).hexdigest(), "version": VERSION}
        deployment: dict[str, Any] = {"manifest": manifest, **self._rest, "resources": rows, "metadata": self._rest.get("metadata", {})}
        if self._pending:
            deployment["pending_operations"] = list(self._pending.values())
        self._backend.save(self._stack, deployment)
