"""The worker's door: Celery's application and its two one-line tasks.

Started as `celery --app labctl.worker worker` and `... beat`. Everything heavy is imported once,
before the pool's children are forked, and built in each of them at its first task.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from labctl import wiring
from labctl.drivers import bell


class House:
    """One wiring per process: connections are not carried over a fork."""

    def __init__(self, make: Callable[[], wiring.Wiring]) -> None:
        self._make = make
        self._wired: wiring.Wiring | None = None
        self._pid = 0

    def __call__(self) -> wiring.Wiring:
        """This process's wiring."""
        if self._wired is None or self._pid != os.getpid():
            self._wired, self._pid = self._make(), os.getpid()
        return self._wired

    def turn(self, environment: str) -> None:
        """The first task. The ring only says that there is something to look for: what is most urgent is taken."""
        del environment
        self().runner.look()

    def sweep(self) -> None:
        """The second."""
        self().sweep()


def application(make: Callable[[], wiring.Wiring]) -> bell.Application:
    """Celery with labctl's tasks, on the broker of the wiring that `make` gives."""
    house = House(make)
    app = house().celery()
    bell.add_tasks(app, house.turn, house.sweep)
    bell.before_children(wiring.load)
    return app


app = application(wiring.build)
