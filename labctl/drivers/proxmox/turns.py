"""Taking turns across all of labctl's processes: some of Proxmox's locks refuse at once instead of queueing.

File locks (`flock`) in one directory, released by the kernel when a process dies. A container's clone locks its source
("CT is locked (disk)", `proxmox-truth.md` 3.5), clones queue 10 s at most on a storage's lock, and an SDN apply is best
made by one for all.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from labctl import errors

_PAUSE = 0.03


class Turns:
    """A directory of locks. Names may hold anything; they become file names here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def turn(self, name: str, *, places: int = 1, patience: float = 900.0) -> Iterator[None]:
        """Hold one of `places` places of `name`. Raises Busy when none came free within `patience` seconds."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        stem = re.sub(r"[^A-Za-z0-9.-]", "-", name)
        until = time.monotonic() + patience
        while True:
            for place in range(places):
                handle = os.open(self._folder / f"{stem}.{place}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(handle)
                    continue
                try:
                    yield
                finally:
                    os.close(handle)
                return
            if time.monotonic() > until:
                raise errors.Busy(f"no turn for {name} within {patience:.0f} s")
            time.sleep(_PAUSE)
