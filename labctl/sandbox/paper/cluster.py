"""The parts of each node of a paper cluster, ready to be put together by `node`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labctl.sandbox.guests import paper
from labctl.sandbox.paper import acts, clock, description, ledger, occupancy
from labctl.sandbox.paper import hardware as hardware_


@dataclass(frozen=True)
class Parts:
    """What one node of the cluster has for itself."""

    name: str
    runtime: paper.PaperRuntime
    acts: acts.PaperActs
    hardware: hardware_.PaperHardware
    shared: frozenset[str]
    used: occupancy.Occupancy


def parts(home: Path, file: Path, cluster: description.Cluster) -> Iterator[Parts]:
    """Node for node; clock and ledger are one for all."""
    time, known = clock.Clock(cluster.speed), ledger.Ledger(file)
    used = occupancy.Occupancy(cluster, known)
    shared = frozenset(name for name, storage in cluster.storages.items() if storage.shared)
    for machine in cluster.nodes:
        own = acts.PaperActs(cluster, time)
        runtime = paper.PaperRuntime(ledger=known, node=machine.name, acts_=own)
        yield Parts(machine.name, runtime, own, hardware_.PaperHardware(home, machine, used, time), shared, used)
