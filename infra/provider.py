"""The provider: resources of `infra.resources` behind Pulumi's provider interface.

Called directly by the embedded engine and over gRPC (`infra.servicer`) by the real one. Blocking work runs in threads, so
that `cancel` is heard while guests are being made. No resource has a secret among its inputs or outputs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import Computed, PropertyValue

from infra.resources import guest, kind, network, pool
from infra.work import Work
from labctl import errors

VERSION = "0.1.0"
KINDS = {one.name: one for one in (pool.POOL, network.NETWORK, guest.GUEST)}
Result = TypeVar("Result")


def plain(value: PropertyValue) -> Any:
    """A property value as plain Python; whole numbers come back as int, what is not known yet as `kind.UNKNOWN`."""
    inner = value.value
    if isinstance(inner, Computed):
        return kind.UNKNOWN
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    if isinstance(inner, Mapping):
        return {name: plain(item) for name, item in inner.items()}
    if isinstance(inner, (list, tuple)):
        return [plain(item) for item in inner]
    return inner


def plain_map(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """`plain` for a whole resource; Pulumi's own names (`__...`) are left out."""
    return {name: plain(value) for name, value in values.items() if not name.startswith("__")}


def property_value(value: Any) -> PropertyValue:
    """Plain Python as a property value."""
    if value is kind.UNKNOWN:
        return PropertyValue.computed()
    if isinstance(value, Mapping):
        return PropertyValue({name: property_value(item) for name, item in value.items()})
    if isinstance(value, (list, tuple)):
        return PropertyValue([property_value(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def property_map(values: Mapping[str, Any]) -> dict[str, PropertyValue]:
    """Plain Python as a resource's properties; None is left out."""
    return {name: property_value(value) for name, value in values.items() if value is not None}


class InitFailed(Exception):
    """Something exists but is not complete: it enters the state with `reasons`, and the next run gets `update` for it."""

    def __init__(self, identity: str, properties: dict[str, Any], inputs: dict[str, Any], reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.identity = identity
        self.properties = properties
        self.inputs = inputs
        self.reasons = reasons


class Labctl(sdk.Provider):
    """See the module. One instance per update."""

    def __init__(self, work: Work, kinds: Mapping[str, kind.Kind] = KINDS) -> None:
        super().__init__()
        self._work = work
        self._kinds = kinds

    def _kind(self, token: str) -> kind.Kind:
        try:
            return self._kinds[token]
        except KeyError:
            raise errors.PermanentError(f"labctl has no resource of type {token!r}") from None

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:
        """The least that the CLI accepts; programs need none."""
        del request
        return sdk.GetSchemaResponse(schema=json.dumps({"name": "labctl", "version": VERSION, "resources": {}}))

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Every complaint about the inputs at once."""
        wrong = self._kind(request.type).complaints(plain_map(request.new_inputs))
        return sdk.CheckResponse(inputs=request.new_inputs, failures=[sdk.CheckFailure(name, reason) for name, reason in wrong])

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Exact: only what `replaces` names replaces, and always by deleting first, for a VMID exists once."""
        what = self._kind(request.type)
        changed = [
            name for name in what.changed(plain_map(request.old_state), plain_map(request.new_inputs)) if name not in request.ignore_changes
        ]
        replaces = [name for name in changed if name in what.replaces]
        return sdk.DiffResponse(changes=bool(changed), diffs=changed, replaces=replaces, delete_before_replace=bool(replaces))

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make, or adopt what is ours."""
        inputs = plain_map(request.properties)
        if request.preview:
            return sdk.CreateResponse(properties=request.properties)
        what = self._kind(request.type)
        await self._make(what, inputs)
        return sdk.CreateResponse(resource_id=what.identity(inputs), properties=property_map(inputs))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change, or complete what is half made."""
        if not request.preview:
            await self._make(self._kind(request.type), plain_map(request.news))
        return sdk.UpdateResponse(properties=request.news)

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """What is there now; an empty id means that it is gone."""
        before = plain_map(request.properties)
        unfinished = kind.UNFINISHED in (before.pop(kind.DRIFTED, None) or [])
        what, known = self._kind(request.type), plain_map(request.inputs) or before
        drift = await self._blocking(lambda: what.drift(self._work, known))
        if drift is None:
            return sdk.ReadResponse(resource_id="")
        drift = (*drift, kind.UNFINISHED) if unfinished else drift
        found = {**known, kind.DRIFTED: list(drift)} if drift else known
        return sdk.ReadResponse(resource_id=request.resource_id, properties=property_map(found), inputs=property_map(known))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Remove; what is gone already is fine."""
        what, known = self._kind(request.type), plain_map(request.properties)
        await self._blocking(lambda: what.remove(self._work, known))

    async def cancel(self) -> None:
        """Every wait of this update ends soon."""
        self._work.cluster.stop.set()

    async def _make(self, what: kind.Kind, inputs: dict[str, Any]) -> None:
        try:
            await self._blocking(lambda: what.make(self._work, inputs))
        except kind.HalfMade as half:
            raise InitFailed(half.identity, {**inputs, kind.DRIFTED: [kind.UNFINISHED]}, inputs, [str(half.cause)]) from half

    async def _blocking(self, call: Callable[[], Result]) -> Result:
        try:
            return await asyncio.to_thread(call)
        except kind.HalfMade as half:
            self._work.failed(half.cause)
            raise
        except errors.LabctlError as error:
            self._work.failed(error)
            raise
