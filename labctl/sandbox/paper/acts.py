"""How long acts take on one node of the paper cluster, and what they wait for: places of which a node has so many.

Places are given in the order in which they are asked for. Storage locks and guests' locks are the node's own (`locks`); here is only
the time that is spent under them. Not modelled: that a busy node does everything more slowly, the network between nodes.
"""

from __future__ import annotations

import heapq
import threading

from labctl.sandbox import acts
from labctl.sandbox.paper import clock as clock_
from labctl.sandbox.paper import description

PLACES = {
    "start_vm": "starts", "start_container": "starts", "copy": "copies", "snapshot": "snapshots", "rollback": "snapshots",
}  # fmt: skip
"""Act -> the limit that it counts against."""


class Places:
    """`count` acts at once; the next one begins when the first of them ends."""

    def __init__(self, count: int) -> None:
        self._free = [0.0] * max(1, count)
        self._mutex = threading.Lock()

    def take(self, now: float, seconds: float) -> float:
        """The moment at which an act ends that is ready to begin `now` and takes `seconds` of our clock."""
        with self._mutex:
            ends = max(now, self._free[0]) + seconds
            heapq.heapreplace(self._free, ends)
        return ends


class PaperActs(acts.Acts):
    """Of one node; all nodes share the clock."""

    modelled = True

    def __init__(self, cluster: description.Cluster, clock: clock_.Clock) -> None:
        self.clock = clock
        self.times = cluster.times
        self._limits = cluster.limits
        self._places = {name: Places(getattr(cluster.limits, name)) for name in {*PLACES.values(), "boots"}}

    def begin(self) -> None:
        """Every task is a process that has to be made first."""
        self.clock.begin()
        self.spend("fork")

    def end(self) -> None:
        """The thread goes."""
        self.clock.end()

    def spend(self, act: str, amount: float = 1.0) -> None:
        """Wait for a place where the act needs one, then for its end."""
        seconds = getattr(self.times, act) * amount
        place = PLACES.get(act)
        if place is None:
            self.clock.spend(seconds)
            return
        ends = self._places[place].take(self.clock.now, seconds / self.clock.speed)
        self.clock.follow(ends)
        self.clock.until(ends)

    def booted(self, act: str) -> float:
        """The moment at which a guest that was just started has booted; boots wait for their places too."""
        return self._places["boots"].take(self.clock.now, getattr(self.times, act) / self.clock.speed)

    def memory_share(self, kind: str) -> float:
        """The share of its memory that a running guest of that kind uses."""
        return self._limits.memory_container if kind == "container" else self._limits.memory_vm

    @property
    def moment(self) -> float:
        """This thread's ideal now."""
        return self.clock.now

    def follow(self, moment: float) -> None:
        """See `clock`."""
        self.clock.follow(moment)
