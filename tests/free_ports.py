"""Ports of this machine that nobody listens at, for servers that tests start a moment later; and networks that nobody uses.

Not ports that the kernel hands out when asked for any: between the asking and the listening it may hand the same one to somebody else, or
to ourselves for another server.
"""

from __future__ import annotations

import itertools
import os
import secrets
import socket
from pathlib import Path

_FIRST, _LAST = 20_000, 32_000
"""Below what the kernel takes for those who ask for any port (`ip_local_port_range` begins at 32768)."""

_NEXT = itertools.count(os.getpid() * 97)
"""Runs beside each other begin at different places."""


def free_port() -> int:
    """Each is given out once in the life of this process."""
    for number in itertools.islice(_NEXT, _LAST - _FIRST):
        port = _FIRST + number % (_LAST - _FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"all ports from {_FIRST} to {_LAST} are taken")


def free_range(first: int, count: int) -> str:
    """One of `count` networks from 100.FIRST.0.0/16 upwards that no route of this machine leads to."""
    routes = {line.split()[1] for line in Path("/proc/net/route").read_text().splitlines()[1:]}
    taken = {int(route[6:8], 16) * 256 + int(route[4:6], 16) for route in routes}  # the kernel writes addresses from their last byte on
    free = [second for second in range(first, first + count) if 100 * 256 + second not in taken]
    assert free, f"routes lead to all of 100.{first}.0.0/16 to 100.{first + count - 1}.0.0/16; `ip route` tells whose they are"
    return f"100.{secrets.choice(free)}.0.0/16"
