"""Writers of an SQLite file take turns: its own way of waiting is to sleep and try again, so of many who write all the time those who
come seldom (a person who waits for an answer) find it taken again and again. Here they stand in line and are woken.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl import errors


class Writers:
    """Threads of this process queue at a lock, the first of them queues with other processes at a file beside the database, which the
    kernel lets go of when a process dies. Made anew after a fork.
    """

    def __init__(self, database: Path, patience: float) -> None:
        self._file = database.with_name(f"{database.name}-turn")
        self._patience = patience
        self._lock = threading.Lock()
        self._handle: int | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only one who writes. Raises Unreachable where the turn does not come."""
        if not self._lock.acquire(timeout=self._patience):
            raise errors.Unreachable(
                f"the database does not answer: others have been writing for {self._patience:.0f} s.",
                hint="`labctl status` shows who runs.",
            )
        try:
            if self._handle is None:
                self._handle = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)
        finally:
            self._lock.release()
