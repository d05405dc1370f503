"""The proof that a seat's web apps answer (`blueprint.md` 12): below 500, at the address where learners will look at them.

Asked as the proxy of web apps will ask: through the machine's own SSH connection, at its 127.0.0.1.
"""

from __future__ import annotations

import http.client
import time

from labctl import errors
from labctl.drivers import ssh_checks, ssh_connection
from labctl.model.plan import PlannedApp

SECONDS = 60.0
"""An app such as a notebook server takes seconds to start, and on a busy node many times that."""

LOOK_SECONDS = 10.0


def prove(app: PlannedApp, connection: ssh_connection.Connection, *, seconds: float = SECONDS) -> None:
    """Look until it answers or the time is over. Raises CheckFailed, Unreachable."""
    deadline = time.monotonic() + seconds
    pause, reason = 0.2, ""
    while True:
        left = max(0.5, min(LOOK_SECONDS, deadline - time.monotonic()))
        try:
            reason = _look(app, connection, left)
        except ssh_connection.TookTooLong as error:
            # A last look that the end of our time cuts short says less than the whole one before it.
            reason = reason if reason and left < LOOK_SECONDS else error.message
        if not reason:
            return
        if time.monotonic() + pause >= deadline:
            raise errors.CheckFailed(
                f"{app.machine}: the web app '{app.name}' does not answer at port {app.port} of 127.0.0.1 there ({reason})",
                hint="It must listen on 127.0.0.1 or on all addresses of the machine; look at its service's log.",
            )
        time.sleep(pause)  # between two looks at something that is still starting
        pause = min(pause * 2, 2.0)


def _look(app: PlannedApp, connection: ssh_connection.Connection, timeout: float) -> str:
    """Why not; empty where it answers below 500. Raises TookTooLong."""
    begun = time.monotonic()
    try:
        with ssh_checks.through(connection, "127.0.0.1", app.port, timeout, sealed=app.scheme == "https") as through:
            through.request("GET", app.path, headers={"User-Agent": "labctl", "Connection": "close"})
            status = through.getresponse().status
    except ssh_connection.PortClosed as error:
        return error.message
    except (http.client.HTTPException, OSError, EOFError, ValueError) as error:
        if time.monotonic() - begun >= timeout:
            raise ssh_connection.TookTooLong(f"it does not answer as a web server within {timeout:.0f} s") from error
        return f"it does not answer as a web server ({type(error).__name__})"
    return "" if status < 500 else f"status {status}"
