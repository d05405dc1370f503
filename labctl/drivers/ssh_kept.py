"""Connections kept open from one step of an environment to the next: a login costs a guest more than all that is then said over it.

They live no longer than a turn of the runner (`ports.Prober.leave`), and are left before any step that switches guests off or rolls
them back, for then nobody would answer on them any more. A play may restart sshd; a connection that ended meanwhile is opened anew,
and what was being said is said again (everything labctl runs on guests may be repeated).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from labctl import errors
from labctl.drivers import ssh_connection
from labctl.model.environment import Machine

Enter = Callable[[Machine], ssh_connection.Connection]


class Kept:
    """At most one connection to each machine of each environment. One thread at a time may use the same machine."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._open: dict[str, dict[str, ssh_connection.Connection]] = {}

    def keep(self, environment: str, machine: str, connection: ssh_connection.Connection) -> None:
        """From now on this is the machine's connection."""
        with self._guard:
            before = self._open.setdefault(environment, {}).get(machine)
            self._open[environment][machine] = connection
        if before is not None and before is not connection:
            before.close()

    def enter(self, environment: str, machine: Machine, enter: Enter) -> ssh_connection.Connection:
        """The machine's connection, opened by `enter` where there is none that lives."""
        return self._living(environment, machine) or self._anew(environment, machine, enter)

    def root(self, environment: str, machine: Machine, enter: Enter, script: str, *, timeout: float) -> ssh_connection.Outcome:
        """See `ssh_connection.Connection.root`."""
        kept = self._living(environment, machine)
        if kept is not None:
            try:
                return kept.root(script, timeout=timeout)
            except ssh_connection.TookTooLong:
                raise
            except errors.Unreachable:
                kept.close()
        return self._anew(environment, machine, enter).root(script, timeout=timeout)

    def _living(self, environment: str, machine: Machine) -> ssh_connection.Connection | None:
        with self._guard:
            kept = self._open.get(environment, {}).get(machine.name)
        return kept if kept is not None and kept.alive and kept.host_key == machine.host_key else None

    def _anew(self, environment: str, machine: Machine, enter: Enter) -> ssh_connection.Connection:
        connection = enter(machine)
        self.keep(environment, machine.name, connection)
        return connection

    def leave(self, environment: str) -> None:
        """Close what is open to the environment's machines. Repeatable."""
        with self._guard:
            left = self._open.pop(environment, {})
        for connection in left.values():
            connection.close()
