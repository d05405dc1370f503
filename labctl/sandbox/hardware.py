"""What a node is made of, as its API tells it: memory, disks, cores. Here the machine it runs on, on paper its description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labctl.sandbox import machine


class Hardware:
    """Of one node. Bytes, as `machine` has them."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def memory(self) -> dict[str, int]:
        """total, used, free, available."""
        return machine.memory()

    def root(self) -> dict[str, int]:
        """total, used, free, avail of its own filesystem."""
        return machine.disk(self._home)

    def space(self, storage: str) -> dict[str, int]:
        """The same of a storage as this node sees it: all storages are on the node's own filesystem here."""
        _ = storage
        return self.root()

    def cpu(self) -> float:
        """Share of all cores in use, 0..1."""
        return machine.cpu()

    def cores(self) -> int:
        """Logical CPUs."""
        return machine.cores()

    def uptime(self) -> int:
        """Seconds."""
        return machine.uptime()

    def status(self, note: str) -> dict[str, Any]:
        """`GET /nodes/{node}/status`; `note` says what stands in for what."""
        return machine.status(self._home, note)

    def check_space(self, storage: str, size: int, *, linked: bool) -> None:
        """A new volume takes that many bytes; a real disk says itself when it is full."""

    def check_memory(self, mib: int, *, container: bool) -> None:
        """A guest of that memory starts; a real machine says itself when it has no more."""
