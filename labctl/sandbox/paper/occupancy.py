"""What is taken of each node's memory and of each storage's room: sums that follow each start and stop and each change of a volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from labctl.sandbox import state
from labctl.sandbox.paper import description, ledger


class Occupancy:
    """One for the whole cluster."""

    def __init__(self, cluster: description.Cluster, known: ledger.Ledger) -> None:
        self._cluster = cluster
        self._ledger = known
        self._volumes: Mapping[str, Any] = {}
        self._catch_up: Callable[[], None] | None = None
        self._weights: dict[str, tuple[tuple[str, str], int]] = {}
        self._taken: Counter[tuple[str, str]] = Counter()

    def watch(self, state_: state.State) -> None:
        """Count this record's volumes from now on."""
        self._volumes = state_.content["volumes"]
        self._catch_up = state_.follow("volumes", self._weigh)

    def share(self, mib: int, kind: str) -> int:
        """MiB that a running guest of that memory uses."""
        limits = self._cluster.limits
        return int(mib * (limits.memory_container if kind == "container" else limits.memory_vm))

    def memory(self, node: str) -> int:
        """MiB that guests running on a node use."""
        return sum(self.share(self._ledger.memory[node, kind], kind) for kind in ("vm", "container"))

    def size(self, storage: str) -> int | None:
        """Bytes that a described storage has, on each node or shared."""
        known = self._cluster.storages.get(storage)
        return known.size * description.GIB if known else None

    def weight(self, size: int, *, linked: bool) -> int:
        """Bytes that a volume takes."""
        return int(size * self._cluster.limits.growth) if linked else size

    def bytes(self, storage: str, node: str) -> int:
        """Bytes taken on a storage as that node sees it."""
        if self._catch_up:
            self._catch_up()
        return self._taken[storage, ""] + self._taken[storage, node]

    def _weigh(self, volid: str) -> None:
        place, weight = self._weights.pop(volid, (("", ""), 0))
        self._taken[place] -= weight
        facts = self._volumes.get(volid)
        if facts is not None:
            place = (volid.partition(":")[0], str(facts.get("node", "")))
            weight = self.weight(int(facts.get("size", 0)), linked=bool(facts.get("parent")))
            self._weights[volid] = (place, weight)
            self._taken[place] += weight
