"""Whether the process that made a claim is surely dead, so that its work can be taken up at once instead of when the claim ends.

Only ever said of a process of this very kernel and process namespace (proc(5): boot_id, ns/pid) whose pid is free or was given to
another since (stat, field 22: start time). Of everybody else nothing is known, and their claims run out by themselves.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path


def myself() -> str:
    """This process, told apart from any other that ever was or will be: "MACHINE/PID/START"."""
    return f"{_machine()}/{os.getpid()}/{_start(os.getpid())}"


def of(pid: int) -> str | None:
    """That process as it would say it itself (`myself`); None where there is none, or only its exit code is left."""
    start = _start(pid)
    return None if start is None else f"{_machine()}/{pid}/{start}"


def surely_dead(holder: str) -> bool:
    """Whether that process (`myself`, with anything after another "/") can never write again."""
    machine, _, rest = holder.partition("/")
    pid, _, rest = rest.partition("/")
    start = rest.partition("/")[0]
    if machine != _machine() or not pid.isdecimal() or not start.isdecimal():
        return False
    return _start(int(pid)) != start


@functools.cache
def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}-{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"


def _start(pid: int) -> str | None:
    """When it started, in clock ticks since boot; None when there is no such process, or only its exit code is left."""
    try:
        # The name in parentheses may hold blanks and parentheses itself.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in {"Z", "X"} else fields[18]
