"""Tasks: Proxmox answers long calls with a UPID; here labctl waits for it and judges its end.

Success is `OK` or `WARNINGS: n` (`proxmox-truth.md` 3.3). When to look is learned: the first look comes shortly before tasks of that
type usually end, later ones at a small part of that time. When more than a few tasks of one node are waited for in this process, one
look at the node's list serves them all (`proxmox-truth.md` 4, best practice 3).
"""

from __future__ import annotations

import re
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import answers, client

DEADLINE = 600.0
"""Seconds after which a task that still runs is called Busy."""

FEW = 3
"""Up to so many tasks of one node are asked for one by one; the list costs the node more than a status does."""

_FIRST_PAUSE = 0.08
"""Before anything is known of a type: a linked clone takes half a second."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.03, 2.0
_SPACING = 0.05
"""Between two looks that serve all."""

_SETTLING = 5.0
"""Seconds in which a fresh UPID may not be known yet (`proxmox-truth.md` 3.3, errors)."""

_OLD = 60.0
"""Seconds after which a task is asked for by itself again: a list since its beginning would grow long."""

_LISTED = 500
"""Rows of the list; whoever is not among them is asked for by itself."""

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


def wait(to: client.Client, upid: str, doing: str, *, deadline: float = DEADLINE, cancelled: Cancelled = never) -> str:
    """Wait for the task's end: "OK" or "WARNINGS: n". Raises what another exit status means; Busy when it still runs after `deadline`
    seconds.
    """
    node = node_of(upid)
    with _guard:
        watch = _watches.setdefault(to, {}).setdefault(node, _Watch(to, node))
    end = watch.wait(upid, doing, deadline, cancelled)
    if not _OK.fullmatch(end):
        raise answers.judge(answers.Answer(0, end), doing)
    return end


def running(to: client.Client, node: str, *, vmid: int | None = None, kind: str | None = None) -> list[dict[str, Any]]:
    """Tasks of ours that run now on a node. A clone's id is its *source's* VMID (`proxmox-truth.md` 3.3)."""
    rows = to.get(f"/nodes/{node}/tasks", source="active", vmid=vmid, typefilter=kind, limit=500)
    return [dict(row) for row in rows if not row.get("endtime")]


@dataclass
class _Wait:
    """One task that somebody waits for. `due` is when to look next."""

    upid: str
    began: float
    due: float
    pause: float
    ended: threading.Event = field(default_factory=threading.Event)
    end: str = ""
    alone: bool = False
    """The list did not have it."""

    @property
    def kind(self) -> str:
        return self.upid.split(":")[5]

    @property
    def since(self) -> int:
        """When it began, by the node's own clock."""
        return int(self.upid.split(":")[4], 16)

    def settle(self, end: str) -> None:
        self.end = end
        self.ended.set()

    def later(self, now: float, spacing: float = 0.0) -> None:
        """It still runs. `spacing` is the least time until the next look that serves all."""
        if now >= self.due:
            self.pause = min(self.pause * 1.3, _LONGEST_PAUSE)
            self.due = now + self.pause
        self.due = max(self.due, now + spacing)


class _Watch:
    """All waits of this process for tasks of one node."""

    def __init__(self, to: client.Client, node: str) -> None:
        self._client = weakref.ref(to)
        self._node = node
        self._guard = threading.Lock()
        self._waits: dict[str, _Wait] = {}
        self._looking = False
        self._usual: dict[str, float] = {}
        """Seconds that tasks of a type usually take."""

    def wait(self, upid: str, doing: str, deadline: float, cancelled: Cancelled) -> str:
        """How the task ended."""
        entry = self._begin(upid)
        try:
            while not entry.ended.wait(min(max(entry.due - time.monotonic(), 0.0), 0.5)):
                if cancelled():
                    raise answers.Stopped(f"cancelled while waiting for {doing}")
                if time.monotonic() - entry.began > deadline:
                    raise errors.Busy(f"{doing} still runs after {deadline:.0f} s (task {upid})")
                if time.monotonic() >= entry.due:
                    self._look(entry)
        finally:
            with self._guard:
                del self._waits[upid]
        with self._guard:
            took = time.monotonic() - entry.began
            self._usual[entry.kind] = 0.7 * self._usual.get(entry.kind, took) + 0.3 * took
        return entry.end

    def _begin(self, upid: str) -> _Wait:
        now = time.monotonic()
        with self._guard:
            entry = _Wait(upid, now, now + _FIRST_PAUSE, _FIRST_PAUSE)
            usual = self._usual.get(entry.kind)
            if usual is not None:
                entry.due = now + min(max(0.8 * usual, _SHORTEST_PAUSE), _LONGEST_PAUSE)
                entry.pause = max(0.12 * usual, _SHORTEST_PAUSE)
            self._waits[upid] = entry
        return entry

    def _look(self, entry: _Wait) -> None:
        """For all who wait, when they are many; when another thread is looking for all just now, its look will do."""
        with self._guard:
            now = time.monotonic()
            many = [one for one in self._waits.values() if not one.alone and now - one.began < _OLD]
            shared = len(many) > FEW and entry in many
            if shared and self._looking:
                entry.due = now + _SHORTEST_PAUSE
                return
            self._looking = self._looking or shared
        if not shared:
            self._ask(entry)
            return
        try:
            self._list(many)
        finally:
            with self._guard:
                self._looking = False

    def _ask(self, entry: _Wait) -> None:
        try:
            status = self._get(f"/nodes/{self._node}/tasks/{entry.upid}/status")
        except (errors.NotFound, errors.PermanentError):
            if time.monotonic() - entry.began > _SETTLING:
                raise
            status = {}
        if status.get("status") == "stopped":
            entry.settle(str(status.get("exitstatus") or "unexpected status"))
        else:
            entry.later(time.monotonic())

    def _list(self, many: list[_Wait]) -> None:
        rows = self._get(f"/nodes/{self._node}/tasks", source="all", since=min(one.since for one in many), limit=_LISTED)
        found = {str(row.get("upid")): row for row in rows}
        now, spacing = time.monotonic(), max(_SPACING, min(one.pause for one in many))
        for entry in many:
            row = found.get(entry.upid)
            entry.alone = row is None
            if row is not None and row.get("endtime"):
                entry.settle(str(row.get("status") or "unexpected status"))
            else:
                entry.later(now, spacing)

    def _get(self, path: str, **parameters: Any) -> Any:
        to = self._client()
        if to is None:  # whoever waits holds it
            raise answers.Stopped("the connection to Proxmox was given up")
        return to.get(path, **parameters)


_watches: weakref.WeakKeyDictionary[client.Client, dict[str, _Watch]] = weakref.WeakKeyDictionary()
_guard = threading.Lock()
