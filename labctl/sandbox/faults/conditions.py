"""What lasts: nodes that are away or frozen, full storages. Quorum and held locks last too and are kept by `locks`.

Each condition has an end; whoever asks after it finds it over. Times are Proxmox's seconds times the node's pace.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from labctl.sandbox import answers
from labctl.sandbox.faults import rules, striking, wording

if TYPE_CHECKING:
    from labctl.sandbox import locks as locks_


class Conditions:
    """Of one node's process."""

    def __init__(self, locks: locks_.Locks) -> None:
        self._locks = locks
        self._lock = threading.Lock()
        self._until: dict[tuple[str, str], float] = {}

    def begin(self, rule: rules.Rule, call: striking.Call) -> None:
        """Let it last from now on."""
        name, seconds = rule.kind.name, rule.seconds
        if name == "quorum-lost":
            self._locks.lose_quorum(seconds)
        elif name == "lock-held":
            self._locks.hold(rule.lock or wording.lock_of(call), seconds)
        elif name == "storage-full":
            self._set(name, rule.storage or wording.storage_of(call), seconds)
        else:
            self._set(name, call.node, seconds)

    def offline(self, node: str) -> bool:
        """Whether that node is away."""
        return self._lasts("node-offline", node) > 0

    def frozen(self, node: str) -> float:
        """How many of our seconds that node will still hang; 0 for one that works."""
        return self._lasts("node-frozen", node)

    def check_space(self, storage: str) -> None:
        """500 when that storage is full."""
        if self._lasts("storage-full", storage) > 0:
            answers.die(f"unable to create image: storage '{storage}': No space left on device")

    def clear(self) -> None:
        """Everything is over."""
        with self._lock:
            self._until.clear()
        self._locks.lose_quorum(0)
        self._locks.release_held()

    def _set(self, name: str, what: str, seconds: float) -> None:
        with self._lock:
            self._until[name, what] = time.monotonic() + seconds * self._locks.pace

    def _lasts(self, name: str, what: str) -> float:
        if not self._until:
            return 0.0
        with self._lock:
            return max(0.0, self._until.get((name, what), 0.0) - time.monotonic())
