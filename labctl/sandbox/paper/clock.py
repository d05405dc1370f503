"""The paper cluster's clock: runs `speed` times as fast as ours, and does not lose time to the computer it is played on.

Every thread that does a modelled act has its own *ideal now*: the moment its act would have reached on a cluster whose software costs
nothing. `spend` moves it on and sleeps until then; who gets a lock or a place from another starts at the other's ideal end, not at the
moment our computer woke the thread. So what is measured at speed 20 is the modelled time and not our Python, as long as the computer
keeps up; `lag` says how far it fell behind.
"""

from __future__ import annotations

import threading
import time


class Clock:
    """Moments are seconds of `time.monotonic`; durations are the cluster's seconds."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._mine = threading.local()
        self._mutex = threading.Lock()
        self._lag = 0.0
        self._spent = 0.0

    def begin(self) -> None:
        """This thread's work begins now."""
        self._mine.now = time.monotonic()

    def end(self) -> None:
        """This thread does nothing modelled any more."""
        self._mine.__dict__.clear()

    @property
    def now(self) -> float:
        """This thread's ideal now; the real one where it has none."""
        known: float = getattr(self._mine, "now", 0.0)
        return known or time.monotonic()

    def follow(self, moment: float) -> None:
        """What this thread waited for was there at `moment`: it cannot be earlier itself."""
        if getattr(self._mine, "now", 0.0):
            self._mine.now = max(self._mine.now, moment)

    def spend(self, seconds: float) -> None:
        """An act of that many of the cluster's seconds."""
        ends = self.now + seconds / self.speed
        if getattr(self._mine, "now", 0.0):
            self._mine.now = ends
        self.until(ends)
        with self._mutex:
            self._spent += seconds

    def until(self, moment: float) -> None:
        """Wait for a moment."""
        left = moment - time.monotonic()
        if left > 0:
            time.sleep(left)
        elif -left > self._lag:
            with self._mutex:
                self._lag = max(self._lag, -left)

    def figures(self) -> dict[str, float]:
        """Largest lag in the cluster's seconds, and seconds spent in all acts together."""
        return {"speed": self.speed, "lag": round(self._lag * self.speed, 3), "spent": round(self._spent, 1)}
