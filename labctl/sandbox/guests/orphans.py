"""What a killed node's own commands are still doing: a copy that writes on, a start whose guest is not yet to be seen.

A new node waits for the starts (their guests then run, which is the truth) and ends the copies (nobody will ever name their layers).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labctl.sandbox.guests import cgroups

WRITERS = {"cp", "tar", "lxc-usernsexec"}
PATIENCE = 15.0
"""Seconds after which a start that is neither over nor to be seen is killed."""


@dataclass(frozen=True)
class Orphan:
    """A process with a path of this home in its command line. `guest` is the one it starts, or None."""

    pid: int
    command: str
    guest: str | None


def settle(home: Path) -> None:
    """Returns when no command of an earlier node works on `home` any more. To be called before anything is read from it."""
    deadline = time.monotonic() + PATIENCE
    while found := [orphan for orphan in _found(home) if not _settled(orphan)]:
        late = time.monotonic() > deadline
        for orphan in found:
            if late or orphan.command in WRITERS:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan.pid, signal.SIGKILL)
        time.sleep(0.02)


def _settled(orphan: Orphan) -> bool:
    """A monitor whose guest can be seen is not an orphan but what it should be."""
    return orphan.guest is not None and cgroups.Groups(orphan.guest).alive()


def _found(home: Path) -> Iterator[Orphan]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            words = (folder / "cmdline").read_bytes().rstrip(b"\0").decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if orphan := _read(int(folder.name), words, home):
            yield orphan


def _read(pid: int, words: list[str], home: Path) -> Orphan | None:
    """LXC's monitor shows itself as `[lxc monitor] <folder> <guest>`, in one word; before that it is still `lxc-start`."""
    guests = str(home / "guests")
    title = words[0].split()
    if title[:2] == ["[lxc", "monitor]"] and len(title) == 4 and title[2] == guests:
        return Orphan(pid, "lxc-start", title[3])
    if "lxc-start" in words[:3] and guests in words:
        return Orphan(pid, "lxc-start", words[words.index("-n") + 1] if "-n" in words[:-1] else None)
    command = words[0].rpartition("/")[2]
    if command in WRITERS and any(word.startswith((f"{home}/layers/", f"{home}/images/")) for word in words[1:]):
        return Orphan(pid, command, None)
    return None
