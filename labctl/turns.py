"""Turns at what only so many may do at once and only so fast: guess codes and passwords. Nobody is refused because of others from their
address (a class sits behind one) or under their name: addresses take turns, and whoever tries very many makes others wait for a moment.
"""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import Callable
from datetime import timedelta

from labctl import errors

SOON = timedelta(seconds=5)
"""When those who found the line full come again."""


class Line:
    """Whoever has a place looks; the others wait. `most` may wait, or any number; one more, and the last of the address that has most of
    them goes, so the crowd of one address does not keep out another's.
    """

    def __init__(self, places: int, most: int | None = None) -> None:
        self._free = places
        self._most = most
        self._waiting: dict[str, collections.deque[asyncio.Future[None]]] = {}

    async def enter(self, address: str) -> None:
        """Wait for a place; every entry is ended by one `leave`. Raises Busy where too many wait."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, collections.deque()).append(turn)
        if self._most is not None and sum(map(len, self._waiting.values())) > self._most:
            self._send_away()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._give_up(address, turn)
            elif turn.exception() is None:
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

    def _send_away(self) -> None:
        # Of several that have as many, the one that came last: others are nearer to their turn.
        address = max(reversed(self._waiting), key=lambda one: len(self._waiting[one]))
        turn = self._waiting[address].pop()
        if not self._waiting[address]:
            del self._waiting[address]
        if not turn.done():
            turn.set_exception(errors.Busy("too many come in at once just now.", hint="Try again in a few seconds.", retry_after=SOON))


class Pace:
    """So many in a second, and `burst` of them at once after a rest: a class that comes in together does not wait."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._level = float(burst)
        self._at = clock()

    def wait(self) -> float:
        """Seconds until the next may begin, who is counted with this."""
        now = self._clock()
        self._level = min(float(self._burst), self._level + (now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._level / self._rate)


class Turns:
    """A line and a pace together."""

    def __init__(self, places: int, rate: float, burst: int, most: int) -> None:
        self.rate = rate
        self._line = Line(places, most)
        self._pace = Pace(rate, burst)

    async def enter(self, address: str) -> None:
        """Wait for one's turn; every entry is ended by one `leave`. Raises Busy where too many wait."""
        await self._line.enter(address)
        try:
            await asyncio.sleep(self._pace.wait())
        except BaseException:
            self._line.leave()
            raise

    def leave(self) -> None:
        """The place is the next one's."""
        self._line.leave()
