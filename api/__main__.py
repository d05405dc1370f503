"""`python -m api`: the API on the address of the settings. Plain HTTP: it listens on loopback."""

from __future__ import annotations

import uvicorn

from api import app
from labctl import settings, wiring


def main() -> None:
    """Serve until told to stop."""
    chosen = settings.Settings()
    # Streams of boards never end by themselves; without a bound, stopping would wait for their viewers.
    uvicorn.run(app.create(wiring.build(chosen)), host=chosen.api_host, port=chosen.api_port, access_log=False, timeout_graceful_shutdown=3)


main()
