"""Which process may put a node's guests right: one at a time, and only when no other is at work.

`status` opens a home that a serving node is using; what that node is just making must not look like rubbish to it. So only the owner
recovers, and the kernel lets go of the ownership when a process dies.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

PATIENCE = 2.0
"""Seconds for which a process that is about to change something waits for another (a `status`, say) to be done."""


class Ownership:
    """Of one home. `recover` is called once, by whoever becomes the owner, before the owner does anything else."""

    def __init__(self, home: Path, recover: Callable[[], None]) -> None:
        self._path = home / "owner.lock"
        self._recover = recover
        self._file: IO[str] | None = None
        self._asked = False
        self._lock = threading.RLock()
        self._take()

    def _take(self) -> bool:
        file = self._path.open("a", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        self._recover()
        return True

    def claim(self) -> None:
        """Before anything is changed: become the owner if nobody else is; wait a moment for that, once."""
        if self._file is not None or self._asked:
            return
        with self._lock:
            deadline = time.monotonic() + PATIENCE
            while self._file is None and not self._asked and not self._take():
                self._asked = time.monotonic() > deadline
                time.sleep(0.02)

    def release(self) -> None:
        """Let another process be the owner."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._asked = False
