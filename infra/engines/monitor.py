"""The two objects that Pulumi's SDK talks to while a program runs, as plain Python instead of gRPC stubs.

The program only registers resources. Whatever else an SDK can ask of an engine (invoke, call, read, transforms, hooks,
packages) is refused with a clear error, and a test says that our program asks for none of it.
"""

from __future__ import annotations

import threading
import uuid
from typing import Any, NoReturn

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.proto import engine_pb2, resource_pb2

from infra import provider as provider_
from infra.engines import records, steps
from labctl import errors

_PROVIDER_TYPE = "pulumi:providers:labctl"


class Monitor:
    """Registrations in, records out. A failed resource does not stop independent ones; its dependents are not started."""

    def __init__(self, stack: str, project: str, books: records.Records, step: steps.Steps) -> None:
        self._stack = stack
        self._project = project
        self._books = books
        self._step = step
        self._guard = threading.Lock()
        self._failed: set[str] = set()
        self._root = ""
        self._provider = ""
        self.skipped: list[str] = []

    def GetDeploymentInfo(self, _request: empty_pb2.Empty) -> resource_pb2.DeploymentInfo:  # noqa: N802 - the SDK's name
        """What this engine can do: secrets are understood, nothing else beyond plain registrations."""
        return resource_pb2.DeploymentInfo(supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS])

    def SignalAndWaitForShutdown(self, _request: empty_pb2.Empty) -> empty_pb2.Empty:  # noqa: N802 - the SDK's name
        """Nothing to wait for."""
        return empty_pb2.Empty()

    def RegisterResourceOutputs(self, _request: resource_pb2.RegisterResourceOutputsRequest) -> empty_pb2.Empty:  # noqa: N802 - the SDK's name
        """The stack's outputs: our program has none."""
        return empty_pb2.Empty()

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:  # noqa: N802 - the SDK's name
        """Called in a thread of its own for each resource, after everything it depends on."""
        if not request.custom:
            return self._register_stack(request)
        wanted = self._wanted(request)
        needed = set(wanted.dependencies) | {urn for urns in wanted.property_dependencies.values() for urn in urns}
        with self._guard:
            hopeless = bool(needed & self._failed)
            if hopeless:
                self._failed.add(wanted.urn)
                self.skipped.append(steps.name_of(wanted.urn))
        if hopeless:
            return resource_pb2.RegisterResourceResponse(urn=wanted.urn, result=resource_pb2.FAIL)
        try:
            record = self._step.settle(wanted)
        except steps.Failed:
            with self._guard:
                self._failed.add(wanted.urn)
            return resource_pb2.RegisterResourceResponse(urn=wanted.urn, result=resource_pb2.FAIL)
        outputs = PropertyValue.marshal_map(provider_.property_map(record["outputs"]))
        return resource_pb2.RegisterResourceResponse(urn=wanted.urn, id=record["id"], object=outputs)

    def _register_stack(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:
        if request.type != "pulumi:pulumi:Stack":
            _refuse(f"component {request.type}")
        urn = f"urn:pulumi:{self._stack}::{self._project}::{request.type}::{request.name}"
        old = self._books.old(urn) or {}
        self._books.keep(urn, {"urn": urn, "custom": False, "type": request.type} | {k: v for k, v in old.items() if k != "outputs"})
        self._root = urn
        self._register_provider()
        return resource_pb2.RegisterResourceResponse(urn=urn)

    def _register_provider(self) -> None:
        """The one default provider of a stack, with an id of its own."""
        urn = f"urn:pulumi:{self._stack}::{self._project}::{_PROVIDER_TYPE}::default"
        old = self._books.old(urn)
        record = old or {"urn": urn, "custom": True, "id": str(uuid.uuid4()), "type": _PROVIDER_TYPE}
        self._books.keep(urn, record)
        self._provider = f"{urn}::{record['id']}"

    def _wanted(self, request: resource_pb2.RegisterResourceRequest) -> steps.Wanted:
        if request.provider or request.importId or request.transforms or request.retainOnDelete:
            _refuse(f"the options of {request.name}")
        parent_type = "" if request.parent == self._root else request.parent.split("::")[2] + "$"
        return steps.Wanted(
            urn=f"urn:pulumi:{self._stack}::{self._project}::{parent_type}{request.type}::{request.name}",
            type=request.type,
            parent=request.parent or self._root,
            inputs=provider_.plain_map(PropertyValue.unmarshal_map(request.object)),
            dependencies=tuple(sorted(request.dependencies)),
            property_dependencies={name: tuple(sorted(one.urns)) for name, one in request.propertyDependencies.items()},
            provider=self._provider,
        )

    def __getattr__(self, name: str) -> NoReturn:
        _refuse(name)


class Log:
    """The engine's other face: takes the program's log lines."""

    def __init__(self) -> None:
        self._root = ""
        self.errors: list[str] = []

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:  # noqa: N802 - the SDK's name
        """Errors of the program are kept; the rest is noise."""
        if request.severity == engine_pb2.ERROR:
            self.errors.append(request.message)
        return empty_pb2.Empty()

    def GetRootResource(self, _request: Any) -> engine_pb2.GetRootResourceResponse:  # noqa: N802 - the SDK's name
        """The stack's URN."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: engine_pb2.SetRootResourceRequest) -> engine_pb2.SetRootResourceResponse:  # noqa: N802 - the SDK's name
        """Remember it."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()


def _refuse(what: str) -> NoReturn:
    raise errors.PermanentError(f"the embedded engine does not do {what}", hint='Use the real one: engine = "pulumi".')
