"""The live board: one loop per class looks at the store, however many people watch (`access.md` 6.4).

Each viewer gets the whole board first, then the seats that changed. Event ids are `<start of this API>-<version>`; a
reconnect with any id gets the whole board again, so nothing can be missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from anyio import to_thread

from api import seen, shapes, shown
from labctl import errors, wiring
from labctl.model import classroom as classroom_
from labctl.model import environment as environment_

LOOK_EVERY = 0.5
"""Seconds between two looks at the store where nothing was written: time alone changes what is shown, but nothing finer."""

GLANCE_EVERY = 0.01
"""Seconds between two questions whether anything was written at all, which the store answers without reading a row."""

MOST, FORGET_AFTER = 20_000, 120.0
"""Seats that are kept as they are shown, more than any site has; and seconds after which nobody seems to look any more."""

SHARE, IDLE_SHARE = 0.35, 0.1
"""The most of its time that this process spends looking, of all boards together: while things change, and else. A board of a thousand seats
is looked at less often than one of five.
"""


class Notes:
    """Classes as this process saw them last, so that a look costs what changed since, whoever looks. What nobody looked at for a while is
    forgotten when somebody looks at another class, and beyond so many seats whatever was looked at longest ago.
    """

    def __init__(self, wired: wiring.Wiring, most: int = MOST) -> None:
        self._wired = wired
        self._most = most
        self._lock = threading.Lock()
        self._lines = seen.Lines(wired.journal)
        self._classes: dict[str, tuple[float, int, seen.Class]] = {}
        """When it was looked at last, and its seats; the oldest first."""

    def look(self, slug: str) -> seen.Seen:
        """That class now. Blocks on the database. Raises NotFound."""
        with self._lock:
            known = self._classes[slug][2] if slug in self._classes else seen.Class(self._wired, self._lines, slug)
        found = known.look()
        with self._lock:
            self._classes.pop(slug, None)
            self._classes[slug] = time.monotonic(), len(found.seats), known
            self._make_room()
        return found

    def newest(self, environment: str) -> str:
        """The newest journal line of one environment, whatever class it is in."""
        return self._lines.newest(environment)

    def _make_room(self) -> None:
        late = time.monotonic() - FORGET_AFTER
        size = sum(seats for _, seats, _ in self._classes.values())
        while len(self._classes) > 1:
            slug, (at, seats, _) = next(iter(self._classes.items()))
            if at > late and size <= self._most:
                return
            size -= seats
            del self._classes[slug]


def read(notes: Notes, slug: str) -> shapes.Board:
    """The board now. Blocks on the database. Raises NotFound."""
    return notes.look(slug).board


def _timed(notes: Notes, slug: str) -> tuple[seen.Seen, float]:
    """With the CPU seconds it took: a machine that is busy with other things is no reason to look less often."""
    begun = time.thread_time()
    found = notes.look(slug)
    return found, time.thread_time() - begun


def rows(room: classroom_.Classroom, known: Mapping[str, environment_.Environment], now: datetime) -> list[shapes.SeatShape]:
    """The seats of a class, to be counted. One opened between two looks at the store has seats whose environment the second did not see."""
    return [shown.seat(one, known[one.environment], now) for one in room.seats if one.environment in known]


@dataclass
class Change:
    """What a viewer is told: all that is `seen` when it is the `whole`, which comes first, then the `seats` that differ."""

    id: str
    seen: seen.Seen
    seats: list[shapes.SeatShape]
    whole: bool = False

    @property
    def board(self) -> shapes.Board:
        """All of it."""
        return self.seen.board

    @property
    def over(self) -> bool:
        """Whether nothing will come any more."""
        return self.seen.over


class _Live:
    """One class being watched."""

    def __init__(self) -> None:
        self.news = asyncio.Condition()
        self.look = asyncio.Event()
        """Set when there is reason to look: something was written, or somebody came who must not be told what was seen before."""
        self.viewers = 0
        self.seen: seen.Seen | None = None
        self.begun = self.came = 0.0
        """When the look began that saw it, and when somebody came last (`time.monotonic`)."""
        self.error: errors.LabctlError | None = None
        self.task: asyncio.Task[None] | None = None

    def has_news(self, version: int, seat: int | None, came: float) -> bool:
        """For somebody who knows it as it was then, and is told of that seat only or of all. Whoever comes is told what is so at that
        moment: they may have changed it a moment before, and wait for what comes of that.
        """
        if self.error is not None or self.seen is None:
            return self.error is not None
        if self.begun < came:
            return False
        mine = self.seen.version if seat is None or self.seen.over else max(self.seen.changed_at.get(seat, 0), self.seen.room_at)
        return mine > version


class _Tide:
    """Says to all loops when anything was written. Where the store cannot say, nothing ever turns, and loops look by the clock."""

    def __init__(self, wired: wiring.Wiring, turn: Callable[[], None]) -> None:
        self._wired = wired
        self._turn = turn
        self._over: threading.Event | None = None

    def follow(self) -> None:
        """Call `turn`, on this loop, whenever something is written after this moment."""
        if self._over is None:
            # A thread of its own: to send each glance to one would cost ten times what it costs to glance.
            self._over = threading.Event()
            threading.Thread(target=self._glance, args=(asyncio.get_running_loop(), self._over), daemon=True).start()

    def rest(self) -> None:
        """Nobody asks any more."""
        if self._over is not None:
            self._over.set()
            self._over = None

    def _glance(self, loop: asyncio.AbstractEventLoop, over: threading.Event) -> None:
        before = None
        while not over.wait(GLANCE_EVERY):
            with contextlib.suppress(errors.LabctlError):
                now = self._wired.changes.written()
                if now != before:
                    before = now
                    try:
                        loop.call_soon_threadsafe(self._turn)
                    except RuntimeError:  # the loop is closed
                        return


class Boards:
    """All classes being watched through this API process."""

    def __init__(self, wired: wiring.Wiring, notes: Notes) -> None:
        self._wired = wired
        self._notes = notes
        self._live: dict[str, _Live] = {}
        self._epoch = secrets.token_hex(4)
        self._tide = _Tide(wired, self._turn)

    def watched(self) -> dict[str, int]:
        """Class -> how many watch it."""
        return {slug: live.viewers for slug, live in self._live.items()}

    async def watch(self, slug: str, seat: int | None = None) -> AsyncIterator[Change]:
        """Changes until the class is over or the viewer leaves; with `seat` those of that seat, and of the class beside its counts. Raises
        NotFound before the first one if there is no class.
        """
        live = self._live.get(slug)
        if live is None:
            live = self._live[slug] = _Live()
        live.viewers += 1
        came = live.came = time.monotonic()
        live.look.set()
        if live.task is None:
            live.task = asyncio.create_task(self._look(slug, live))
        try:
            version = -1
            while True:
                found = await self._next(live, version, seat, came)
                change, version = self._change(found, version), found.version
                yield change
                if change.over:
                    return
        finally:
            live.viewers -= 1
            if live.viewers == 0:
                self._forget(slug, live)
                live.task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await live.task

    async def _next(self, live: _Live, version: int, seat: int | None, came: float) -> seen.Seen:
        async with live.news:
            await live.news.wait_for(lambda: live.has_news(version, seat, came))
            if live.error is not None:
                raise live.error
            assert live.seen is not None
            return live.seen

    def _change(self, found: seen.Seen, version: int) -> Change:
        fresh = [number for number, at in found.changed_at.items() if at > version]
        seats = [found.seats[number] for number in sorted(fresh) if number in found.seats]
        return Change(f"{self._epoch}-{found.version}", found, seats, whole=version < 0)

    async def _look(self, slug: str, live: _Live) -> None:
        while True:
            self._tide.follow()
            live.look.clear()
            begun, took = time.monotonic(), LOOK_EVERY * SHARE
            try:
                found, took = await to_thread.run_sync(_timed, self._notes, slug)
            except errors.TemporaryError:
                # The store is busy for a moment: the next look will see.
                pass
            except errors.LabctlError as error:
                async with live.news:
                    live.error = error
                    live.news.notify_all()
                self._forget(slug, live)
                return
            else:
                async with live.news:
                    fresh = live.seen is None or live.seen.version != found.version or live.begun < live.came
                    live.seen, live.begun = found, begun
                    if fresh:
                        live.news.notify_all()
            least = max(GLANCE_EVERY, took * len(self._live) / SHARE)
            await asyncio.sleep(least)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(LOOK_EVERY, took / IDLE_SHARE) - least):
                    await live.look.wait()

    def _turn(self) -> None:
        for live in self._live.values():
            live.look.set()

    def _forget(self, slug: str, live: _Live) -> None:
        if self._live.get(slug) is live:
            del self._live[slug]
        if not self._live:
            self._tide.rest()
