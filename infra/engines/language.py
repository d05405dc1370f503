"""Our program as the CLI's language host: Pulumi's own `LanguageServer`, with an end that leaves nothing behind.

The SDK's `Run` leaves its event loop open with tasks in it when the CLI ends before the program does, which is what every
failed update looks like from here (`pulumi.md`, trap 8). `Run` is therefore ours; the rest is the SDK's.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc  # type: ignore[import-untyped]
from pulumi import runtime
from pulumi.automation import _server as sdk_server
from pulumi.runtime import stack as sdk_stack
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from infra import program as program_

_PARALLEL = 16


class Language(sdk_server.LanguageServer):
    """Runs the program once for each `Run` of the engine, in a context of its own."""

    def Run(self, request: Any, _context: Any) -> Any:  # noqa: N802 - gRPC's name
        """Run the program against the engine's monitor."""
        return contextvars.copy_context().run(self._run, request)

    def _run(self, request: Any) -> Any:
        runtime.settings.reset_options(
            project=request.project,
            monitor_address=request.monitor_address,
            engine_address=request.args[0] if request.args else "",
            stack=request.stack,
            parallel=request.parallel,
            preview=request.dryRun,
            organization=request.organization or "organization",
        )
        result = language_pb2.RunResponse()
        loop = asyncio.new_event_loop()
        loop.set_default_executor(futures.ThreadPoolExecutor(_PARALLEL, thread_name_prefix="program"))
        loop.set_exception_handler(lambda _loop, _event: None)  # what failed is in the engine's own events
        try:
            loop.run_until_complete(sdk_stack.run_in_stack(self.program))
        except Exception as error:
            result.error = "" if _monitor_has_gone(error) else str(error)
        finally:
            _close(loop)
        return result


def _monitor_has_gone(error: Exception) -> bool:
    """The engine ended first, and has said why itself."""
    return "monitor has" in str(error) or (isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.UNAVAILABLE)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    pending = asyncio.all_tasks(loop)

    async def end() -> None:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await loop.shutdown_default_executor()

    loop.run_until_complete(end())
    loop.close()


@contextlib.contextmanager
def served(program: program_.Program) -> Iterator[int]:
    """Serve the program on a loopback port while the block runs."""
    server = grpc.server(futures.ThreadPoolExecutor(4, thread_name_prefix="language"))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Language(lambda: program_.register(program)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()
