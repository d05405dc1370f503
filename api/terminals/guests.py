"""Connections into guests, one for all terminals of a machine; a further one beyond what its sshd allows on one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncssh

from api.terminals import frames, shells
from labctl import errors, terminals
from labctl.drivers import ssh_inside

CHANNELS = 45
"""On one connection. Guests allow 50 (`drivers.ssh_enrol`); where one allows fewer, that is learned when it refuses."""

WINDOW = 128 * 1024
"""Bytes a guest may send before they were taken: what a paused terminal costs this process at most."""

Session = asyncssh.SSHClientSession[bytes]
Key = tuple[str, str]
Certify = Callable[[str, str], Awaitable[str]]
"""(principal, public key) -> certificate."""


@dataclass
class Inside:
    """One connection; `keeps`: the guest has tmux."""

    connection: asyncssh.SSHClientConnection
    keeps: bool
    channels: int = 0
    most: int = CHANNELS


@dataclass
class _Machine:
    """What is open to one machine; `gate`: whoever comes while a connection is being made waits for that one."""

    open: list[Inside] = field(default_factory=list)
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    failures: int = 0
    fault: str = ""


class Guests:
    """`port` is where guests' sshd listens."""

    def __init__(self, host_authority: Callable[[], str], certify: Certify, *, port: int = ssh_inside.PORT) -> None:
        self._host_authority = host_authority
        self._certify = certify
        self._port = port
        self._machines: dict[Key, _Machine] = {}

    def connections(self) -> int:
        """How many are open, for tests and figures."""
        return sum(len(machine.open) for machine in self._machines.values())

    async def inside(self, admission: terminals.Admission) -> Inside:
        """A connection with room for one more channel, counted as taken: `leave` gives it back. Raises Unreachable, Forbidden."""
        key = (admission.way.environment, admission.target.name)
        machine = self._machines.setdefault(key, _Machine())
        machine.waiting += 1
        failures = machine.failures
        try:
            async with machine.gate:
                if machine.failures > failures:
                    # It was tried while this one waited: a class that reconnects to a dead guest must not wait in a row.
                    raise errors.Unreachable(machine.fault)
                machine.open = [one for one in machine.open if not one.connection.is_closed()]
                found = next((one for one in machine.open if one.channels < one.most), None)
                if found is None:
                    found = await self._tried(admission, machine)
                    machine.open.append(found)
                found.channels += 1
                return found
        finally:
            machine.waiting -= 1
            self._tidy(key, machine)

    async def open(
        self, admission: terminals.Admission, inside: Inside, make: Callable[[], Session], command: str | None, size: frames.Size
    ) -> Inside:
        """A terminal of that size on it, or on a further connection where the guest allows no more on this one; the one it is on. Where
        it raises Unreachable, `inside` was given back.
        """
        while True:
            try:
                await _channel(inside.connection, make, command, size)
            except asyncssh.ChannelOpenError:
                inside.most = inside.channels - 1
                self.leave(admission, inside)
                if inside.most == 0:
                    raise errors.Unreachable("the machine opens no terminal (ChannelOpenError)") from None
                inside = await self.inside(admission)
            except (asyncssh.Error, OSError, TimeoutError) as error:
                self.leave(admission, inside)
                raise errors.Unreachable(f"the machine opens no terminal ({type(error).__name__})") from None
            else:
                return inside

    def leave(self, admission: terminals.Admission, inside: Inside) -> None:
        """A connection that nobody uses is closed."""
        inside.channels -= 1
        key = (admission.way.environment, admission.target.name)
        machine = self._machines.get(key)
        if inside.channels == 0:
            inside.connection.abort()
            if machine is not None and inside in machine.open:
                machine.open.remove(inside)
        if machine is not None:
            self._tidy(key, machine)

    def _tidy(self, key: Key, machine: _Machine) -> None:
        if not machine.open and not machine.waiting:
            self._machines.pop(key, None)

    async def marked(self, inside: Inside, mark: str) -> bool:
        """Whether the shell there has this mark (`api.terminals.marks`); no where the guest does not say."""
        try:
            async with asyncio.timeout(ssh_inside.LOGIN_SECONDS):
                found = await inside.connection.run(shells.marked(mark), stdin=asyncssh.DEVNULL)
        except (asyncssh.Error, OSError, TimeoutError):
            return False
        return found.exit_status == 0

    async def _tried(self, admission: terminals.Admission, machine: _Machine) -> Inside:
        try:
            return await self._enter(admission)
        except errors.Unreachable as error:
            machine.failures += 1
            machine.fault = error.message
            raise

    async def _enter(self, admission: terminals.Admission) -> Inside:
        principal = admission.way.principal
        connection = await ssh_inside.enter(
            admission.target, self._host_authority(), lambda key: self._certify(principal, key), port=self._port
        )
        try:
            async with asyncio.timeout(ssh_inside.LOGIN_SECONDS):
                found = await connection.run(shells.PROBE, stdin=asyncssh.DEVNULL)
        except (asyncssh.Error, OSError, TimeoutError) as error:
            connection.abort()
            raise errors.Unreachable(f"{admission.target.name} does not answer ({type(error).__name__})") from None
        return Inside(connection, keeps=found.exit_status == 0)


async def _channel(connection: asyncssh.SSHClientConnection, make: Callable[[], Session], command: str | None, size: frames.Size) -> None:
    async with asyncio.timeout(ssh_inside.LOGIN_SECONDS):
        await connection.create_session(
            make,
            command,
            request_pty="force",
            term_type="xterm-256color",
            term_size=(size.columns, size.rows),
            env={"LANG": "C.UTF-8"},
            encoding=None,
            window=WINDOW,
        )
