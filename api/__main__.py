"""`python -m api`: the API on the address of the settings. Plain HTTP: it listens on loopback."""

from __future__ import annotations

import resource
from typing import Any

import uvicorn

from api import app, listening
from labctl import settings, wiring

SOCKETS: dict[str, Any] = {**listening.LISTENING, "ws": "websockets-sansio", "ws_max_size": 64 * 1024, "ws_per_message_deflate": False}
"""How it listens; of terminals: frames of 64 KiB at most (1009 beyond), and no compression, which costs a process more than the line."""


def main() -> None:
    """Serve until told to stop."""
    chosen = settings.Settings()
    # Each terminal and each page that waits is an open file; many systems give processes 1,024 until they ask.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvicorn.run(
        app.create(wiring.build(chosen)),
        host=chosen.api_host,
        port=chosen.api_port,
        access_log=False,
        # Streams of boards never end by themselves; without a bound, stopping would wait for their viewers.
        timeout_graceful_shutdown=3,
        **SOCKETS,
    )


if __name__ == "__main__":
    main()
