"""One detached process: start it, know it again, stop it.

A pid file holds the pid *and* who that is (`labctl.drivers.liveness`: boot and start, in ticks that no setting of the
clock moves), so that a pid the kernel has given to somebody else is never taken for ours and never killed. What the
processes are for is not known here (`labctl.services.parts`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil

from labctl import errors
from labctl.drivers import liveness

Say = Callable[[str], None]
"""Takes one plain line for the person who waits."""


DYING_SECONDS = 60.0
"""For how long a killed process is waited for: at once mostly, but all its threads have to come to it, and its memory has to go."""


@dataclass(frozen=True)
class Part:
    """One of labctl's processes. `ready` says whether it does its work now; `deadline` is how long that may take, in
    seconds: on a slow machine minutes, for one that ends instead is told at once.

    `tree`: stopping it by force takes its children along (a worker's pool); never so for the node, whose guests live on.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    deadline: float = 240
    grace: float = 20
    tree: bool = True
    umask: int = 0o077


@dataclass(frozen=True)
class Running:
    """What a part looks like from outside. `memory` is its and its children's proportional share (PSS) in bytes."""

    name: str
    pid: int
    since: float
    memory: int


class Processes:
    """The detached processes of one home."""

    def __init__(self, home: Path) -> None:
        self._run = home / "run"
        self._log = home / "log"

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self._log / f"{name}.log"

    def find(self, name: str) -> psutil.Process | None:
        """The living process of that part, if the one written down is still the same one."""
        try:
            note = json.loads((self._run / f"{name}.pid").read_text())
            process = psutil.Process(int(note["pid"]))
            return process if note["who"] and liveness.of(process.pid) == note["who"] else None
        except (OSError, ValueError, KeyError, TypeError, psutil.NoSuchProcess):
            return None

    def begin(self, part: Part) -> bool:
        """Start the part unless it lives, and do not wait. Whether it was started."""
        if self.find(part.name) is not None:
            return False
        self._start(part)
        return True

    def ensure(self, part: Part, say: Say) -> bool:
        """Start the part unless it lives, then wait until it is ready. False when it was already there."""
        process = self.find(part.name)
        if process is not None and part.ready():
            return False
        if process is not None:
            try:
                self._wait(part, process, say)
            except errors.LabctlError as error:
                # It lives and does nothing, or died meanwhile: a new one may do better, and says why if not.
                say(f"{error.message} Starting it anew.")
                self.stop(part.name, grace=part.grace, tree=part.tree)
            else:
                return False
        self._wait(part, self._start(part), say)
        return True

    def _start(self, part: Part) -> psutil.Process:
        self._run.mkdir(parents=True, exist_ok=True)
        self._log.mkdir(parents=True, exist_ok=True)
        with _unbroken(), self.log(part.name).open("ab") as log:
            return self._spawn(part, log)

    def _spawn(self, part: Part, log: BinaryIO) -> psutil.Process:
        child = subprocess.Popen(
            list(part.argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self._run,
            env={**os.environ, **part.env},
            start_new_session=True,
            umask=part.umask,
        )
        process = psutil.Process(child.pid)
        note = self._run / f"{part.name}.pid"
        draft = note.with_suffix(".draft")
        draft.write_text(json.dumps({"pid": child.pid, "who": liveness.of(child.pid)}))
        draft.replace(note)
        return process

    def _wait(self, part: Part, process: psutil.Process, say: Say) -> None:
        deadline = time.monotonic() + part.deadline
        told = time.monotonic()
        while not part.ready():
            if liveness.of(process.pid) is None or not process.is_running():
                raise errors.PermanentError(
                    f"{part.name} ended while it was starting: {self.last_words(part.name)}",
                    hint=f"Its output is in {self.log(part.name)}.",
                )
            if time.monotonic() > deadline:
                raise errors.Unreachable(
                    f"{part.name} runs (pid {process.pid}) but was not ready within {part.deadline:.0f} s: {self.last_words(part.name)}",
                    hint=f"Its output is in {self.log(part.name)}; `labctl up` again goes on waiting.",
                )
            if time.monotonic() - told > 10:
                told = time.monotonic()
                say(f"still waiting for {part.name}")
            time.sleep(0.1)

    def last_words(self, name: str) -> str:
        """The last line of a part's log that says something."""
        try:
            text = self.log(name).read_bytes()[-4000:].decode("utf-8", "replace")
        except OSError:
            return "it wrote nothing"
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it wrote nothing"

    def stop(self, part_name: str, *, grace: float, tree: bool) -> bool:
        """Ask it to end, then end it by force. False when it was not running."""
        process = self.find(part_name)
        if process is None:
            self._forget(part_name)
            return False
        family = [process]
        with contextlib.suppress(psutil.NoSuchProcess):
            family += process.children(recursive=True) if tree else []
            process.terminate()
            _gone(process, grace)
        _, alive = psutil.wait_procs(family, timeout=0.5)
        for left in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
        psutil.wait_procs(alive, timeout=DYING_SECONDS)
        self._forget(part_name)
        return True

    def _forget(self, name: str) -> None:
        (self._run / f"{name}.pid").unlink(missing_ok=True)

    def running(self, name: str) -> Running | None:
        """What it looks like now, or None."""
        process = self.find(name)
        if process is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            return Running(name, process.pid, process.create_time(), _memory(process))
        return None


@contextlib.contextmanager
def _unbroken() -> Iterator[None]:
    """Let Ctrl-C wait until the end: between a process and the note of its pid there must be no way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _memory(process: psutil.Process) -> int:
    total = 0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += one.memory_full_info().pss
    return total


def _gone(process: psutil.Process, seconds: float) -> None:
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(timeout=seconds)
