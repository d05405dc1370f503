"""Running a node: open its home, settle what was left, listen with TLS until told to stop. One process per home."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from labctl.sandbox import endpoints, enforcing, http, recovery, setup
from labctl.sandbox import node as node_
from labctl.sandbox.faults import watching

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Only one process per home; the kernel lets go of the lock when a process dies."""
    with (home / "lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise node_.AlreadyRunning(f"another process serves the node in {home}: stop it first") from None
        yield


def tls(home: Path) -> ssl.SSLContext:
    """The node's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(home / "node.pem")
    return context


async def listen(node: node_.Node, host: str, port: int) -> web.ServerRunner:
    """Start to answer; the caller ends it with `cleanup`."""
    assert endpoints  # imported for what it registers
    runner = web.ServerRunner(
        web.Server(http.Wire(node).answer, keepalive_timeout=5.0, access_log=None, max_line_size=65536, max_field_size=65536)
    )
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=tls(node.home), reuse_address=True, backlog=500).start()
    return runner


async def _serve(node: node_.Node) -> None:
    host, _, port = node.settings.listen.rpartition(":")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    node.broadcast.start(node)
    firewall = enforcing.Enforcing(node)
    firewall.start()
    runner = await listen(node, host, int(port))
    _log.warning("node %s answers on https://%s; guests are: %s", node.name, node.settings.listen, node.runtime.kind)
    await stop.wait()
    firewall.stop()
    node.broadcast.stop()
    await runner.cleanup()


def serve(home: Path) -> None:
    """Until SIGTERM. Guests run on afterwards."""
    with alone(home):
        node = node_.open_(home)
        node.faults = watching.Watched(home)
        recovery.settle(node)
        setup.connect(node)
        asyncio.run(_serve(node))
        node.close()
