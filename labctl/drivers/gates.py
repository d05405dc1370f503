"""Gates: how much of one kind goes at once, over all of labctl's processes, learned from what the other side answers.

Each gate is a small file (`sheet`): who is inside, who waits, and the limit. The limit is learned as TCP learns a line's width:
it climbs by one with each success until the first sign of crowding, is halved when the other side says that it was too much at once
(a lock that was not got in time, no worker), and then rises by one per round of successes. It rises only while it is used up, and
only while work inside is not much slower than at its quickest: more at once would only queue elsewhere. Files stay, so what was
learned survives a restart.

Who goes in next: the most urgent; among equals the group of which fewest are inside; then who came first. Someone who was killed
inside or while waiting is found by the others (`presence`) and no longer counts. What passes a gate is not known here.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl import errors
from labctl.drivers import presence, sheet

PATIENCE = 900.0
"""Seconds before somebody who waits gives up: a class of hundreds may be queued before him."""

LOOK = 0.5
"""Seconds between looks of one who waits and whom nobody has woken: for those killed inside, and for lost rings."""

SLOW = 2.0
"""Work that takes this many times its quickest is queueing on the other side: no use in raising the limit."""


FORGETS = 0.002
"""So much of the way to the usual goes the quickest with each success: what was quick a thousand times ago may be so no more."""


def never() -> bool:
    """For waits that nobody cancels."""
    return False


def is_busy(error: BaseException) -> bool:
    """The usual sign of crowding."""
    return isinstance(error, errors.Busy)


@dataclass
class State:
    """A gate as its file has it. `inside` is ticket -> [since, group]; `waiting` is [urgency, number, group, ticket]."""

    limit: float
    climbing: bool = True
    halved: float = 0.0
    """When it was last halved: whoever went in before that has no say in another halving."""
    quickest: float = 0.0
    usual: float = 0.0
    number: int = 0
    inside: dict[str, tuple[float, str]] = field(default_factory=dict)
    waiting: list[tuple[float, int, str, str]] = field(default_factory=list)

    def admit(self, now: float) -> list[str]:
        """Let in whoever may go in; their tickets."""
        let_in = []
        while self.waiting and len(self.inside) < int(self.limit):
            crowd: dict[str, int] = {}
            for _since, group in self.inside.values():
                crowd[group] = crowd.get(group, 0) + 1
            first = min(self.waiting, key=lambda one: (one[0], crowd.get(one[2], 0), one[1]))
            self.waiting.remove(first)
            self.inside[first[3]] = (now, first[2])
            let_in.append(first[3])
        return let_in

    def well(self, seconds: float, most: int) -> None:
        """Something inside went well. Called before it leaves."""
        self.usual = seconds if not self.usual else 0.7 * self.usual + 0.3 * seconds
        self.quickest = min(seconds, self.quickest + FORGETS * (self.usual - self.quickest) if self.quickest else seconds)
        if len(self.inside) < int(self.limit):
            return
        if self.usual > SLOW * self.quickest:
            self.climbing = False
            return
        self.limit = min(float(most), self.limit + (1.0 if self.climbing else 1.0 / self.limit))

    def crowded(self, entered: float, now: float) -> None:
        """Something inside was told that it was too much at once."""
        if entered > self.halved:
            self.limit, self.climbing, self.halved = max(1.0, self.limit / 2), False, now

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Leave out those whose process is gone."""
        self.inside = {ticket: entry for ticket, entry in self.inside.items() if not gone(ticket)}
        self.waiting = [entry for entry in self.waiting if not gone(entry[3])]


class Gates:
    """All gates of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def gate(
        self,
        name: str,
        *,
        most: int,
        start: int = 1,
        urgency: float = 0.0,
        group: str = "",
        patience: float = PATIENCE,
        cancelled: Callable[[], bool] = never,
        crowded: Callable[[BaseException], bool] = is_busy,
    ) -> Iterator[None]:
        """Be inside while the block runs; how it ends teaches the gate. `start` is the limit of a gate that is new, `most` what it never
        exceeds; smaller `urgency` goes first. Raises Busy when `patience` seconds have gone by, or when `cancelled` says so.
        """
        gate = _Gate(self._path(name), presence.here(self.folder / "here"), most, min(start, most))
        with gate.me.waiter() as (ticket, rung):
            try:
                gate.enter(ticket, urgency, group)
                until = time.monotonic() + patience
                while not (rung.is_set() or gate.inside(ticket, urgency, group)):
                    _wait(rung, until, name, cancelled)
                entered = time.time()
            except BaseException:
                gate.leave(ticket)
                raise
            try:
                yield
            except BaseException as error:
                too_much = crowded(error)
                gate.leave(ticket, lambda state: state.crowded(entered, time.time()) if too_much else None)
                raise
            gate.leave(ticket, lambda state: state.well(time.time() - entered, most))

    def look(self, name: str) -> State | None:
        """The gate as it stands, or None when nobody has come to it yet."""
        path = self._path(name)
        if not path.exists():
            return None
        with sheet.turned(path) as content:
            return _state(content, 1) if content else None

    def _path(self, name: str) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9.-]', '-', name)}.gate"


@dataclass(frozen=True)
class _Gate:
    path: Path
    me: presence.Presence
    most: int
    start: int

    def enter(self, ticket: str, urgency: float, group: str) -> None:
        """Stand in line; who is first and finds a place free is inside at once."""

        def change(state: State) -> None:
            state.number += 1
            state.waiting.append((urgency, state.number, group, ticket))

        self._changed(change)

    def inside(self, ticket: str, urgency: float, group: str) -> bool:
        """Whether the ticket has been let in; those killed meanwhile are left out first."""

        def change(state: State) -> None:
            if ticket in state.inside:
                return
            state.forget(lambda one: not self.me.lives(one))
            if all(entry[3] != ticket for entry in state.waiting):  # the file was lost: stand in line again
                state.number += 1
                state.waiting.append((urgency, state.number, group, ticket))

        return ticket in self._changed(change).inside

    def leave(self, ticket: str, lesson: Callable[[State], None] = lambda _state: None) -> None:
        """Out, whether inside or still waiting."""

        def change(state: State) -> None:
            lesson(state)
            state.inside.pop(ticket, None)
            state.waiting = [entry for entry in state.waiting if entry[3] != ticket]

        self._changed(change)

    def _changed(self, change: Callable[[State], None]) -> State:
        with sheet.turned(self.path) as content:
            state = _state(content, self.start)
            state.limit = min(state.limit, float(self.most))
            change(state)
            let_in = state.admit(time.time())
            content.clear()
            content.update(vars(state))
        for one in let_in:
            self.me.ring(one)
        return state


def _state(content: dict[str, Any], start: int) -> State:
    try:
        state = State(**content) if content else State(float(start))
    except TypeError:  # another version's file
        return State(float(start))
    state.inside = {ticket: (entry[0], entry[1]) for ticket, entry in state.inside.items()}
    state.waiting = [(one[0], one[1], one[2], one[3]) for one in state.waiting]
    return state


def _wait(rung: threading.Event, until: float, name: str, cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise errors.Busy(f"cancelled while waiting for a turn at {name}")
    left = until - time.monotonic()
    if left <= 0:
        raise errors.Busy(f"no turn for {name} came in time", hint="Too much goes at once, or what goes does not end; see the journal.")
    rung.wait(min(LOOK, left))
