"""A paper node's figures: memory as its running guests use it, storages as full as their volumes make them.

Not modelled: CPU load, wear, swap. A linked clone takes `growth` of its size at once and no more later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labctl.sandbox import answers, hardware, machine
from labctl.sandbox.paper import clock as clock_
from labctl.sandbox.paper import description, occupancy

MIB = 1024**2
OWN_MEMORY = 4 * 1024
"""MiB that Proxmox itself takes of a node."""
ROOT = 100 * description.GIB


class PaperHardware(hardware.Hardware):
    """Of one node of the cluster."""

    def __init__(self, home: Path, node: description.Machine, used: occupancy.Occupancy, clock: clock_.Clock) -> None:
        super().__init__(home)
        self._clock = clock
        self._node = node
        self._used = used

    def memory(self) -> dict[str, int]:
        """Proxmox's own and that of the guests that run here."""
        total, used = self._node.memory * MIB, (OWN_MEMORY + self._used.memory(self._node.name)) * MIB
        left = max(0, total - used)
        return {"total": total, "used": min(total, used), "free": left, "available": left}

    def root(self) -> dict[str, int]:
        """A system disk of which nothing depends."""
        used = ROOT // 10
        return {"total": ROOT, "used": used, "free": ROOT - used, "avail": ROOT - used}

    def space(self, storage: str) -> dict[str, int]:
        """A storage that is not described is on the system disk."""
        total = self._used.size(storage)
        if total is None:
            return self.root()
        used = min(total, self._used.bytes(storage, self._node.name))
        return {"total": total, "used": used, "free": total - used, "avail": total - used}

    def cpu(self) -> float:
        """Not modelled."""
        return 0.0

    def cores(self) -> int:
        """As described."""
        return self._node.cores

    def status(self, note: str) -> dict[str, Any]:
        """The machine's own with a paper node's figures in it, and how the clock keeps up."""
        found = machine.status(self._home, note)
        cpus = found["cpuinfo"] | {"cpus": self._node.cores, "cores": self._node.cores, "model": "paper"}
        return found | {
            "memory": self.memory(),
            "rootfs": self.root(),
            "cpuinfo": cpus,
            "cpu": 0.0,
            "loadavg": ["0.00"] * 3,
            "paper": self._clock.figures(),
        }

    def check_space(self, storage: str, size: int, *, linked: bool) -> None:
        """500 as the storage's own tools say it (their wording is a guess: no full storage was recorded)."""
        if self.space(storage)["avail"] < self._used.weight(size, linked=linked) and self._used.size(storage) is not None:
            answers.die(f"storage '{storage}' on node '{self._node.name}': No space left on device")

    def check_memory(self, mib: int, *, container: bool) -> None:
        """A VM gets its memory at once or does not start (QEMU's words); a container grows into its limit."""
        if not container and self.memory()["available"] < self._used.share(mib, "vm") * MIB:
            answers.die("start failed: QEMU exited with code 1: cannot set up guest memory 'pc.ram': Cannot allocate memory")
