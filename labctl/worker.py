"""The worker's door: Celery's application with its one-line tasks, and the processes that serve it.

`python -m labctl.worker` keeps a few processes (`drivers.crew`), each a Celery worker with threads: steps mostly wait for the cluster,
and a thread that waits costs a hundredth of what a process costs. More than one process, because one computes on one core only and
because one that dies takes only its own steps with it. Everything heavy is imported once, before they are forked.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable

from labctl import wiring
from labctl.drivers import bell, crew


class House:
    """One wiring per process: connections are not carried over a fork."""

    def __init__(self, make: Callable[[], wiring.Wiring]) -> None:
        self._make = make
        self._guard = threading.Lock()
        self._wired: wiring.Wiring | None = None
        self._pid = 0

    def __call__(self) -> wiring.Wiring:
        """This process's wiring."""
        with self._guard:
            if self._wired is None or self._pid != os.getpid():
                self._wired, self._pid = self._make(), os.getpid()
            return self._wired

    def turn(self, environment: str) -> None:
        """The first task. The ring only says that there is something to look for: what is most urgent is taken."""
        del environment
        self().runner.work()

    def sweep(self) -> None:
        """The second."""
        self().sweep()

    def watch(self) -> None:
        """The third."""
        self().watch.look()


class Door:
    """A worker's application on the wirings that `make` gives."""

    def __init__(self, make: Callable[[], wiring.Wiring]) -> None:
        self.house = House(make)
        self.app = self.house().celery()
        bell.add_tasks(self.app, self.house.turn, self.house.sweep, self.house.watch)

    def serve(self) -> bool:
        """Until told to end; False where that could not even begin."""
        logging.basicConfig(level=logging.INFO)
        wiring.load()
        chosen = self.house().settings
        places = self.house().places
        return crew.Crew(chosen.processes, lambda number: self._serve(bell.worker_name(chosen.installation, number), places)).run()

    def _serve(self, called: str, threads: int) -> None:
        wired = self.house()
        # Built before there are threads: two of them must not build the same driver twice.
        bell.when_told_to_end(wired.stopping.set)
        _ = wired.runner
        bell.serve(self.app, called, threads)


door = Door(wiring.build)
app = door.app

if __name__ == "__main__":
    sys.exit(0 if door.serve() else 1)
