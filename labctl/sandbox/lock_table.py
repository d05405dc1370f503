"""Who holds which lock, and who waits for it: the mechanics under `locks`, which knows the names and the texts.

Waiters are woken one by one in the order in which they came; with hundreds of them a release must not wake everybody. Not fair, though,
as a flock is not: who comes at the right moment may be faster.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from labctl.sandbox import acts

REMEMBERED, REMEMBERED_FOR = 1000, 60.0
"""Moments of release that are kept, and for how many seconds when there are more."""


@dataclass
class _Queue:
    condition: threading.Condition
    length: int = 0


class Table:
    """Locks by name; shared or exclusive; re-entrant for the thread that holds it exclusively. Times are seconds of ours."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: dict[str, _Queue] = {}
        self._exclusive: dict[str, tuple[int, int]] = {}
        self._shared: dict[str, int] = {}
        self._released: dict[str, float] = {}
        self._held_until: dict[str, float] = {}
        self.held_elsewhere: set[str] = set()
        self.quorate = True
        self.lost_until = 0.0

    def hold(self, name: str, seconds: float) -> None:
        """Another process takes that lock and keeps it for so long."""
        with self._mutex:
            self._held_until[name] = time.monotonic() + seconds

    def release_held(self) -> None:
        """Whoever held locks by `hold` lets go."""
        with self._mutex:
            self._held_until.clear()
            self._wake()

    def take(self, name: str, foreign: float, own: float, acts_: acts.Acts, *, shared: bool) -> bool:
        """Whether it was got: within `foreign` while another process has it, within `own` while one of our threads does."""
        began = time.monotonic()
        me = threading.get_ident()
        with self._mutex:
            while not self._free(name, me, shared=shared):
                now = time.monotonic()
                deadline = began + (foreign if self._is_held(name) else own)
                if now >= deadline:
                    return False
                # Nobody notifies when a lock that is held for a time comes free.
                self._wait(name, min(deadline, max(self._held_until.get(name, deadline), now + 0.001)) - now)
            if shared:
                self._shared[name] = self._shared.get(name, 0) + 1
                self._call(name)
            else:
                self._exclusive[name] = (me, self._exclusive.get(name, (me, 0))[1] + 1)
            acts_.follow(self._released.get(name, 0.0))
            return True

    def give(self, name: str, acts_: acts.Acts, *, shared: bool) -> None:
        """Back."""
        with self._mutex:
            self._note(name, acts_.moment)
            if shared:
                self._shared[name] -= 1
                if not self._shared[name]:
                    del self._shared[name]
            else:
                me, count = self._exclusive[name]
                if count == 1:
                    del self._exclusive[name]
                else:
                    self._exclusive[name] = (me, count - 1)
            self._call(name)

    def _wait(self, name: str, seconds: float) -> None:
        queue = self._waiting.setdefault(name, _Queue(threading.Condition(self._mutex)))
        queue.length += 1
        try:
            queue.condition.wait(seconds)
        finally:
            queue.length -= 1
            if not queue.length:
                self._waiting.pop(name, None)

    def _call(self, name: str) -> None:
        """Who has waited longest looks again; a lock that is shared is passed on by each who gets it."""
        if name in self._waiting:
            self._waiting[name].condition.notify()

    def _wake(self) -> None:
        for queue in self._waiting.values():
            queue.condition.notify_all()

    def _free(self, name: str, me: int, *, shared: bool) -> bool:
        if self._is_held(name):
            return False
        holder = self._exclusive.get(name)
        if holder and holder[0] != me:
            return False
        return shared or bool(holder) or not self._shared.get(name)

    def _is_held(self, name: str) -> bool:
        """Whether another process has it."""
        return name in self.held_elsewhere or self._held_until.get(name, 0.0) > time.monotonic()

    def _note(self, name: str, moment: float) -> None:
        """When it was given back, for who waits for it; what nobody can be waiting for is forgotten."""
        if not moment:
            return
        if len(self._released) > REMEMBERED:
            self._released = {key: known for key, known in self._released.items() if known > moment - REMEMBERED_FOR}
        self._released[name] = max(moment, self._released.get(name, 0.0))
