"""The control groups LXC makes for a guest: its limits, whether it lives, freezing it, what it uses, and what is left of it.

Works on pure cgroup2 hosts and on hybrid ones (controllers in version 1, an additional cgroup2 tree for the rest).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labctl.sandbox.guests.runtime import GuestSpec, Usage

ROOT = Path("/sys/fs/cgroup")
PROCESSES = 4096
"""Most processes and threads of one guest: a fork bomb stays the learner's own."""
PERIOD = 100_000
"""Microseconds over which a guest's share of the processors is reckoned."""


def unified() -> Path | None:
    """The cgroup2 tree; None when there is none."""
    for path in (ROOT, ROOT / "unified"):
        if (path / "cgroup.controllers").exists():
            return path
    return None


def controllers() -> set[str]:
    """Which of the controllers guests need can be used, in whichever version."""
    needed = {"cpu", "memory", "pids"}
    modern = unified()
    found = set((modern / "cgroup.controllers").read_text(encoding="ascii").split()) if modern else set()
    return {name for name in needed if name in found or (ROOT / name / "cgroup.procs").exists()}


def is_modern() -> bool:
    """Whether controllers live in cgroup2."""
    return unified() == ROOT


def limits(spec: GuestSpec) -> list[str]:
    """Lines of LXC configuration. Memory in MiB, cores as a share of time: a guest still sees all processors."""
    usable = controllers()
    size = spec.memory * 2**20
    quota = spec.cores * PERIOD
    if is_modern():
        lines = {"memory": [f"memory.max = {size}"], "cpu": [f"cpu.max = {quota} {PERIOD}"], "pids": [f"pids.max = {PROCESSES}"]}
        prefix = "lxc.cgroup2."
    else:
        share = [f"cpu.cfs_period_us = {PERIOD}", f"cpu.cfs_quota_us = {quota}"]
        lines = {"memory": [f"memory.limit_in_bytes = {size}"], "cpu": share, "pids": [f"pids.max = {PROCESSES}"]}
        prefix = "lxc.cgroup."
    return [f"{prefix}{line}" for name, group in lines.items() if name in usable for line in group]


def _start() -> str:
    """The group that LXC, started by root, makes its own in: the init process', its scope left out."""
    for line in Path("/proc/1/cgroup").read_text(encoding="ascii").splitlines():
        if line.startswith("0::"):
            return line[3:].removesuffix("/init.scope").strip("/")
    return ""


@dataclass(frozen=True)
class Groups:
    """The groups of the guest that LXC knows as `guest`."""

    guest: str

    def _one(self, kind: str) -> Path | None:
        tree = unified()
        return tree / _start() / f"lxc.{kind}.{self.guest}" if tree else None

    def alive(self) -> bool:
        """Whether any process of the guest, or LXC's own monitor for it, runs. The kernel's answer, so also true when the node was
        away meanwhile; a guest that reboots itself stays alive by its monitor.
        """
        return any(_populated(self._one(kind)) for kind in ("payload", "monitor"))

    def freeze(self, frozen: bool) -> None:
        """Hold all processes of the guest, or let them go on. Waits until they are held (they may be in the kernel just now)."""
        group = self._one("payload")
        if group is None or not group.exists():
            return
        (group / "cgroup.freeze").write_text(str(int(frozen)), encoding="ascii")
        deadline = time.monotonic() + 5
        while frozen and "frozen 1" not in (group / "cgroup.events").read_text(encoding="ascii") and time.monotonic() < deadline:
            time.sleep(0.001)

    def kill(self, *kinds: str) -> None:
        """Kill every process of the guest (`payload`) and LXC's for it (`monitor`) at once, frozen ones too."""
        for kind in kinds:
            group = self._one(kind)
            if group is not None:
                with contextlib.suppress(OSError):
                    (group / "cgroup.kill").write_text("1", encoding="ascii")

    def everywhere(self) -> Iterator[Path]:
        """The guest's groups in every hierarchy, deepest first."""
        for tree in [ROOT, *(path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink())]:
            for top in (tree / _start()).glob(f"lxc.*.{self.guest}*"):
                tail = top.name.split(".", 2)[2].removeprefix(self.guest)
                if tail == "" or (tail[0] == "-" and tail[1:].isdigit()):
                    for folder, _, _ in os.walk(top, topdown=False):
                        yield Path(folder)

    def sweep(self) -> None:
        """Remove empty groups left by a killed monitor; else LXC makes a second set with other names."""
        for folder in list(self.everywhere()):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def usage(self) -> Usage:
        """Processor time and memory without the file cache that could be given back. Disk and uptime are not known here."""
        found = {}
        for line in _init_groups(self._one("payload")):
            number, names, path = line.split(":", 2)
            top = path[: path.index(self.guest) + len(self.guest)] if self.guest in path else path
            for name in names.split(",") if number != "0" else ["unified"]:
                found[name] = (ROOT / name if number != "0" else unified() or ROOT) / top.strip("/")
        if "cpuacct" in found:
            seconds = int(_read(found["cpuacct"] / "cpuacct.usage") or 0) / 1e9
        else:
            seconds = _stat(found.get("unified"), "cpu.stat").get("usage_usec", 0) / 1e6
        if "memory" in found:
            used = int(_read(found["memory"] / "memory.usage_in_bytes") or 0)
            idle = _stat(found["memory"], "memory.stat").get("total_inactive_file", 0)
        else:
            used = int(_read(found["unified"] / "memory.current") or 0) if "unified" in found else 0
            idle = _stat(found.get("unified"), "memory.stat").get("inactive_file", 0)
        return Usage(cpu_seconds=seconds, memory=max(used - idle, 0))


def guests_of(name: str) -> set[str]:
    """Guests of node `name` (called `<name>-<vmid>`) that have a group."""
    tree = unified()
    names = {path.name.split(".", 2)[2] for path in (tree / _start()).glob(f"lxc.*.{name}-*")} if tree else set()
    return {guest for guest in names if guest.removeprefix(f"{name}-").isdigit()}


def sweep_pivot() -> None:
    """LXC parks its monitors in `lxc.pivot` while it removes their groups, and leaves it behind. Stays while somebody is in it."""
    for tree in [ROOT, *(path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink())]:
        with contextlib.suppress(OSError):
            (tree / _start() / "lxc.pivot").rmdir()


def _init_groups(payload: Path | None) -> list[str]:
    """`/proc/PID/cgroup` of one of the guest's processes."""
    if payload is None or not payload.exists():
        return []
    for procs in payload.rglob("cgroup.procs"):
        for pid in _read(procs).split():
            return _read(Path(f"/proc/{pid}/cgroup")).splitlines()
    return []


def _populated(group: Path | None) -> bool:
    return group is not None and "populated 1" in _read(group / "cgroup.events")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def _stat(group: Path | None, name: str) -> dict[str, int]:
    lines = (line.split() for line in _read(group / name).splitlines()) if group else ()
    return {fields[0]: int(fields[1]) for fields in lines if len(fields) == 2 and fields[1].isdigit()}
