"""kill -9 of any part of a house: labctl's services, the process in which an engine works, Ansible or one of its forks; or everything
at once, as when the machine's power goes. Guests are left running: their machines are not labctl's.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import psutil

from tests.bench import traces
from tests.bench.house import House

PARTS = ("worker", "engine", "ansible", "node", "api", "broker", "beat", "door", "everything")
PATIENCE = 3.0
"""Seconds to wait for a process of a part that comes and goes."""


def kill(house: House, part: str, chance: random.Random) -> str:
    """Kill one process of that part, waiting a little for one that comes and goes; says what was killed."""
    if part == "everything":
        return _everything(house)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for pid in _pids(house, part, chance):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return f"kill -9 of {part} ({pid})"
        time.sleep(0.05)
    return f"no {part} to kill"


def _everything(house: House) -> str:
    # Guests' monitors carry the home in their command line, but belong to no service and have none of its environment.
    families = [process for service in traces.SERVICES for process in traces.family(house, service)]
    for process in families:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return f"kill -9 of everything ({len(families)})"


def _pids(house: House, part: str, chance: random.Random) -> list[int]:
    if part in traces.SERVICES:
        return [process.pid for process in traces.family(house, part)[:1]]
    found = []
    children = {process.pid for process in traces.family(house, "worker")[1:]}
    for process in traces.ours(house):
        words = process.info["cmdline"] or [""]
        if part == "ansible" and "ansible" in " ".join(words) and "celery" not in " ".join(words):
            found.append(process.pid)
        # The embedded engine has no process of its own: it runs in one of the worker's children. The real one does.
        if part == "engine" and ("pulumi" in Path(words[0]).name or (process.pid in children and "labctl.worker" in words)):
            found.append(process.pid)
    chance.shuffle(found)
    return found
