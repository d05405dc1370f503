"""The store by its ports, and what time it is."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from labctl import ports, settings
from labctl.drivers import clock as clock_
from labctl.drivers import database as database_


class Stores:
    """See the module. `given` replaces any collaborator."""

    def __init__(self, chosen: settings.Settings, **given: Any) -> None:
        unknown = [name for name in given if not isinstance(getattr(type(self), name, None), cached_property)]
        if unknown:
            msg = f"the wiring has no {', '.join(unknown)}"
            raise TypeError(msg)
        self.settings = chosen
        self.__dict__.update(given)

    @cached_property
    def clock(self) -> ports.Clock:
        """What time it is."""
        return clock_.SystemClock()

    @cached_property
    def database(self) -> database_.Database:
        """The store."""
        url = self.settings.database or f"sqlite:///{self.settings.home / 'labctl.sqlite3'}"
        return database_.Database(url, self.settings.home / "secrets" / "database.key", self.clock)

    @cached_property
    def classrooms(self) -> ports.Classrooms:
        """The desk's side of the store."""
        return self.database

    @cached_property
    def environments(self) -> ports.Environments:
        """The runner's side of the store."""
        return self.database

    @cached_property
    def backlog(self) -> ports.Backlog:
        """What is due."""
        return self.database

    @cached_property
    def golden_rows(self) -> ports.Goldens:
        """Sets of golden machines in the store."""
        return self.database

    @cached_property
    def journal(self) -> ports.Journal:
        """The audit trail."""
        return self.database

    @cached_property
    def timings(self) -> ports.Timings:
        """How long steps took."""
        return self.database

    @cached_property
    def tokens(self) -> ports.Tokens:
        """Bearer tokens."""
        return self.database

    @cached_property
    def codes(self) -> ports.Codes:
        """One-time codes."""
        return self.database

    @cached_property
    def changes(self) -> ports.Changes:
        """Says whether anything was written."""
        return self.database

    @cached_property
    def sights(self) -> ports.Sights:
        """Classes as boards show them."""
        return self.database

    @cached_property
    def tickets(self) -> ports.Tickets:
        """Tickets for terminals."""
        return self.database

    @cached_property
    def joinings(self) -> ports.Joinings:
        """Leave to type along."""
        return self.database

    @cached_property
    def helps(self) -> ports.Helps:
        """Raised hands, messages and notes."""
        return self.database

    @cached_property
    def progresses(self) -> ports.Progresses:
        """How far learners are in the guide."""
        return self.database

    @cached_property
    def passes(self) -> ports.Passes:
        """Passes for web apps."""
        return self.database
