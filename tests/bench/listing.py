"""What list scheduling makes of a class on a paper cluster: each act begins as soon as what it needs is free, and nothing else takes
time. The floor of `make bench-scale`: the cluster's own modelled times and limits, and a control plane that costs nothing.

A seat: its networks, applied with everybody else's in one go; each machine cloned (a container under its template's lock, every clone
under its storage's), started (so many at once on a node), booted; then the seat's own steps, a snapshot of each machine, the proof.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from labctl.sandbox.paper import description

Act = Callable[[], None]


@dataclass(frozen=True)
class Guest:
    """One machine of a seat. `template` names the golden machine it is a clone of."""

    kind: str
    template: str
    node: str


@dataclass(frozen=True)
class Seat:
    """One seat: its machines, and modelled seconds of its own steps and of its proof."""

    guests: tuple[Guest, ...]
    configure: float
    prove: float


@dataclass
class Schedule:
    """Acts in the order in which they become ready; those that are ready at once in the order of their seats."""

    cluster: description.Cluster
    now: float = 0.0
    _waiting: list[tuple[float, int, Act]] = field(default_factory=list)
    _free: dict[str, list[float]] = field(default_factory=dict)
    _count: int = 0

    def at(self, moment: float, act: Act) -> None:
        """`act` is ready at that moment."""
        self._count += 1
        heapq.heappush(self._waiting, (moment, self._count, act))

    def take(self, name: str, seconds: float, *, places: int = 1, ready: float | None = None) -> float:
        """The end of an act of that length that needs one of the places of that name."""
        free = self._free.setdefault(name, [0.0] * places)
        ends = max(self.now if ready is None else ready, free[0]) + seconds
        heapq.heapreplace(free, ends)
        return ends

    def free(self, name: str) -> float:
        """When a place of that name is free again."""
        return self._free.get(name, [0.0])[0]

    def run(self) -> float:
        """Until nothing waits; the last moment."""
        while self._waiting:
            self.now, _, act = heapq.heappop(self._waiting)
            act()
        return self.now


def seconds(cluster: description.Cluster, seats: Sequence[Seat]) -> float:
    """The cluster's seconds from opening to the last proof."""
    plan = Schedule(cluster)
    times = cluster.times
    network = times.fork + times.sdn + times.sdn_node * len(cluster.nodes)
    for seat in seats:
        _Seat(plan, seat, network).open()
    return plan.run()


class _Seat:
    """One seat's way through a schedule."""

    def __init__(self, plan: Schedule, seat: Seat, network: float) -> None:
        self._plan = plan
        self._seat = seat
        self._network = network
        self._left = len(seat.guests)

    def open(self) -> None:
        """All machines may be cloned at once; networks are needed by starts only."""
        for guest in self._seat.guests:
            self._plan.at(0.0, lambda guest=guest: self._clone(guest))  # type: ignore[misc]

    def _clone(self, guest: Guest) -> None:
        """A container's clone keeps its template locked from the call to the end (`proxmox-truth.md` 3.5)."""
        plan, times = self._plan, self._plan.cluster.times
        storage = plan.cluster.storages[plan.cluster.storage]
        lock = f"storage{'' if storage.shared else '-' + guest.node}"
        if guest.kind == "vm":
            ends = plan.take(lock, times.clone + times.allocate, ready=plan.now + times.fork)
        else:
            begins = max(plan.now, plan.free(guest.template))
            if begins > plan.now:
                plan.at(begins, lambda: self._clone(guest))
                return
            ends = plan.take(lock, times.clone, ready=plan.now + times.fork)
            plan.take(guest.template, ends - plan.now)
        plan.at(max(ends, self._network), lambda: self._start(guest))

    def _start(self, guest: Guest) -> None:
        times, limits = self._plan.cluster.times, self._plan.cluster.limits
        took = times.start_vm if guest.kind == "vm" else times.start_container
        boot = times.boot_vm if guest.kind == "vm" else times.boot_container
        started = self._plan.take(f"starts-{guest.node}", took, places=limits.starts, ready=self._plan.now + times.fork)
        booted = self._plan.take(f"boots-{guest.node}", boot, places=limits.boots, ready=started)
        self._plan.at(booted, self._arrived)

    def _arrived(self) -> None:
        self._left -= 1
        if not self._left:
            self._plan.at(self._plan.now + self._seat.configure, self._keep)

    def _keep(self) -> None:
        """The state is kept to which a reset goes back, of all machines at once."""
        times, limits = self._plan.cluster.times, self._plan.cluster.limits
        ready = self._plan.now + times.fork
        ends = max(
            self._plan.take(f"snapshots-{guest.node}", times.snapshot, places=limits.snapshots, ready=ready) for guest in self._seat.guests
        )
        self._plan.at(ends + self._seat.prove, lambda: None)
