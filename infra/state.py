"""The state on disk: the very files of Pulumi's `file://` backend, so that the CLI and the embedded engine share them.

    ROOT/.pulumi/meta.yaml                                       `version: 1`
    ROOT/.pulumi/stacks/labctl/STACK.json                        the checkpoint (version 3)
    ROOT/.pulumi/locks/organization/labctl/STACK/ID.json         one file per holder; any other's means locked

Checkpoints are written whole to a temporary file, fsynced and renamed: a killed process leaves the old one or the new one.
They hold no secret (`pulumi.md`, Shape), yet they are written with mode 600.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from labctl import errors

PROJECT = "labctl"
_FOREIGN_LOCK_LIVES = timedelta(minutes=30)
"""A lock of another host cannot be asked whether its process lives; after this it counts as left behind."""

_held: set[str] = set()
_held_guard = threading.Lock()


class Backend:
    """One root folder, any number of stacks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._books = root / ".pulumi"
        self._books.mkdir(parents=True, exist_ok=True, mode=0o700)
        meta = self._books / "meta.yaml"
        if not meta.exists():
            write_whole(meta, "version: 1\n")

    @property
    def url(self) -> str:
        """As the CLI wants it in PULUMI_BACKEND_URL."""
        return self.root.resolve().as_uri()

    def checkpoint(self, stack: str) -> Path:
        """The stack's file."""
        return self._books / "stacks" / PROJECT / f"{stack}.json"

    def stacks(self) -> tuple[str, ...]:
        """Names of all stacks on record."""
        return tuple(sorted(path.stem for path in self.checkpoint("x").parent.glob("*.json")))

    def known(self, stack: str) -> bool:
        """Whether there is a record of the stack."""
        return self.checkpoint(stack).exists()

    def ensure(self, stack: str) -> None:
        """An empty stack, as `pulumi stack init` leaves it, but without the half second it takes."""
        if not self.known(stack):
            self._write(stack, None)

    def load(self, stack: str) -> dict[str, Any]:
        """The latest deployment; empty when there is none. Raises PermanentError for a file that is not a checkpoint."""
        try:
            data = json.loads(self.checkpoint(stack).read_text(encoding="utf-8"))
            return dict(data["checkpoint"].get("latest") or {})
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise errors.PermanentError(f"the state file of {stack} cannot be read: {self.checkpoint(stack)}") from error

    def save(self, stack: str, deployment: dict[str, Any]) -> None:
        """Replace the latest deployment."""
        self._write(stack, deployment)

    def _write(self, stack: str, deployment: dict[str, Any] | None) -> None:
        path = self.checkpoint(stack)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        checkpoint = {"stack": f"organization/{PROJECT}/{stack}", "latest": deployment}
        # Without indentation: that is what Python's quick encoder can do, and this is written at every step of every resource.
        write_whole(path, json.dumps({"version": 3, "checkpoint": checkpoint}))

    def locks(self, stack: str) -> list[Path]:
        """All lock files of a stack."""
        return sorted((self._books / "locks" / "organization" / PROJECT / stack).glob("*.json"))

    @contextlib.contextmanager
    def lock(self, stack: str) -> Iterator[None]:
        """Hold the stack's lock as the CLI does: write ours, look whether there is another. Raises Busy."""
        name = str(uuid.uuid4())
        path = self._books / "locks" / "organization" / PROJECT / stack / f"{name}.json"
        self._refuse_if_locked(stack, path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        holder = {"pid": os.getpid(), "username": getpass.getuser(), "hostname": socket.gethostname(), "timestamp": _now()}
        with _held_guard:
            _held.add(path.name)
        try:
            write_whole(path, json.dumps(holder))
            self._refuse_if_locked(stack, path)
            yield
        finally:
            path.unlink(missing_ok=True)
            with _held_guard:
                _held.discard(path.name)

    def _refuse_if_locked(self, stack: str, ours: Path) -> None:
        others = [path for path in self.locks(stack) if path != ours]
        if others:
            raise errors.Busy(f"the record of {stack} is locked by another process", hint=f"Lock file: {others[0]}")

    def break_dead_locks(self, stack: str) -> int:
        """Take away locks whose process is gone; how many. Raises Busy when a holder is alive. Only to be called by whoever
        holds the environment's claim (`pulumi.md`, trap 10).
        """
        broken = 0
        for path in self.locks(stack):
            if _alive(path):
                raise errors.Busy(f"the record of {stack} is in use by a living process", hint=f"Lock file: {path}")
            path.unlink(missing_ok=True)
            broken += 1
        return broken

    def forget(self, stack: str) -> None:
        """Every file of a stack: checkpoint, its copies, history, backups and locks."""
        self.checkpoint(stack).unlink(missing_ok=True)
        folder = self.checkpoint(stack).parent
        for path in [*folder.glob(f"{stack}.json.*"), *folder.glob(f".{stack}.json.*"), *self.root.glob(f".{stack}.*.new")]:
            path.unlink(missing_ok=True)  # the CLI's copies, and what a killed writer of ours left
        (self.root / "project" / f"Pulumi.{stack}.yaml").unlink(missing_ok=True)
        for path in (self.root / "project" / ".home" / "logs").glob(f"*+{stack}-*"):
            path.unlink(missing_ok=True)
        for name in ("history", "backups"):
            shutil.rmtree(self._books / name / PROJECT / stack, ignore_errors=True)
        shutil.rmtree(self._books / "locks" / "organization" / PROJECT / stack, ignore_errors=True)

    def crumbs(self, stack: str) -> tuple[str, ...]:
        """Files that still carry the stack's name. Only folders in which something is named after a stack are looked at, and not what
        is below another stack's: with a thousand stacks that would be most of a removal.
        """
        found = []
        for folder in (self.root, self.root / "project", *self._named()):
            with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
                found += [Path(entry.path) for entry in entries if stack in entry.name]
        return tuple(str(path.relative_to(self.root)) for path in sorted(found))

    def _named(self) -> Iterator[Path]:
        books = self._books
        yield from (books / "stacks" / PROJECT, books / "locks" / "organization" / PROJECT, self.root / "project" / ".home" / "logs")
        yield from (books / name / PROJECT for name in ("history", "backups"))


def _alive(lock: Path) -> bool:
    """Whether the process that wrote a lock lives: here by its pid and start time, elsewhere by the lock's age."""
    with _held_guard:
        if lock.name in _held:
            return True
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        written = datetime.fromisoformat(str(holder["timestamp"]))
        pid = int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if holder.get("hostname") != socket.gethostname():
        return datetime.now(UTC) - written < _FOREIGN_LOCK_LIVES
    if pid == os.getpid():
        return False
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= written.timestamp() + 1
    except psutil.NoSuchProcess:
        return False


def write_whole(path: Path, text: str) -> None:
    """Temporary file beside it, fsync, rename; mode 600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    handle = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _now() -> str:
    return datetime.now(UTC).isoformat()
