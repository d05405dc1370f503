"""One terminal that is flooded: a page that takes and acknowledges as fast as it can, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import time
from multiprocessing.queues import Queue
from typing import Any

import aiohttp

BYTES = 200_000_000
COMMAND = f"yes 'one long line after another, and nobody stops it until it is over' | head -c {BYTES}; echo done-$((1+1))\r"


def flood(url: str, slug: str, number: int, secret: str, found: Queue) -> None:
    """Seconds from Enter to the end, and bytes that the page was sent."""
    found.put(asyncio.run(_flood(url, slug, number, secret)))


async def _flood(url: str, slug: str, number: int, secret: str) -> tuple[float, int]:
    headers = {"Cookie": f"labctl={secret}", "Origin": url}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1200)) as session:
        path = f"{url}/api/v1/classrooms/{slug}/seats/{number}/tickets"
        async with session.post(path, json={"machine": "box"}, headers=headers) as answer:
            ticket = (await answer.json())["ticket"]
        async with session.ws_connect(f"{url}/ws/terminal", headers={"Origin": url}, max_msg_size=0) as socket:
            await socket.send_str(json.dumps({"ticket": ticket, "size": [80, 24]}))
            await _until(socket, b"$ ")
            begun = time.monotonic()
            await socket.send_bytes(COMMAND.encode())
            taken = await _until(socket, b"done-2")
            return time.monotonic() - begun, taken


async def _until(socket: aiohttp.ClientWebSocketResponse, what: bytes) -> int:
    """Take until that is there; how many bytes it was."""
    taken, owed, kept = 0, 0, b""
    while what not in kept:
        message: Any = await socket.receive(timeout=900)
        if message.type is aiohttp.WSMsgType.TEXT:
            continue
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise RuntimeError(f"the terminal ended with {socket.close_code}")
        kept = kept[-len(what) :] + message.data
        taken += len(message.data)
        owed += len(message.data)
        if owed >= 16 * 1024:
            await socket.send_str(json.dumps({"ack": owed}))
            owed = 0
    if owed:
        await socket.send_str(json.dumps({"ack": owed}))
    return taken
