"""`python -m api`: the API on the address of the settings. Plain HTTP: it listens on loopback."""

from __future__ import annotations

import gc
import resource
import sys
from typing import Any

import uvicorn

from api import app, listening, warming
from labctl import settings, wiring

SOCKETS: dict[str, Any] = {
    **listening.LISTENING,
    "loop": "uvloop",
    "ws": "websockets-sansio",
    "ws_max_size": 64 * 1024,
    "ws_per_message_deflate": False,
}
"""How it listens; of terminals: frames of 64 KiB at most (1009 beyond), and no compression, which costs a process more than the line. A
key costs it a fifth less with uvloop than with asyncio's own loop (`make bench-terminal`).
"""

SWITCH_SECONDS = 0.001
"""How long a thread that looks something up may keep the loop of all terminals waiting for the interpreter (Python's own: 5 ms)."""

GARBAGE = (20_000, 20, 50)
"""Python's thresholds for looking for garbage in cycles: rarely, for each look stops all terminals."""


def main() -> None:
    """Serve until told to stop."""
    chosen = settings.Settings()
    # Each terminal and each page that waits is an open file; many systems give processes 1,024 until they ask.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    wired = wiring.build(chosen)
    made = app.create(wired)
    warming.warm(made, wired)
    sys.setswitchinterval(SWITCH_SECONDS)
    # What was made until now stays until the end, so it need not be looked through again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    uvicorn.run(
        made,
        host=chosen.api_host,
        port=chosen.api_port,
        access_log=False,
        # Streams of boards never end by themselves; without a bound, stopping would wait for their viewers.
        timeout_graceful_shutdown=3,
        **SOCKETS,
    )


if __name__ == "__main__":
    main()
