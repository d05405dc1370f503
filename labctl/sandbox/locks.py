"""Named locks that time out with Proxmox's texts (`proxmox-truth.md` 3.4): guest config flocks, storage locks, cluster locks.

They live in this process only, because only this process writes; a kill frees them, as it frees a flock. In a cluster each node has
flocks of its own; cluster locks, which a shared storage's lock is one of, are all nodes' (`of`).
`wait` is in Proxmox's seconds; `pace` scales waits for what takes modelled time (1.0 real time; the replay of vectors sets it small).
A holder of ours that does nothing modelled is waited for in real seconds: a busy computer is no sign of a crowded cluster.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from labctl.sandbox import acts, answers, lock_table


class Locks:
    """Those of one node, and its way to those of the cluster."""

    def __init__(self, pace: float = 1.0, *, of: Locks | None = None, acts_: acts.Acts | None = None) -> None:
        self.pace = pace
        self._acts = acts_ or acts.Acts()
        self._own = lock_table.Table()
        self._all: lock_table.Table = of.everybody if of else self._own
        self._peers: list[lock_table.Table] = of.tables if of else []
        self._peers.append(self._own)
        self.shared_storages: frozenset[str] = frozenset()
        """Storages whose lock is all nodes'."""

    @property
    def everybody(self) -> lock_table.Table:
        """The locks that are the cluster's."""
        return self._all

    @property
    def tables(self) -> list[lock_table.Table]:
        """Those of each node; the first node's are the cluster's too."""
        return self._peers

    @property
    def held_elsewhere(self) -> set[str]:
        """Names some other process holds (recorded situations)."""
        return self._own.held_elsewhere

    @held_elsewhere.setter
    def held_elsewhere(self, names: set[str]) -> None:
        self._own.held_elsewhere = names

    @property
    def quorate(self) -> bool:
        """Without quorum nobody gets a cluster lock."""
        return self._all.quorate and time.monotonic() >= self._all.lost_until

    @quorate.setter
    def quorate(self, quorate: bool) -> None:
        self._all.quorate = quorate

    def lose_quorum(self, seconds: float) -> None:
        """For so long nobody gets a cluster lock and nothing is written."""
        self._all.lost_until = time.monotonic() + seconds * self.pace

    def hold(self, name: str, seconds: float) -> None:
        """Another process takes that lock, a file's path (on whatever node) or `cfs:NAME`, and keeps it for so long."""
        for table in self._peers:
            table.hold(name, seconds * self.pace)

    def release_held(self) -> None:
        """Whoever held locks by `hold` lets go."""
        for table in self._peers:
            table.release_held()

    @contextlib.contextmanager
    def guest(self, kind: str, vmid: int | str, wait: float = 10.0, *, shared: bool = False) -> Iterator[None]:
        """A guest's config lock."""
        path = f"/var/lock/qemu-server/lock-{vmid}.conf" if kind == "qemu" else f"/run/lock/lxc/pve-config-{vmid}.lock"
        with self.flock(path, wait, shared=shared):
            yield

    @contextlib.contextmanager
    def storage(self, storage: str, wait: float = 10.0) -> Iterator[None]:
        """A storage's lock: this node's for a storage of its own, all nodes' for a shared one (`proxmox-truth.md` 3.4)."""
        if storage in self.shared_storages:
            with self.cluster(f"storage-{storage}", wait=wait):
                yield
            return
        with self.flock(f"/var/lock/pve-manager/pve-storage-{storage}", wait):
            yield

    @contextlib.contextmanager
    def flock(self, path: str, wait: float = 10.0, *, shared: bool = False) -> Iterator[None]:
        """A file lock; 500 "can't lock file ... - got timeout"."""
        if not self._own.take(path, *self._limits(wait), self._acts, shared=shared):
            answers.die(f"can't lock file '{path}' - got timeout")
        try:
            yield
        finally:
            self._own.give(path, self._acts, shared=shared)

    def _limits(self, wait: float) -> tuple[float, float]:
        """How long another process' lock is waited for, and how long one of ours."""
        scaled = wait * self.pace
        return scaled, scaled if self._acts.modelled else max(wait, scaled)

    @contextlib.contextmanager
    def cluster(self, name: str, prefix: str = "", wait: float = 10.0) -> Iterator[None]:
        """A cluster-wide lock; 500 "cfs-lock 'x' error: got lock request timeout"."""
        if not self.quorate:
            answers.die(f"{prefix}cfs-lock '{name}' error: no quorum!")
        if not self._all.take(f"cfs:{name}", *self._limits(wait), self._acts, shared=False):
            answers.die(f"{prefix}cfs-lock '{name}' error: got lock request timeout")
        try:
            yield
        finally:
            self._all.give(f"cfs:{name}", self._acts, shared=False)
