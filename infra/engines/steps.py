"""One resource's step in the embedded engine: refresh, check, diff, then same, update, replace or create; and deletion.

The rules are those of Pulumi's engine (`pulumi.md`, What the real engine does): a record with `initErrors` always gets an
update, a half-made create enters the record, replacement deletes first, dependents whose own diff says so go with it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pulumi.provider.experimental import provider as sdk

from infra import provider as provider_
from infra.engines import engine, records
from infra.resources import kind
from labctl import errors

Result = TypeVar("Result")
TIMEOUT = 0.0
"""Pulumi's custom timeouts are not used: every wait in the client has its own deadline."""


class Failed(Exception):
    """This resource did not come to be; the outcome says why."""


@dataclass(frozen=True)
class Wanted:
    """A registration, as far as the engine needs it."""

    urn: str
    type: str
    parent: str
    inputs: Mapping[str, Any]
    dependencies: tuple[str, ...]
    property_dependencies: Mapping[str, tuple[str, ...]]
    provider: str

    def record(self, identity: str, outputs: Mapping[str, Any], reasons: list[str] | None = None) -> records.Record:
        """As it enters the state file."""
        row: records.Record = {
            "urn": self.urn,
            "custom": True,
            "id": identity,
            "type": self.type,
            "inputs": dict(self.inputs),
            "outputs": dict(outputs),
            "parent": self.parent,
            **({"dependencies": list(self.dependencies)} if self.dependencies else {}),
            "provider": self.provider,
            "propertyDependencies": {name: list(urns) for name, urns in self.property_dependencies.items()},
        }
        return row | ({"initErrors": reasons} if reasons else {})


def name_of(urn: str) -> str:
    """The last part of a URN."""
    return urn.rpartition("::")[2]


class Steps:
    """All steps of one update. Called from many threads, one resource each."""

    def __init__(self, provider: provider_.Labctl, books: records.Records, outcome: engine.Outcome) -> None:
        self._provider = provider
        self._books = books
        self._outcome = outcome

    def settle(self, wanted: Wanted) -> records.Record:
        """Bring one resource about; its record. Raises Failed."""
        old = self._refreshed(self._books.old(wanted.urn))
        self._check(wanted, old)
        if old is None:
            record = self._create(wanted)
            self._outcome.created.append(name_of(wanted.urn))
            return record
        if old.get("initErrors"):
            return self._update(wanted, old)
        change = self._diff(old, wanted)
        if change.replaces:
            return self._replace(wanted, old)
        if change.changes:
            return self._update(wanted, old)
        same = wanted.record(old["id"], old["outputs"]) | {key: old[key] for key in ("created", "modified") if key in old}
        self._books.keep(wanted.urn, same)
        self._outcome.same.append(name_of(wanted.urn))
        return same

    def _refreshed(self, old: records.Record | None) -> records.Record | None:
        """The old record as the cluster has it now; None when it is gone there."""
        if old is None:
            return None
        request = sdk.ReadRequest(old["urn"], old["id"], _values(old["outputs"]), _values(old["inputs"]))
        found = self._ask(old["urn"], self._provider.read(request))
        if not found.resource_id:
            self._books.drop(old)
            return None
        return old | {"outputs": provider_.plain_map(found.properties)}

    def _check(self, wanted: Wanted, old: records.Record | None) -> None:
        request = sdk.CheckRequest(wanted.urn, _values((old or {}).get("inputs", {})), _values(wanted.inputs), b"")
        failures = self._ask(wanted.urn, self._provider.check(request)).failures or []
        if failures:
            raise self._failed(wanted.urn, "; ".join(f"{one.property} {one.reason}" for one in failures))

    def _diff(self, old: records.Record, wanted: Wanted, unknown: frozenset[str] = frozenset()) -> sdk.DiffResponse:
        inputs = {name: kind.UNKNOWN if name in unknown else value for name, value in wanted.inputs.items()}
        return self._ask(
            wanted.urn, self._provider.diff(sdk.DiffRequest(wanted.urn, old["id"], _values(old["outputs"]), _values(inputs), []))
        )

    def _create(self, wanted: Wanted) -> records.Record:
        self._books.begin(wanted.record("", {}), "creating")
        request = sdk.CreateRequest(wanted.urn, _values(wanted.inputs), TIMEOUT, preview=False)
        made = self._make(wanted, self._provider.create(request))
        record = wanted.record(made.resource_id or str(uuid.uuid4()), provider_.plain_map(made.properties))
        self._books.settle(record)
        return record

    def _update(self, wanted: Wanted, old: records.Record) -> records.Record:
        self._books.begin(old, "updating")
        request = sdk.UpdateRequest(wanted.urn, old["id"], _values(old["outputs"]), _values(wanted.inputs), TIMEOUT, [], preview=False)
        made = self._make(wanted, self._provider.update(request))
        record = wanted.record(old["id"], provider_.plain_map(made.properties))
        self._books.settle(record)
        self._outcome.updated.append(name_of(wanted.urn))
        return record

    def _make(self, wanted: Wanted, call: Coroutine[Any, Any, Result]) -> Result:
        try:
            return asyncio.run(call)
        except provider_.InitFailed as half:
            self._books.settle(wanted.record(half.identity, half.properties, half.reasons))
            raise self._failed(wanted.urn, str(half)) from half
        except (errors.LabctlError, kind.HalfMade) as error:
            self._books.give_up(wanted.urn)
            raise self._failed(wanted.urn, str(error)) from error

    def _replace(self, wanted: Wanted, old: records.Record) -> records.Record:
        """Delete, then create; first of all whatever would have to be replaced with it."""
        for dependent in reversed(self._going_with(old)):
            self.delete(dependent)
        self.delete(old)
        record = self._create(wanted)
        self._outcome.replaced.append(name_of(wanted.urn))
        return record

    def _going_with(self, old: records.Record) -> list[records.Record]:
        """Old records that would be replaced if an input of theirs that comes from `old` changed, and theirs in turn."""
        gone = {old["urn"]}
        going: list[records.Record] = []
        for row in self._books.olds():
            touched = frozenset(name for name, urns in (row.get("propertyDependencies") or {}).items() if gone & set(urns))
            if not touched:
                continue
            again = Wanted(row["urn"], row["type"], "", row["inputs"], (), {}, "")
            if self._diff(row, again, unknown=touched).replaces:
                gone.add(row["urn"])
                going.append(row)
        return going

    def delete(self, record: records.Record) -> None:
        """Remove one resource. Raises Failed; then its record stays."""
        if record.get("custom") and not record["type"].startswith("pulumi:"):
            self._books.begin(record, "deleting")
            request = sdk.DeleteRequest(record["urn"], record["id"], _values(record.get("outputs") or record.get("inputs") or {}), TIMEOUT)
            try:
                asyncio.run(self._provider.delete(request))
            except errors.LabctlError as error:
                self._books.give_up(record["urn"])
                raise self._failed(record["urn"], str(error)) from error
            self._outcome.deleted.append(name_of(record["urn"]))
        self._books.drop(record)

    def _ask(self, urn: str, call: Coroutine[Any, Any, Result]) -> Result:
        """A call that changes nothing."""
        try:
            return asyncio.run(call)
        except errors.LabctlError as error:
            raise self._failed(urn, str(error)) from error

    def _failed(self, urn: str, why: str) -> Failed:
        self._outcome.failures.append(f"{name_of(urn)}: {why}")
        return Failed(why)


def _values(plain: Mapping[str, Any]) -> dict[str, Any]:
    return provider_.property_map(plain)
