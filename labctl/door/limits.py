"""Caps and quotas: how many may knock, how often somebody may guess, how much one learner may carry.

A class sits behind one address, so no cap is by address alone. Figures are settings (`Limits`); nothing here sleeps.
"""

from __future__ import annotations

import collections
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
    """Wrong codes on one connection, then it is closed."""
    guesses_of_login: int = 10
    """Wrong codes for one login in a minute, then further ones are refused unseen."""
    guesses_of_all: int = 300
    """Wrong codes for anybody in a minute."""


class Guesses:
    """Wrong codes of the last minute, by login and in all."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._wrong: collections.deque[tuple[float, str]] = collections.deque()

    def wrong(self, login: str) -> None:
        """One more."""
        self._wrong.append((self._clock(), login))

    def too_many(self, login: str) -> bool:
        """Whether nothing more is to be looked at now."""
        while self._wrong and self._wrong[0][0] < self._clock() - 60:
            self._wrong.popleft()
        mine = sum(one == login for _, one in self._wrong)
        return mine >= self._limits.guesses_of_login or len(self._wrong) >= self._limits.guesses_of_all


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
