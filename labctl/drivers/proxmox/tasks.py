"""Tasks: Proxmox answers long calls with a UPID; here labctl waits for it and judges its end.

Success is `OK` or `WARNINGS: n` (`proxmox-truth.md` 3.3). Polling starts short, for a linked clone takes half a second,
and grows to two seconds, for a class starts hundreds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import answers, client

DEADLINE = 600.0
"""Seconds after which a task that still runs is called Busy."""

_FIRST_PAUSE = 0.08
_LONGEST_PAUSE = 2.0
_SETTLING = 5.0
"""Seconds in which a fresh UPID may not be known yet (`proxmox-truth.md` 3.3, errors)."""

_OK = re.compile(r"OK|WARNINGS: \d+")
Cancelled = Callable[[], bool]


def never() -> bool:
    """For waits that nobody cancels."""
    return False


def node_of(upid: str) -> str:
    """`UPID:{node}:...`; raises PermanentError for anything else."""
    words = upid.split(":")
    if len(words) < 8 or words[0] != "UPID":
        raise errors.PermanentError(f"Proxmox answered {upid!r} where the id of a task was expected")
    return words[1]


def wait(to: client.Client, upid: str, doing: str, *, deadline: float = DEADLINE, cancelled: Cancelled = never) -> None:
    """Wait for the task's end. Raises what its exit status means; Busy when it still runs after `deadline` seconds."""
    path = f"/nodes/{node_of(upid)}/tasks/{upid}/status"
    began = time.monotonic()
    pause = _FIRST_PAUSE
    while True:
        status = _status(to, path, fresh=time.monotonic() - began < _SETTLING)
        if status.get("status") == "stopped":
            break
        if cancelled():
            raise answers.Stopped(f"cancelled while waiting for {doing}")
        if time.monotonic() - began > deadline:
            raise errors.Busy(f"{doing} still runs after {deadline:.0f} s (task {upid})")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    end = str(status.get("exitstatus") or "unexpected status")
    if not _OK.fullmatch(end):
        raise answers.judge(answers.Answer(0, end), doing)


def _status(to: client.Client, path: str, *, fresh: bool) -> dict[str, Any]:
    try:
        return dict(to.get(path))
    except (errors.NotFound, errors.PermanentError):
        if fresh:
            return {"status": "unknown"}
        raise


def running(to: client.Client, node: str, *, vmid: int | None = None, kind: str | None = None) -> list[dict[str, Any]]:
    """Tasks of ours that run now on a node. A clone's id is its *source's* VMID (`proxmox-truth.md` 3.3)."""
    rows = to.get(f"/nodes/{node}/tasks", source="active", vmid=vmid, typefilter=kind, limit=500)
    return [dict(row) for row in rows if not row.get("endtime")]
