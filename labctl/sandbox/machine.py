"""The figures of the machine the node runs on, in the shape Proxmox reports them. Real ones: "no memory left" must be visible."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

import psutil

from labctl.sandbox import release

_STARTED = time.monotonic()


def memory() -> dict[str, int]:
    """Bytes."""
    known = psutil.virtual_memory()
    return {"total": known.total, "used": known.total - known.available, "free": known.free, "available": known.available}


def disk(path: Path) -> dict[str, int]:
    """Bytes of the filesystem that holds `path`."""
    known = os.statvfs(path)
    total, free, avail = known.f_blocks * known.f_frsize, known.f_bfree * known.f_frsize, known.f_bavail * known.f_frsize
    return {"total": total, "used": total - free, "free": free, "avail": avail}


def cpu() -> float:
    """Share of all cores in use since the last question, 0..1."""
    return round(psutil.cpu_percent(interval=None) / 100, 4)


def cores() -> int:
    """Logical CPUs."""
    return psutil.cpu_count() or 1


def uptime() -> int:
    """Seconds since the machine started."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME))


def status(path: Path, note: str) -> dict[str, Any]:
    """`GET /nodes/{node}/status`; `note` says what stands in for what."""
    system, swap = platform.uname(), psutil.swap_memory()
    root = disk(path)
    return {
        "uptime": uptime(),
        "idle": 0,
        "wait": 0,
        "cpu": cpu(),
        "loadavg": [f"{load:.2f}" for load in os.getloadavg()],
        "memory": memory(),
        "swap": {"total": swap.total, "used": swap.used, "free": swap.free},
        "rootfs": root,
        "pveversion": f"pve-manager/{release.VERSION['version']}/{release.VERSION['repoid']} (labctl sandbox: {note})",
        "kversion": f"{system.system} {system.release} {system.version}",
        "current-kernel": {"sysname": system.system, "release": system.release, "version": system.version, "machine": system.machine},
        "boot-info": {"mode": "legacy-bios"},
        "cpuinfo": {
            "cpus": cores(), "cores": psutil.cpu_count(logical=False) or cores(), "sockets": 1, "model": _model(), "mhz": "0", "hvm": "0",
            "flags": "", "user_hz": 100,
        },
        "ksm": {"shared": 0},
    }  # fmt: skip


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
