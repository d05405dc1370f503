"""The provider over gRPC, for the real Pulumi engine: a thin face with the SDK's gaps filled (`pulumi.md`, Traps).

One servicer and one port per update: the engine ends every update with a `Cancel`, to attached providers too (trap 2).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import grpc.aio  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from pulumi.provider.experimental import server as sdk_server
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import proto
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from infra import provider as provider_
from infra.resources import kind
from labctl import errors

_MESSAGE_BYTES = 400 * 2**20
"""As large as the engine's own limit; a stack's registration never comes near it."""


class Servicer(sdk_server.ProviderServicer):
    """What the SDK's servicer lacks or has wrong is overridden here, each with its reason."""

    def __init__(self, provider: provider_.Labctl, engine_address: str = "") -> None:
        super().__init__([], provider_.VERSION, provider, engine_address)

    async def Attach(self, request: Any, _context: Any) -> empty_pb2.Empty:  # noqa: N802 - gRPC's name
        """Missing in the SDK, and the engine takes any error from it as fatal (trap 1)."""
        self._engine_address = request.address
        return empty_pb2.Empty()

    async def Handshake(self, _request: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        """Optional, and missing in the SDK, whose default logs a traceback for every update."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "no handshake")

    async def DiffConfig(self, _request: Any, _context: Any) -> proto.DiffResponse:  # noqa: N802 - gRPC's name
        """The SDK's is broken (trap 4); our provider has no configuration that could differ."""
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE)

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """A half-made guest must be told as such, or the engine drops it from its state (trap 5)."""
        return await _told(super().Create(request, context), context)

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """As `Create`."""
        return await _told(super().Update(request, context), context)

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Plain sentences instead of tracebacks."""
        return await _told(super().Delete(request, context), context)


async def _told(call: Any, context: Any) -> Any:
    """The SDK wraps every exception into one with a traceback as its text; what it was is in `__context__`."""
    try:
        return await call
    except Exception as error:
        cause = error.__context__ or error
        if isinstance(cause, provider_.InitFailed):
            await _abort_half_made(cause, context)
        if isinstance(cause, (errors.LabctlError, kind.HalfMade)):
            await context.abort(grpc.StatusCode.UNKNOWN, str(cause))
        raise


async def _abort_half_made(half: provider_.InitFailed, context: Any) -> None:
    detail = provider_pb2.ErrorResourceInitFailed(
        id=half.identity,
        properties=PropertyValue.marshal_map(provider_.property_map(half.properties)),
        inputs=PropertyValue.marshal_map(provider_.property_map(half.inputs)),
        reasons=half.reasons,
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(half), details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(grpc.StatusCode.UNKNOWN, str(half))


@contextlib.contextmanager
def served(provider: provider_.Labctl) -> Iterator[int]:
    """Serve the provider on a loopback port, in an event loop and thread of its own, while the block runs."""
    started: threading.Event = threading.Event()
    ports: list[int] = []
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", _MESSAGE_BYTES)])
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(provider), server)
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
        started.set()
        await done.wait()
        await server.stop(grace=1.0)

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            started.set()
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=run, name="provider", daemon=True)
    thread.start()
    started.wait()
    if not ports:
        raise errors.PermanentError("the provider could not be served on a loopback port")
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
