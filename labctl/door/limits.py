"""Caps and quotas: how many may knock, how fast codes may be guessed, how much one learner may carry.

A class sits behind one address and names are no secret, so nothing is refused because of others from there or under that name: they take
turns. Figures are settings (`Limits`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Per process, except where said. Rates in bytes per second, both directions together."""

    unknown: int = 300
    """Connections that have not signed in yet; beyond them one goes for each that comes (`server.House.make_room`)."""
    connections: int = 24
    """Of one seat."""
    channels: int = 96
    """Of one seat: an editor's remote mode opens a dozen."""
    rate: float = 40e6
    """Of one seat; twice this may pass at once. One core carries about 190 MB/s for all (`access.md` 2.3)."""
    guesses: int = 3
    """Codes on one connection, then it is closed."""
    looked_at: int = 4
    """Codes that are looked at at once (`turns.Line`)."""
    pause: float = 0.05
    """Seconds for which one of those places stays taken after a wrong code: 80 wrong ones in a second at most, from all the world. A code
    is one of 30^8 and lives for two minutes, so to guess on for that long hits it once in 68 million times.
    """


class Quota:
    """What one seat carries: a bucket of bytes that fills at `rate`; `wait` says for how long to stop reading."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._level = 2 * rate
        self._at = clock()

    def wait(self, size: int) -> float:
        """Seconds until the reader may go on after these bytes; 0 mostly."""
        now = self._clock()
        self._level = min(2 * self._rate, self._level + (now - self._at) * self._rate) - size
        self._at = now
        return max(0.0, -self._level / self._rate)
