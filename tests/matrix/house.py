"""A frozen world, and lives of workers in it: a node on paper guests in this process, labctl in processes of its own."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from labctl.sandbox import faults
from labctl.sandbox.faults import rules
from tests.infra import node_plans
from tests.matrix import child, forking, judging
from tests.node_here import NodeHere

HOLD = 61.0
"""Seconds after which a killed worker's claim is over (the default of the settings, and one)."""

PLACE = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where worlds live: a thousand of them need no disk to keep them after a power cut."""

GATES = shutil.ignore_patterns("gates")
"""What a process may take and give back at any moment is no part of a world at rest."""


@dataclass
class Frozen:
    """A world at rest: the node's home and labctl's, in one folder, and what is true in it."""

    folder: Path
    environment: str
    now: datetime
    world: dict[str, Any]
    facts: dict[str, Any]
    files: list[str]

    def drop(self) -> None:
        """Away with it."""
        shutil.rmtree(self.folder, ignore_errors=True)


class House:
    """A frozen world brought to life. Use as a context manager; the frozen one stays as it is."""

    def __init__(self, forks: forking.Forks, frozen: Frozen | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="matrix-", dir=PLACE))
        self.frozen = frozen
        if frozen is not None:
            shutil.copytree(frozen.folder, self._folder, dirs_exist_ok=True)
        self.home = self._folder / "labctl"
        self.home.mkdir(exist_ok=True)
        self._forks = forks
        self.here = NodeHere(self._folder)
        self.now = frozen.now if frozen else datetime.fromisoformat("2030-03-04T12:00:00+00:00")
        self.environment = frozen.environment if frozen else ""

    def __enter__(self) -> Self:
        self.here.__enter__()
        self.site = node_plans.site(self.here)
        return self

    def __exit__(self, *gone: object) -> None:
        self.here.__exit__(None, None, None)
        shutil.rmtree(self._folder, ignore_errors=True)

    def wired(self) -> Any:
        """labctl in this process, for people's wishes and for looking."""
        return child.wired(self.home, self.site, self.now, child.AT_ONCE)

    def cluster(self) -> Any:
        """The cluster as labctl talks to it."""
        return self.wired().provisioner._cluster()

    def environment_(self) -> Any:
        """What the store says."""
        with contextlib.closing(_Looking(self.wired())) as looking:
            return looking.wired.environments.environment(self.environment)

    def begin(self, *, patience: float = child.AT_ONCE, asks: int = 0, until: str = "") -> forking.Life:
        """A worker begins to live."""
        (self.home / "life.json").unlink(missing_ok=True)
        return self._forks.begin(self.home, self.site, self.environment, self.now, patience, asks, until)

    def live(self, *, patience: float = child.AT_ONCE, asks: int = 0, until: str = "") -> child.Life:
        """One whole life."""
        made = self.begin(patience=patience, asks=asks, until=until)
        return self.end(made)

    def end(self, made: forking.Life) -> child.Life:
        """Wait for a life's end. Its claim outlasts one that was killed."""
        code = made.join()
        if code or not (self.home / "life.json").exists():
            self.now += timedelta(seconds=HOLD)
            return child.Life(wrong=f"ended by {code}" + (f": no rest within {child.TOO_LONG} s" if code == -signal.SIGALRM else ""))
        life = child.Life(**json.loads((self.home / "life.json").read_text()))
        self.now = datetime.fromisoformat(life.clock) if life.clock else self.now
        return life

    def rest(self) -> None:
        """Until no task of the node runs any more."""
        deadline = time.monotonic() + 300
        while any("status" not in facts for facts in self.here.node.tasks.known().values()):
            if time.monotonic() > deadline:
                raise AssertionError("tasks of the node do not end")
            time.sleep(0.005)

    def freeze(self) -> Frozen:
        """The world as it is now, at rest; the house goes on with a copy of it."""
        self.rest()
        kept = Frozen(
            Path(tempfile.mkdtemp(prefix="matrix-frozen-", dir=PLACE)),
            self.environment,
            self.now,
            judging.world(self.here.node),
            child.facts(self.environment_()) if self.environment else {},
            judging.files(self.home),
        )
        shutil.copytree(self._folder, kept.folder, dirs_exist_ok=True, ignore=GATES)
        return kept

    def wish(self, **change: Any) -> None:
        """What people want changes."""
        with contextlib.closing(_Looking(self.wired())) as looking:
            looking.wired.classrooms.wish(self.environment, lambda wishes: replace(wishes, **change))


@dataclass
class _Looking:
    wired: Any

    def close(self) -> None:
        self.wired.database.dispose()


class Recorder(faults.Faults):
    """Strikes nothing and writes down every call."""

    def __init__(self) -> None:
        super().__init__(rules.NONE)
        self.calls: list[faults.Call] = []

    def strike(self, call: faults.Call) -> faults.Struck | None:
        self.calls.append(call)
        return None


class Killer(faults.Faults):
    """Kills a process when it makes its nth call. The call itself is done: the worker dies before it hears of it."""

    def __init__(self, nth: int) -> None:
        super().__init__(rules.NONE)
        self._nth, self._count = nth, 0
        self._victim: queue.SimpleQueue[forking.Life] = queue.SimpleQueue()
        self.killed = False

    def meet(self, victim: forking.Life) -> None:
        """Who is to be killed: it has begun already."""
        self._victim.put(victim)

    def strike(self, call: faults.Call) -> faults.Struck | None:
        self._count += 1
        if self._count == self._nth:
            self._victim.get(timeout=120).kill()
            self.killed = True
        return None
