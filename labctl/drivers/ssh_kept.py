"""Connections kept open while one environment is configured: a login costs more than all that is then said over it.

A play may restart sshd or the whole guest; a connection that ended meanwhile is opened anew, and what was being said is said
again (everything labctl runs on guests may be repeated).
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from labctl import errors
from labctl.drivers import ssh_connection
from labctl.model.environment import Machine


class Kept:
    """At most one connection to each machine. One thread at a time may use the same machine."""

    def __init__(self, enter: Callable[[Machine], ssh_connection.Connection]) -> None:
        self._enter = enter
        self._open: dict[str, ssh_connection.Connection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def root(self, machine: Machine, script: str, *, timeout: float) -> ssh_connection.Outcome:
        """See `ssh_connection.Connection.root`."""
        kept = self._open.get(machine.name)
        if kept is not None and kept.alive:
            try:
                return kept.root(script, timeout=timeout)
            except ssh_connection.TookTooLong:
                raise
            except errors.Unreachable:
                kept.close()
        connection = self._enter(machine)
        self._open[machine.name] = connection
        return connection.root(script, timeout=timeout)
