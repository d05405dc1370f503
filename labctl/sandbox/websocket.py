"""The WebSocket of a console: its worker's bytes in binary frames (`proxmox-truth.md` 3.12).

Kinder than Proxmox in one thing: aiohttp puts fragmented messages together, where Proxmox drops the connection.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Iterator
from pathlib import Path

from aiohttp import WSMsgType, web

from labctl.sandbox import consoles
from labctl.sandbox import node as node_

FRAME = 128 * 1024
"""Bytes of a frame at most; a larger one ends the connection."""

_THREADS = concurrent.futures.ThreadPoolExecutor(2 * len(consoles.PORTS), "console")


def wanted(request: web.BaseRequest, path: str) -> bool:
    """Whether this is a console's WebSocket."""
    return path.endswith("/vncwebsocket") and request.headers.get("Upgrade", "").lower() == "websocket"


async def serve(request: web.BaseRequest, node: node_.Node, port: int, vmid: int) -> web.StreamResponse | None:
    """Until one side is gone; None where nobody waits at that port."""
    worker = node.consoles.take(port, vmid)
    if worker is None:
        return None
    try:
        asked = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        socket = web.WebSocketResponse(protocols=asked[:1], compress=False, max_msg_size=FRAME)
        await socket.prepare(request)
        if vmid in node.runtime.running():
            with _shown(worker) as opening:
                await _pump(socket, await opening)
        await socket.close()
        return socket
    finally:
        worker.ended.set()


@contextlib.contextmanager
def _shown(worker: consoles.Waiting) -> Iterator[asyncio.Future[Path]]:
    """`consoles.shown` in a thread, for programs are started and waited for."""
    stack = contextlib.ExitStack()
    opening = _THREADS.submit(stack.enter_context, consoles.shown(worker))

    def away() -> None:
        # Also where nobody waited until it was open.
        concurrent.futures.wait([opening])
        stack.close()

    try:
        yield asyncio.wrap_future(opening)
    finally:
        _THREADS.submit(away)


async def _pump(socket: web.WebSocketResponse, place: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(place)

    async def show() -> None:
        while data := await reader.read(FRAME // 2):
            await socket.send_bytes(data)

    async def listen() -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                writer.write(message.data.encode())
            elif message.type is WSMsgType.BINARY:
                writer.write(message.data)
            await writer.drain()

    tasks = [asyncio.create_task(show()), asyncio.create_task(listen())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
