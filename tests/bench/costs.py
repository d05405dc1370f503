"""CPU seconds by part: labctl's own processes, the sandbox node, the guests. What a busy machine is short of, however many share it.

Guests are counted by their control groups (with their monitors), processes by what the kernel booked on them and on their children
that have ended. The kernel's own threads (networks, mounts) are nobody's and not counted.
"""

from __future__ import annotations

import os
import resource
from collections import defaultdict
from pathlib import Path

import psutil

from tests.bench.house import House

_KINDS = (("beat", " beat"), ("node", "labctl.sandbox"), ("broker", "valkey"), ("broker", "redis"), ("api", "-m api"), ("api", "uvicorn"))


class Costs:
    """Counted from now on; `so_far` may be asked any number of times."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._guests_before = set(self._guests())
        self._processes_before = self._processes()
        self._own_before = _own()

    def so_far(self) -> dict[str, float]:
        """CPU seconds by part. `guests`: those that came to be since, while they are there; `caller`: this process and its commands."""
        found: dict[str, float] = defaultdict(float)
        for (kind, pid), seconds in self._processes().items():
            found[kind] += seconds - self._processes_before.get((kind, pid), 0.0)
        found["guests"] = sum(seconds for name, seconds in self._guests().items() if name not in self._guests_before)
        found["caller"] = _own() - self._own_before
        return {kind: round(seconds, 2) for kind, seconds in sorted(found.items())}

    def _guests(self) -> dict[str, float]:
        found = {}
        for root in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")):
            for file in root.glob(f"lxc.*{self._house.environment['LABCTL_INSTALLATION']}*/cpu.stat"):
                try:
                    found[file.parent.name] = int(file.read_text().split()[1]) / 1e6
                except (OSError, ValueError, IndexError):
                    continue  # gone meanwhile, or a controller of the old kind
        return found

    def _processes(self) -> dict[tuple[str, int], float]:
        found = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get("LABCTL_HOME") != self._house.environment["LABCTL_HOME"]:
                    continue
                words = " ".join(process.cmdline())
                times = process.cpu_times()
            except psutil.Error:
                continue
            if not words.startswith("[") and process.pid != os.getpid():
                kind = next((kind for kind, word in _KINDS if word in words), "workers" if "labctl.worker" in words else "others")
                found[kind, process.pid] = times.user + times.system + times.children_user + times.children_system
        return found


def _own() -> float:
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime
