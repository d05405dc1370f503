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
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from anyio import to_thread

from api import shapes, shown
from labctl import errors, wiring
from labctl.model import classroom as classroom_
from labctl.model import environment as environment_
from labctl.model import lifecycle

LOOK_EVERY = 0.5
"""Seconds between two looks at the store where nothing was written: time alone changes what is shown, but nothing finer."""

_FINEST = timedelta(seconds=LOOK_EVERY)

GLANCE_EVERY = 0.02
"""Seconds between two questions whether anything was written at all, which the store answers without reading a row."""

MOST = 20_000
"""Seats that are kept as they are shown; more than any site has."""

SHARE, IDLE_SHARE = 0.35, 0.1
"""The most of its time that this process spends looking, of all boards together: while things change, and else. A board of a thousand seats
is looked at less often than one of five.
"""


@dataclass(frozen=True)
class Shown:
    """A seat as it is shown: what it was made of, what else of it time alone changes, and when that was looked at."""

    of: tuple[object, ...]
    timed: tuple[object, ...]
    at: datetime
    shape: shapes.SeatShape


class Notes:
    """The newest journal line of each environment of a class, read on from where the last look ended."""

    def __init__(self, wired: wiring.Wiring) -> None:
        self._wired = wired
        self._lock = threading.Lock()
        self._seen: dict[str, int] = {}
        self._texts: dict[str, dict[str, str]] = {}
        self._lines: dict[str, tuple[int, str]] = {}
        self.shown: dict[str, Shown] = {}

    def of(self, slug: str) -> dict[str, str]:
        """Environment -> newest line."""
        with self._lock:
            texts = self._texts.setdefault(slug, {})
            while lines := self._wired.journal.read(classroom=slug, after=self._seen.get(slug, 0), limit=1000):
                for line in lines:
                    texts[line.environment] = line.text
                self._seen[slug] = lines[-1].number
            return dict(texts)

    def newest(self, environment: str) -> str:
        """The newest line of one environment, whatever class it is in."""
        with self._lock:
            while lines := self._wired.journal.read(environment=environment, after=self._lines.get(environment, (0, ""))[0], limit=1000):
                self._lines[environment] = (lines[-1].number, lines[-1].text)
            return self._lines.get(environment, (0, ""))[1]


def read(wired: wiring.Wiring, notes: Notes, slug: str) -> shapes.Board:
    """The board now. Blocks on the database. Raises NotFound."""
    room = wired.classrooms.classroom(slug)
    now = wired.clock.now()
    known = {env.id: env for env in wired.environments.environments(classroom=slug, gone=True)}
    texts = notes.of(slug)
    for env in known.values():
        if env.ground is not None and lifecycle.waits_for_ground(env) and not lifecycle.leaving(env, now):
            texts[env.id] = f"golden machines are being baked: {notes.newest(env.ground.environment)}"
    seats = rows(room, known, now, texts, _beside(wired, room), notes.shown)
    newest = "".join(one.text for one in wired.helps.remarks(slug, None, 1))
    return shapes.Board(classroom=shown.classroom(room, seats, paper=wired.paper, message=newest), seats=seats, now=now)


def _timed(wired: wiring.Wiring, notes: Notes, slug: str) -> tuple[shapes.Board, float]:
    """With the CPU seconds it took: a machine that is busy with other things is no reason to look less often."""
    begun = time.thread_time()
    board = read(wired, notes, slug)
    return board, time.thread_time() - begun


def _beside(wired: wiring.Wiring, room: classroom_.Classroom) -> dict[int, shown.Beside]:
    """Who waits for help since when (in a closed class nobody), how far they are in the guide and with its tasks, and who asks to type
    along.
    """
    hands = {} if room.closed else {one.seat: one.since for one in wired.helps.hands(room.slug)}
    pages = {one.seat: one for one in wired.progresses.reached(room.slug)}
    tasks = wired.examining.of(room)
    scores = {one.seat: one for one in wired.database.scores(room.slug)} if tasks else {}
    now = wired.clock.now()
    joins = {one.seat: one for one in wired.joinings.joinings(room.slug) if one.holds(now)}
    found = {}
    learners = {one.number for one in room.seats if one.learner} if tasks else set()
    for seat in learners | hands.keys() | pages.keys() | joins.keys():
        page, score, join = pages.get(seat), scores.get(seat), joins.get(seat)
        found[seat] = shown.Beside(
            hands.get(seat),
            page.page if page else 0,
            page.pages if page else 0,
            tasks,
            score.done if score else 0,
            score.points if score else 0,
            score.changed if score else None,
            join.answer.value if join else "",
            join.who if join else "",
        )
    return found


def rows(
    room: classroom_.Classroom,
    known: Mapping[str, environment_.Environment],
    now: datetime,
    texts: Mapping[str, str] | None = None,
    beside: Mapping[int, shown.Beside] | None = None,
    kept: dict[str, Shown] | None = None,
) -> list[shapes.SeatShape]:
    """The seats of a class. A class opened between two looks at the store has seats whose environment the second did not see. What is
    shown of a seat is taken from `kept` where nothing changed that it is made of.
    """
    notes, known_beside, before = texts or {}, beside or {}, {} if kept is None else kept
    if len(before) > MOST:
        before.clear()
    there = [(one, known[one.environment]) for one in room.seats if one.environment in known]
    return [_row(one, env, now, notes.get(env.id, ""), known_beside.get(one.number), before) for one, env in there]


def _row(
    one: classroom_.Seat, env: environment_.Environment, now: datetime, note: str, beside: shown.Beside | None, before: dict[str, Shown]
) -> shapes.SeatShape:
    of, old = (one, env, note, beside), before.get(env.id)
    same = old is not None and old.of == of
    if old is not None and same and abs(now - old.at) < _FINEST:
        return old.shape
    timed = (lifecycle.status(env, now), shown.undo_until(env, now))
    shape = old.shape if old is not None and same and old.timed == timed else shown.seat(one, env, now, note, beside)
    before[env.id] = Shown(of, timed, now, shape)
    return shape


@dataclass
class Change:
    """What a viewer is told: `whole` first, then `seats` that differ."""

    id: str
    board: shapes.Board
    seats: list[shapes.SeatShape] = field(default_factory=list)
    whole: bool = False
    over: bool = False


class _Live:
    """One class being watched."""

    def __init__(self) -> None:
        self.news = asyncio.Condition()
        self.viewers = 0
        self.version = 0
        self.board: shapes.Board | None = None
        self.changed_at: dict[int, int] = {}
        self.error: errors.LabctlError | None = None
        self.task: asyncio.Task[None] | None = None


class _Tide:
    """Says to all loops when anything was written. Where the store cannot say, nothing ever turns, and loops look by the clock."""

    def __init__(self, wired: wiring.Wiring) -> None:
        self._wired = wired
        self._event = asyncio.Event()
        self._glancing: asyncio.Task[None] | None = None

    def next(self) -> asyncio.Event:
        """Set once something is written after this moment."""
        if self._glancing is None:
            self._glancing = asyncio.create_task(self._glance())
        return self._event

    def rest(self) -> None:
        """Nobody asks any more."""
        if self._glancing is not None:
            self._glancing.cancel()
            self._glancing = None

    async def _glance(self) -> None:
        before = None
        while True:
            with contextlib.suppress(errors.LabctlError):
                now = await to_thread.run_sync(self._wired.changes.written)
                if now != before:
                    before = now
                    self._event.set()
                    self._event = asyncio.Event()
            await asyncio.sleep(GLANCE_EVERY)


class Boards:
    """All classes being watched through this API process."""

    def __init__(self, wired: wiring.Wiring, notes: Notes) -> None:
        self._wired = wired
        self._notes = notes
        self._live: dict[str, _Live] = {}
        self._epoch = secrets.token_hex(4)
        self._tide = _Tide(wired)

    def watched(self) -> dict[str, int]:
        """Class -> how many watch it."""
        return {slug: live.viewers for slug, live in self._live.items()}

    async def watch(self, slug: str) -> AsyncIterator[Change]:
        """Changes until the class is over or the viewer leaves. Raises NotFound before the first one if there is no class."""
        live = self._live.get(slug)
        if live is None:
            live = self._live[slug] = _Live()
        live.viewers += 1
        if live.task is None:
            live.task = asyncio.create_task(self._look(slug, live))
        try:
            seen = -1
            while True:
                change = await self._next(live, seen)
                seen = live.version
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

    async def _next(self, live: _Live, seen: int) -> Change:
        async with live.news:
            await live.news.wait_for(lambda: live.error is not None or (live.board is not None and live.version > seen))
            if live.error is not None:
                raise live.error
            return self._change(live, seen)

    def _change(self, live: _Live, seen: int) -> Change:
        assert live.board is not None
        board = live.board
        over = board.classroom.closed is not None and all(seat.status == "gone" for seat in board.seats)
        seats = [seat for seat in board.seats if live.changed_at.get(seat.number, 0) > seen]
        return Change(f"{self._epoch}-{live.version}", board, seats, whole=seen < 0, over=over)

    async def _look(self, slug: str, live: _Live) -> None:
        while True:
            turned = self._tide.next()
            took = LOOK_EVERY * SHARE
            try:
                board, took = await to_thread.run_sync(_timed, self._wired, self._notes, slug)
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
                    if self._differs(live, board):
                        live.news.notify_all()
            least = max(GLANCE_EVERY, took * len(self._live) / SHARE)
            await asyncio.sleep(least)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(LOOK_EVERY, took / IDLE_SHARE) - least):
                    await turned.wait()

    def _forget(self, slug: str, live: _Live) -> None:
        if self._live.get(slug) is live:
            del self._live[slug]
        if not self._live:
            self._tide.rest()

    def _differs(self, live: _Live, board: shapes.Board) -> bool:
        old = {} if live.board is None else {seat.number: seat for seat in live.board.seats}
        fresh = live.board is None
        changed = [seat.number for seat in board.seats if old.get(seat.number) != seat]
        room_changed = not fresh and live.board is not None and live.board.classroom != board.classroom
        if not (fresh or changed or room_changed):
            return False
        live.version += 1
        live.changed_at.update(dict.fromkeys(changed, live.version))
        live.board = board
        return True
