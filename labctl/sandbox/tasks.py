"""Work that outlives its request: one thread per task, a log file each, an exit status at the end (`proxmox-truth.md` 3.3).

The log's last line says how it ended (`TASK OK`, `TASK ERROR: ...`), as in Proxmox, and that is the truth after a kill of the
node: a log without it is a task that was cut off ("unexpected status"). What a cut-off worker leaves behind is put right in
`recovery`. Deleting a running task cannot stop a thread in mid-air; it sets a flag that workers look at between their steps.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labctl.sandbox import acts, answers, state, upid
from labctl.sandbox.faults import ends
from labctl.sandbox.guests import runtime

KEPT = 1000
"""Finished tasks that are remembered; older logs are removed."""

_log = logging.getLogger(__name__)


class Job:
    """What a worker gets: its name, a place to write lines, and whether it was asked to stop."""

    def __init__(self, name: upid.Upid, log: Path) -> None:
        self.upid = name
        self.killed = threading.Event()
        self.done = threading.Event()
        self.between: Callable[[], None] | None = None
        """Called between two steps: a fault's way to end the worker there."""
        self.warnings = 0
        self._file = log.open("a", encoding="utf-8", buffering=1)

    def say(self, text: str) -> None:
        """A line of the log, there for others at once."""
        self._meet()
        for line in text.split("\n"):
            self._file.write(line + "\n")

    def warn(self, text: str) -> None:
        """A line of the log that makes the end `WARNINGS: n` instead of `OK`."""
        self.warnings += 1
        self.say(f"WARN: {text}")

    def checkpoint(self) -> None:
        """Between two steps: end here if somebody deleted the task."""
        self._meet()
        if self.killed.is_set():
            answers.die("received interrupt")

    def _meet(self) -> None:
        if self.between is not None:
            self.between()

    def close(self) -> None:
        """No more lines."""
        self._file.close()


Worker = Callable[[Job], None]


class Tasks:
    """All tasks of one node."""

    def __init__(self, node: str, home: Path, state_: state.State, pace: float = 1.0, acts_: acts.Acts | None = None) -> None:
        self._node = node
        self._acts = acts_ or acts.Acts()
        self._own = f"UPID:{node}:"
        self._home = home
        self._state = state_
        self._pace = pace
        self._running: dict[str, Job] = {}
        self._names: dict[str, None] = {}
        self._indexed = -1
        self._numbers = itertools.count(os.getpid() % 100_000 * 100 + 1)
        home.mkdir(parents=True, exist_ok=True)

    def start(self, kind: str, ident: str, user: str, worker: Worker) -> str:
        """Begin; the answer is the UPID."""
        pstart = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 100)
        name = upid.Upid(self._node, next(self._numbers) & 0xFFFFFFFF, pstart, int(time.time()), kind, ident, user)
        job = Job(name, self.log_file(str(name)))
        with self._state.change() as content:
            self._index(content)
            content["tasks"][str(name)] = {"starttime": name.starttime}
            self._names[str(name)] = None
            self._forget_old(content)
        self._running[str(name)] = job
        threading.Thread(target=self._run, args=(job, worker, ends.take()), name=kind, daemon=True).start()
        return str(name)

    def _run(self, job: Job, worker: Worker, stroke: ends.Stroke | None) -> None:
        try:
            self._acts.begin()
            status = ends.work(stroke, worker, job, self._state, self._pace)
            if status == "OK" and job.warnings:
                status = f"WARNINGS: {job.warnings}"
        except ends.CutOff:
            status = "unexpected status"
        except answers.Refused as refusal:
            status = refusal.as_task_error()
        except runtime.RuntimeFailure as failure:
            status = str(failure)
        except Exception as failure:
            _log.exception("task %s failed in a way it should not", job.upid)
            status = f"internal error of the sandbox node: {type(failure).__name__}: {failure}"
        finally:
            self._acts.end()
        job.between = None
        if status.startswith("WARNINGS: "):
            job.say(f"TASK {status}")
        elif status != "unexpected status":
            job.say("TASK OK" if status == "OK" else f"TASK ERROR: {status}")
        job.close()
        name = str(job.upid)
        with self._state.change() as content:
            if name in content["tasks"]:
                content["tasks"][name] |= {"endtime": int(time.time()), "status": " ".join(status.split("\n"))}
        self._running.pop(name, None)
        job.done.set()

    def wait(self, name: str, timeout: float) -> bool:
        """Whether the task has ended within `timeout` seconds."""
        job = self._running.get(name)
        return job is None or job.done.wait(timeout)

    def running(self, name: str) -> bool:
        """Whether its worker still works."""
        return name in self._running

    def kill(self, name: str) -> None:
        """Ask a running worker to end at its next checkpoint."""
        job = self._running.get(name)
        if job:
            job.killed.set()

    def log_file(self, name: str) -> Path:
        """Where its lines are."""
        return self._home / name.replace("/", "_")

    def lines(self, name: str) -> list[str] | None:
        """The log, None when there is none."""
        try:
            return self.log_file(name).read_text("utf-8").splitlines()
        except FileNotFoundError:
            return None

    def exit_status(self, name: str) -> str:
        """How a task that runs no more has ended."""
        facts = self._state.content["tasks"].get(name, {})
        if "status" in facts:
            return str(facts["status"])
        last = (self.lines(name) or [""])[-1]
        if last.startswith("TASK ERROR: "):
            return last.removeprefix("TASK ERROR: ")
        return last.removeprefix("TASK ") if last.startswith("TASK ") else "unexpected status"

    def settle(self) -> list[upid.Upid]:
        """After a restart: tasks that were cut off get their end; their names, oldest first."""
        cut: list[upid.Upid] = []
        with self._state.change() as content:
            for name, facts in content["tasks"].items():
                if "status" not in facts and name not in self._running and name.startswith(self._own):
                    facts |= {"endtime": int(time.time()), "status": self.exit_status(name)}
                    parsed = upid.parse(name)
                    if facts["status"] == "unexpected status" and parsed:
                        cut.append(parsed)
        return sorted(cut, key=lambda one: (one.starttime, one.pid))

    def known(self, since: int = 0) -> dict[str, dict[str, Any]]:
        """Name -> starttime, endtime and status of all remembered tasks that began at `since` or later, oldest first."""
        with self._state.reading() as content:
            self._index(content)
            found: dict[str, dict[str, Any]] = {}
            for name in self._names:
                facts = content["tasks"].get(name)
                if facts is not None and facts.get("starttime", since) >= since:
                    found[name] = dict(facts)
        return found

    def knows(self, name: str) -> bool:
        """Whether it is remembered."""
        return name.startswith(self._own) and name in self._state.content["tasks"]

    def _index(self, content: state.Content) -> None:
        """The names of this node's tasks, oldest first: going through those of all nodes at each start would cost more than the start."""
        if self._indexed != self._state.replaced:
            self._names = dict.fromkeys(name for name in content["tasks"] if name.startswith(self._own))
            self._indexed = self._state.replaced

    def _forget_old(self, content: state.Content) -> None:
        tasks = content["tasks"]
        finished = (name for name in self._names if "status" in tasks.get(name, {"status": ""}))
        for name in list(itertools.islice(finished, max(0, len(self._names) - KEPT))):
            tasks.pop(name, None)
            del self._names[name]
            self.log_file(name).unlink(missing_ok=True)
