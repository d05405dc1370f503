"""Named locks that time out with Proxmox's texts (`proxmox-truth.md` 3.4): guest config flocks, storage locks, cluster locks.

They live in this process only, because only this process writes; a kill frees them, as it frees a flock.
`wait` is in Proxmox's seconds; `pace` scales all waits (1.0 real time; the replay of vectors sets it small).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from labctl.sandbox import answers


class Locks:
    """Locks by name; shared or exclusive; re-entrant for the thread that holds it exclusively."""

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace
        self._changed = threading.Condition()
        self._exclusive: dict[str, tuple[int, int]] = {}
        self._shared: dict[str, int] = {}
        self._held_until: dict[str, float] = {}
        self._lost_until = 0.0
        self._quorate = True
        self.held_elsewhere: set[str] = set()
        """Names some other process holds (recorded situations)."""

    def release_elsewhere(self) -> None:
        """The other process lets go."""
        with self._changed:
            self.held_elsewhere = set()
            self._changed.notify_all()

    @property
    def quorate(self) -> bool:
        """Without quorum nobody gets a cluster lock."""
        return self._quorate and time.monotonic() >= self._lost_until

    @quorate.setter
    def quorate(self, quorate: bool) -> None:
        self._quorate = quorate

    def lose_quorum(self, seconds: float) -> None:
        """For so long nobody gets a cluster lock and nothing is written."""
        self._lost_until = time.monotonic() + seconds * self.pace

    def hold(self, name: str, seconds: float) -> None:
        """Another process takes that lock, a file's path or `cfs:NAME`, and keeps it for so long."""
        with self._changed:
            self._held_until[name] = time.monotonic() + seconds * self.pace

    def release_held(self) -> None:
        """Whoever held locks by `hold` lets go."""
        with self._changed:
            self._held_until.clear()
            self._changed.notify_all()

    @contextlib.contextmanager
    def guest(self, kind: str, vmid: int | str, wait: float = 10.0, *, shared: bool = False) -> Iterator[None]:
        """A guest's config lock."""
        path = f"/var/lock/qemu-server/lock-{vmid}.conf" if kind == "qemu" else f"/run/lock/lxc/pve-config-{vmid}.lock"
        with self.flock(path, wait, shared=shared):
            yield

    @contextlib.contextmanager
    def storage(self, storage: str, wait: float = 10.0) -> Iterator[None]:
        """A non-shared storage's lock."""
        with self.flock(f"/var/lock/pve-manager/pve-storage-{storage}", wait):
            yield

    @contextlib.contextmanager
    def flock(self, path: str, wait: float = 10.0, *, shared: bool = False) -> Iterator[None]:
        """A file lock; 500 "can't lock file ... - got timeout"."""
        if not self._take(path, wait, shared=shared):
            answers.die(f"can't lock file '{path}' - got timeout")
        try:
            yield
        finally:
            self._give(path, shared=shared)

    @contextlib.contextmanager
    def cluster(self, name: str, prefix: str = "", wait: float = 10.0) -> Iterator[None]:
        """A cluster-wide lock; 500 "cfs-lock 'x' error: got lock request timeout"."""
        if not self.quorate:
            answers.die(f"{prefix}cfs-lock '{name}' error: no quorum!")
        if not self._take(f"cfs:{name}", wait, shared=False):
            answers.die(f"{prefix}cfs-lock '{name}' error: got lock request timeout")
        try:
            yield
        finally:
            self._give(f"cfs:{name}", shared=False)

    def _take(self, name: str, wait: float, *, shared: bool) -> bool:
        deadline = time.monotonic() + wait * self.pace
        me = threading.get_ident()
        with self._changed:
            while not self._free(name, me, shared=shared):
                now = time.monotonic()
                if now >= deadline:
                    return False
                # Nobody notifies when a lock that is held for a time comes free.
                self._changed.wait(min(deadline, max(self._held_until.get(name, deadline), now + 0.001)) - now)
            if shared:
                self._shared[name] = self._shared.get(name, 0) + 1
            else:
                self._exclusive[name] = (me, self._exclusive.get(name, (me, 0))[1] + 1)
            return True

    def _free(self, name: str, me: int, *, shared: bool) -> bool:
        if name in self.held_elsewhere or self._held_until.get(name, 0.0) > time.monotonic():
            return False
        holder = self._exclusive.get(name)
        if holder and holder[0] != me:
            return False
        return shared or bool(holder) or not self._shared.get(name)

    def _give(self, name: str, *, shared: bool) -> None:
        with self._changed:
            if shared:
                self._shared[name] -= 1
            else:
                me, count = self._exclusive[name]
                if count == 1:
                    del self._exclusive[name]
                else:
                    self._exclusive[name] = (me, count - 1)
            self._changed.notify_all()
