"""Waves: many processes want the same thing done; it is done once for all who asked before it began, and all learn the result.

Whoever comes first leads: he waits a moment for others (a small part of what the last wave took), closes the wave, does the work
with everything that was asked, and leaves the result for those who ride along. Who comes while a wave runs boards the next one, which
begins when this one is over: what has begun may not have seen their change. A leader who was killed is replaced by one of
those who wait, and a wave that was cut off is asked for again. What the work is, is not known here.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl import errors
from labctl.drivers import presence, sheet

LOOK = 0.5
"""Seconds between looks of one who waits and whom nobody has woken."""

LINGER = 0.2
"""For this part of the last wave's time a leader waits for others."""

LONGEST_LINGER = 2.0
"""Seconds; what others gain by a common wave is what it takes, which for a cluster's network reload is some ten seconds."""

KEPT = 8
"""Results of so many waves stay, for riders that wake late."""

Run = Callable[[Sequence[Any]], Any]


def never() -> bool:
    """For waits that nobody cancels."""
    return False


class Ended(errors.Busy):
    """The wave one was in did not come to its end: its leader was killed, or failed."""


@dataclass(frozen=True)
class _Ride:
    name: str
    ticket: str
    rung: threading.Event
    wanted: Any


class Waves:
    """All waves of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ride(self, name: str, wanted: Any, run: Run, *, patience: float = 900.0, cancelled: Callable[[], bool] = never) -> Any:
        """What `run` answers for a wave that begins after now. `run` gets what all its riders wanted, and answers what JSON can
        hold; it is called in one of the processes. Its errors go up where it ran; the others ask again in a wave of their own.
        Raises Busy when `patience` is over or `cancelled` says so.
        """
        me = presence.here(self._folder / "here")
        until = time.monotonic() + patience
        while True:
            with me.waiter() as (ticket, rung):
                ride = _Ride(name, ticket, rung, wanted)
                try:
                    return self._one(me, ride, run, until, cancelled)
                except Ended:
                    continue  # board again
                finally:
                    self._alight(ride)

    def _one(self, me: presence.Presence, ride: _Ride, run: Run, until: float, cancelled: Callable[[], bool]) -> Any:
        wave = self._board(ride)
        while True:
            with self._book(ride.name) as book:
                if ride.ticket not in book["riders"]:  # the file was lost
                    raise Ended(f"{ride.name} was cut off")
                if book["leader"] and not me.lives(book["leader"]):
                    book["leader"] = ""
                over = wave < book["open"] and book["running"] != wave
                if not over and not book["leader"] and book["running"] != wave:
                    book["leader"] = ride.ticket
                if not book["leader"] and book["running"] == wave:  # its leader is gone in the middle of it
                    book["running"], over = 0, True
                leads = book["leader"] == ride.ticket
            if over:
                return self._result(ride.name, wave)
            if leads:
                return self._lead(me, ride, run)
            if cancelled():
                raise errors.Busy(f"cancelled while waiting for {ride.name}")
            if time.monotonic() > until:
                raise errors.Busy(f"{ride.name} did not come to an end in time")
            ride.rung.wait(LOOK)
            ride.rung.clear()

    def _board(self, ride: _Ride) -> int:
        with self._book(ride.name) as book:
            book["riders"][ride.ticket] = [book["open"], ride.wanted]
            return int(book["open"])

    def _alight(self, ride: _Ride) -> None:
        """Out of the book. One who was appointed to lead and does not hands it on."""
        with self._book(ride.name) as book:
            book["riders"].pop(ride.ticket, None)
            if book["leader"] == ride.ticket:
                book["leader"] = ""

    def _lead(self, me: presence.Presence, ride: _Ride, run: Run) -> Any:
        with self._book(ride.name) as book:
            linger = min(LINGER * float(book["took"]), LONGEST_LINGER)
        if linger > 0.005:
            time.sleep(linger)  # a moment for others to board, not a condition
        with self._book(ride.name) as book:
            wave = int(book["open"])
            book["open"], book["running"] = wave + 1, wave
            aboard = {ticket: entry[1] for ticket, entry in book["riders"].items() if entry[0] == wave}
        began = time.monotonic()
        result: Any = None
        done = False
        try:
            result, done = run(list(aboard.values())), True
            self._keep(ride.name, wave, result)
        finally:
            with self._book(ride.name) as book:
                book["running"] = 0
                book["riders"] = {ticket: entry for ticket, entry in book["riders"].items() if me.lives(ticket)}
                book["leader"] = next((ticket for ticket in book["riders"] if ticket not in aboard), "")
                if done:
                    book["took"] = time.monotonic() - began
                next_leader = book["leader"]
            for ticket in [*aboard, next_leader]:
                if ticket and ticket != ride.ticket:
                    me.ring(ticket)
        return result

    def _keep(self, name: str, wave: int, result: Any) -> None:
        path = self._folder / f"{name}.{wave}.result"
        new = self._folder / f"{name}.new"
        new.write_text(json.dumps(result), encoding="utf-8")
        new.rename(path)
        (self._folder / f"{name}.{wave - KEPT}.result").unlink(missing_ok=True)

    def _result(self, name: str, wave: int) -> Any:
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self._folder / f"{name}.{wave}.result").read_text(encoding="utf-8"))
        raise Ended(f"{name} was cut off")

    @contextlib.contextmanager
    def _book(self, name: str) -> Iterator[dict[str, Any]]:
        """Who is aboard (ticket -> [wave, what is wanted]), who leads, which wave runs and which one is open. Waves are numbered from
        the moment at which the file is new, so that no number comes twice.
        """
        with sheet.turned(self._folder / f"{name}.wave") as book:
            for key, value in {"open": time.time_ns() // 1_000_000, "leader": "", "running": 0, "took": 0.0, "riders": {}}.items():
                book.setdefault(key, value)
            yield book
