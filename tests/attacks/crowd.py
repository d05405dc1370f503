"""`python -m tests.attacks.crowd URL NUMBER`: so many WebSockets that show no ticket, a process of its own so that it delays nobody else.

Prints `there` when a tenth of them came, and at the end what became of all.
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys

import websockets
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

AT_ONCE = 200


async def _one(url: str, kept: list[websockets.ClientConnection]) -> str:
    try:
        address = url.replace("http", "ws") + "/ws/terminal"
        made = await websockets.connect(address, origin=url, compression=None, open_timeout=60, ping_interval=None)  # type: ignore[arg-type]
    except (OSError, TimeoutError, InvalidStatus, InvalidMessage, ConnectionClosed) as error:
        return type(error).__name__
    kept.append(made)
    return "open"


async def crowd(url: str, number: int) -> None:
    """See the module."""
    kept: list[websockets.ClientConnection] = []
    gate = asyncio.Semaphore(AT_ONCE)
    answers: collections.Counter[str] = collections.Counter()

    async def come() -> None:
        async with gate:
            answers[await _one(url, kept)] += 1
        if answers.total() == number // 10:
            print("there", flush=True)

    await asyncio.gather(*(come() for _ in range(number)))
    print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    asyncio.run(crowd(sys.argv[1], int(sys.argv[2])))
