"""`python -m tests.attacks.crowd URL NUMBER tickets|requests`: so many WebSockets that show no ticket, or connections whose request never
comes to its end; a process of its own so that it delays nobody else.

Prints `there` when a tenth of them came, and at the end what became of all.
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys
from typing import Any
from urllib.parse import urlsplit

import websockets
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

AT_ONCE = 200


async def _request(url: str, kept: list[asyncio.StreamWriter]) -> str:
    address = urlsplit(url)
    try:
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
        kept.append(writer)
        await writer.drain()
    except OSError as error:
        return type(error).__name__
    return "open"


async def _ticket(url: str, kept: list[websockets.ClientConnection]) -> str:
    try:
        address = url.replace("http", "ws") + "/ws/terminal"
        made = await websockets.connect(address, origin=url, compression=None, open_timeout=60, ping_interval=None)  # type: ignore[arg-type]
    except (OSError, TimeoutError, InvalidStatus, InvalidMessage, ConnectionClosed) as error:
        return type(error).__name__
    kept.append(made)
    return "open"


async def crowd(url: str, number: int, lacking: str) -> None:
    """See the module."""
    kept: list[Any] = []
    one = _ticket if lacking == "tickets" else _request
    gate = asyncio.Semaphore(AT_ONCE)
    answers: collections.Counter[str] = collections.Counter()

    async def come() -> None:
        async with gate:
            answers[await one(url, kept)] += 1
        if answers.total() == number // 10:
            print("there", flush=True)

    await asyncio.gather(*(come() for _ in range(number)))
    print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    asyncio.run(crowd(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
