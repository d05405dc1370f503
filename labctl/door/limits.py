"""Caps and quotas: how many may knock, how fast codes may be guessed, how much one learner may carry.

A class sits behind one address and names are no secret, so nothing is refused because of others from there or under that name: they take
turns. Figures are settings (`Limits`).
"""

from __future__ import annotations

import asyncio
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
    """Codes on one connection, then it is closed."""
    looked_at: int = 4
    """Codes that are looked at at once (`Line`)."""
    pause: float = 0.05
    """Seconds for which one of those places stays taken after a wrong code: 80 wrong ones in a second at most, from all the world. A code
    is one of 30^8 and lives for two minutes, so to guess on for that long hits it once in 68 million times.
    """


class Line:
    """Codes wait here to be looked at. Addresses take turns, so that somebody who tries very many makes others wait for a moment and shuts
    nobody out: no wrong code, under whichever name and from wherever, closes the prompt for anybody else.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: dict[str, collections.deque[asyncio.Future[None]]] = {}

    async def enter(self, address: str) -> None:
        """Wait for a place; every entry is ended by one `leave`."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, collections.deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._give_up(address, turn)
            else:
                self.leave()
            raise

    def leave(self) -> None:
        """The place is the next address's, which then goes to the end of the line."""
        while self._waiting:
            address, turns = next(iter(self._waiting.items()))
            del self._waiting[address]
            turn = turns.popleft()
            if turns:
                self._waiting[address] = turns
            if not turn.done():  # else whoever waited went away just now
                turn.set_result(None)
                return
        self._free += 1

    def _give_up(self, address: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(address)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[address]


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
