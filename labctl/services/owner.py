"""Which checkout runs labctl in a home: two of them on one home would undo each other's work."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from labctl import errors
from labctl.services import processes as processes_


def checkout() -> Path:
    """The folder this labctl runs from."""
    return Path(__file__).resolve().parents[2]


def recorded(home: Path) -> Path | None:
    """The checkout that last brought labctl up in this home."""
    try:
        return Path(json.loads((home / "run" / "owner.json").read_text())["checkout"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def refuse_other(home: Path, names: tuple[str, ...]) -> None:
    """Raise Conflict while labctl from another checkout runs in this home."""
    other = recorded(home)
    if other is None or other == checkout():
        return
    alive = [name for name in names if processes_.Processes(home).find(name)]
    if alive:
        raise errors.Conflict(
            f"labctl from {other} is running here (home {home}: {', '.join(alive)}); this one is {checkout()}.",
            hint=f"Stop it with `{other}/.venv/bin/labctl down`, or give this one a home and ports of its own "
            "(LABCTL_HOME, LABCTL_API_PORT, LABCTL_DOOR_PORT, LABCTL_SANDBOX_PORT, LABCTL_INSTALLATION, LABCTL_MANAGEMENT).",
        )


def record(home: Path) -> None:
    """Write down that labctl of this checkout runs in this home."""
    note = home / "run" / "owner.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps({"checkout": str(checkout()), "pid": os.getpid()}))


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Hold the home's lock while processes are started or stopped. The kernel lets go of it when we die."""
    path = home / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.Busy(
                f"another `labctl up` or `labctl down` is at work in {home}.", hint="Wait until it is done, then try again."
            ) from None
        yield
