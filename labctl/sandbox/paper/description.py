"""What a paper cluster is made of: nodes, storages, how long each act takes, limits, and how much faster than ours its clock runs.

Built-in defaults for `--nodes N`, or a YAML file with the same names; every complaint about a file names its line. Times are seconds of the
cluster's own clock. Proxmox publishes none: the defaults are the guesses of `proxmox-truth.md` 4, and each can be changed in the file.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "cluster.json"
"""Where a home keeps the description it was initialised with."""

GIB = 1024**3
MOST_NODES = 32
"""As many as a Proxmox cluster is advised to have at most."""


class BadDescription(Exception):
    """The file is not a description of a cluster; the text says where and what."""


@dataclass(frozen=True)
class Machine:
    """One node: its name, MiB of memory, cores."""

    name: str
    memory: int = 512 * 1024
    cores: int = 64


@dataclass(frozen=True)
class Storage:
    """One storage: Proxmox's type, GiB of room (per node unless it is shared), the nodes that have it (all when empty)."""

    type: str = "rbd"
    size: int = 20_000
    shared: bool = True
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Times:
    """Seconds that each act takes when it waits for nobody (`proxmox-truth.md` 4: linked clone 0.3-1.5 under the storage's lock, 0.3 for a
    cloud-init drive, fork and checks 0.2-0.5, start 2-5, agent up 15-60, SDN apply 3-10 and more per node).
    """

    fork: float = 0.3
    """A worker's start and its checks; every task has it."""
    clone: float = 0.5
    """A linked clone of one disk, under the storage's lock."""
    allocate: float = 0.3
    """A new empty disk or a cloud-init drive, under the storage's lock."""
    copy: float = 5.0
    """A full copy, per GiB; the lock is not held."""
    free: float = 0.4
    """One disk's end, under the storage's lock."""
    start_vm: float = 3.0
    start_container: float = 1.5
    boot_vm: float = 20.0
    """From started to agent and SSH."""
    boot_container: float = 4.0
    shutdown: float = 4.0
    stop: float = 1.0
    snapshot: float = 0.8
    rollback: float = 1.5
    template: float = 1.0
    sdn: float = 4.0
    """An apply, on all nodes at once."""
    sdn_node: float = 0.1
    """An apply, more for each node."""


@dataclass(frozen=True)
class Limits:
    """How many acts of a kind one node does at once; more of them wait their turn there (none is refused for it)."""

    starts: int = 8
    boots: int = 32
    copies: int = 4
    snapshots: int = 4
    resources: float = 10.0
    """Seconds between two looks of `cluster/resources` (`proxmox-truth.md` 2.1)."""
    growth: float = 0.05
    """The share of its disk that a linked clone writes at once."""
    memory_vm: float = 0.8
    memory_container: float = 0.25
    """The share of its memory that a running guest uses."""


@dataclass(frozen=True)
class Cluster:
    """The whole. `storage` is where templates and guests are; `zone` is the type of the zone of learners' networks."""

    nodes: tuple[Machine, ...]
    storages: dict[str, Storage] = field(default_factory=dict)
    storage: str = "lab"
    speed: float = 1.0
    zone: str = "vxlan"
    times: Times = field(default_factory=Times)
    limits: Limits = field(default_factory=Limits)

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes' names, the one that answers first."""
        return tuple(node.name for node in self.nodes)


def default(nodes: int, speed: float, *, local: bool = False) -> Cluster:
    """`nodes` alike, pve1 upwards, with guests on one shared storage, or on a local one of the same name on each."""
    if not 1 <= nodes <= MOST_NODES:
        raise BadDescription(f"a paper cluster has 1 to {MOST_NODES} nodes, not {nodes}")
    if speed <= 0:
        raise BadDescription(f"the clock's speed is a number above 0, not {speed:g}")
    known = Storage("zfspool", 4_000, shared=False) if local else Storage()
    return Cluster(tuple(Machine(f"pve{number}") for number in range(1, nodes + 1)), {"lab": known}, speed=speed)


def write(home: Path, cluster: Cluster) -> None:
    """Into the node's home, whole or not at all."""
    new = home / (FILE + ".new")
    new.write_text(json.dumps(dataclasses.asdict(cluster), indent=2) + "\n", "utf-8")
    new.rename(home / FILE)


def kept(home: Path) -> Cluster | None:
    """The description this home was initialised with; None where its node is a single one."""
    try:
        known = json.loads((home / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return _cluster(known)


def _cluster(known: dict[str, Any]) -> Cluster:
    return Cluster(
        nodes=tuple(Machine(**node) for node in known["nodes"]),
        storages={name: Storage(**(facts | {"nodes": tuple(facts.get("nodes", ()))})) for name, facts in known["storages"].items()},
        storage=known["storage"],
        speed=float(known["speed"]),
        zone=known["zone"],
        times=Times(**known["times"]),
        limits=Limits(**known["limits"]),
    )
