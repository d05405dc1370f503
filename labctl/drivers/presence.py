"""Which of labctl's processes live, and a bell for each: how processes of one machine wait for each other without polling.

A process that takes part has two files in `FOLDER/here`: one it keeps locked for as long as it lives, and a FIFO on which others
wake one of its waiting threads by name. The lock is a POSIX record lock: the kernel frees it with the process, and a forked child
does not inherit it. Nothing is kept here about what is waited for (`gates`, `waves`).
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import itertools
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

_ALIVE, _BELL, _NEW = ".alive", ".bell", ".new"


class Presence:
    """This process, in one folder. Made by `here` only: a second one for the same file would free the first one's lock."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self.token = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._numbers = itertools.count(1)
        self._waiting: dict[str, threading.Event] = {}
        _sweep(folder)
        # Locked before it has its name, so that nobody can take it for a dead process's.
        new = folder / f"{self.token}{_NEW}"
        self._lock = os.open(new, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        os.mkfifo(folder / f"{self.token}{_BELL}", 0o600)
        self._bell = os.open(folder / f"{self.token}{_BELL}", os.O_RDWR | os.O_CLOEXEC)  # for writing too, so that a read waits
        new.rename(folder / f"{self.token}{_ALIVE}")
        threading.Thread(target=self._listen, name="presence", daemon=True).start()

    @property
    def intact(self) -> bool:
        """Whether others can see it (somebody may have taken the folder away)."""
        return (self._folder / f"{self.token}{_ALIVE}").exists()

    @contextlib.contextmanager
    def waiter(self) -> Iterator[tuple[str, threading.Event]]:
        """(ticket, event): the event is set when somebody rings for the ticket."""
        ticket = f"{self.token}/{next(self._numbers)}"
        event = self._waiting[ticket] = threading.Event()
        try:
            yield ticket, event
        finally:
            del self._waiting[ticket]

    def ring(self, ticket: str) -> None:
        """Wake whoever waits with this ticket, here or in another process. A lost ring costs the waiter its next look."""
        token = owner(ticket)
        if token == self.token:
            self._wake(ticket)
            return
        with contextlib.suppress(OSError):  # gone, or its bell is full: then it looks by itself
            bell = os.open(self._folder / f"{token}{_BELL}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(bell, f"{ticket}\n".encode())
            finally:
                os.close(bell)

    def lives(self, ticket: str) -> bool:
        """Whether the process that holds this ticket lives."""
        token = owner(ticket)
        return token == self.token or _lives(self._folder / f"{token}{_ALIVE}")

    def leave(self) -> None:
        """Take the files away; the process ends, or the folder went."""
        for suffix in (_ALIVE, _BELL):
            (self._folder / f"{self.token}{suffix}").unlink(missing_ok=True)

    def _wake(self, ticket: str) -> None:
        event = self._waiting.get(ticket)
        if event is not None:
            event.set()

    def _listen(self) -> None:
        rest = b""
        while True:
            *lines, rest = (rest + os.read(self._bell, 65536)).split(b"\n")
            for line in lines:
                self._wake(line.decode())


def owner(ticket: str) -> str:
    """The token of the process that drew the ticket."""
    return ticket.partition("/")[0]


_present: dict[Path, Presence] = {}
_guard = threading.Lock()


def here(folder: Path) -> Presence:
    """This process's presence in the folder, the same for all who ask."""
    with _guard:
        found = _present.get(folder)
        if found is None or not found.intact:
            found = _present[folder] = Presence(folder)
        return found


def _leave_all() -> None:
    for one in _present.values():
        one.leave()


def _after_fork() -> None:
    """A child has its parent's memory but not its locks, and no thread that listens: it begins anew."""
    global _guard  # noqa: PLW0603 - the parent's may be held by a thread that does not exist here
    _guard = threading.Lock()
    _present.clear()


atexit.register(_leave_all)
os.register_at_fork(after_in_child=_after_fork)


def _lives(path: Path) -> bool:
    """Whether somebody holds the lock. Never asked of one's own file: closing it would free the lock."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _sweep(folder: Path) -> None:
    """Take away what killed processes left."""
    own = {one.token for one in _present.values()}
    for path in folder.glob(f"*{_ALIVE}"):
        token = path.name.removesuffix(_ALIVE)
        if token not in own and not _lives(path):
            path.unlink(missing_ok=True)
            (folder / f"{token}{_BELL}").unlink(missing_ok=True)
