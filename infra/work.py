"""What one update works with: the cluster, where to say what happens, and what went wrong.

One value per update, shared by its provider and its resources; never kept between updates.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from labctl import errors
from labctl.drivers.proxmox import cluster as cluster_


def silently(_line: str) -> None:
    """For work that nobody watches."""


@dataclass
class Work:
    """`failures` keeps the errors themselves: an engine only carries their texts, and the runner needs their kind."""

    cluster: cluster_.Cluster
    say: Callable[[str], None] = silently
    failures: list[errors.LabctlError] = field(default_factory=list)
    started: set[int] = field(default_factory=set)
    """VMIDs that this update has seen running."""
    aborted: threading.Event = field(default_factory=threading.Event)
    """Set by `abort` only; `cluster.stop` is also set by the real engine's `Cancel`, which ends every update."""
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, error: errors.LabctlError) -> None:
        """Remember an error of a resource."""
        with self._guard:
            self.failures.append(error)

    def abort(self) -> None:
        """End the update soon, with a whole record: waits are cut short, nothing new is started."""
        self.aborted.set()
        self.cluster.stop.set()
