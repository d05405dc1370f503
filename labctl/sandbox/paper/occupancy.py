"""What is taken of each node's memory and of each storage's room, kept as sums that follow each change of ledger and volumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl.sandbox.paper import description, ledger


class Occupancy:
    """One for the whole cluster."""

    def __init__(self, cluster: description.Cluster, known: ledger.Ledger) -> None:
        self._cluster = cluster
        self._ledger = known
        self.volumes: Mapping[str, Any] = {}
        """The node's own record of volumes; given by `watch`."""

    def watch(self, volumes: Mapping[str, Any]) -> None:
        """Count these from now on."""
        self.volumes = volumes

    def share(self, mib: int, kind: str) -> int:
        """MiB that a running guest of that memory uses."""
        limits = self._cluster.limits
        return int(mib * (limits.memory_container if kind == "container" else limits.memory_vm))

    def memory(self, node: str) -> int:
        """MiB that guests running on a node use."""
        with self._ledger.mutex:
            runs = list(self._ledger.runs.values())
        return sum(self.share(facts["memory"], facts["kind"]) for facts in runs if facts.get("node") == node)

    def size(self, storage: str) -> int | None:
        """Bytes that a described storage has, on each node or shared."""
        known = self._cluster.storages.get(storage)
        return known.size * description.GIB if known else None

    def weight(self, size: int, *, linked: bool) -> int:
        """Bytes that a volume takes."""
        return int(size * self._cluster.limits.growth) if linked else size

    def bytes(self, storage: str, node: str) -> int:
        """Bytes taken on a storage as that node sees it."""
        known = self._cluster.storages.get(storage)
        head = f"{storage}:"
        return sum(
            self.weight(int(facts.get("size", 0)), linked=bool(facts.get("parent")))
            for volid, facts in list(self.volumes.items())
            if volid.startswith(head) and (known is None or known.shared or facts.get("node", node) == node)
        )
