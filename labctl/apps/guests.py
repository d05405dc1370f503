"""Ways into guests: one SSH connection to a machine for all who look at its apps, and a channel for each request."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import asyncssh

from labctl import errors
from labctl.apps import bodies
from labctl.drivers import ssh_inside, ssh_tls
from labctl.model import web_apps

HOST = "127.0.0.1"
"""The machine's own: what an app needs to listen on, and no more."""

DIAL_SECONDS = 10.0

Certify = Callable[[str, str], Awaitable[str]]
"""(visit, public key) -> certificate."""


class Closed(errors.TemporaryError):
    """The machine is there, and its app does not answer."""


@dataclass
class Channel:
    """Bytes to and from an app."""

    reader: bodies.Source
    writer: Any


@dataclass
class _Machine:
    """`gate`: whoever comes while a connection is being made waits for that one."""

    connection: asyncssh.SSHClientConnection | None = None
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)


class Guests:
    """`port` is where guests' sshd listens."""

    def __init__(self, host_authority: str, certify: Certify, *, port: int = ssh_inside.PORT) -> None:
        self._host_authority = host_authority
        self._certify = certify
        self._port = port
        self._machines: dict[tuple[str, str], _Machine] = {}
        self._tls = ssh_tls.context()

    def __len__(self) -> int:
        return sum(one.connection is not None for one in self._machines.values())

    async def dial(self, visit: web_apps.Visit) -> Channel:
        """A channel to the app. Raises Closed, Unreachable, Forbidden."""
        connection = await self._inside(visit)
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                if visit.scheme == "https":
                    return await self._sealed(connection, visit.port)
                reader, writer = await connection.open_connection(HOST, visit.port, encoding=None)
                return Channel(reader, writer)
        except (asyncssh.ChannelOpenError, OSError, TimeoutError) as error:
            raise Closed(f"port {visit.port} of {visit.target.name} does not answer ({type(error).__name__})") from None
        except asyncssh.Error as error:
            raise errors.Unreachable(f"{visit.target.name} went away ({type(error).__name__})") from None

    async def _sealed(self, connection: asyncssh.SSHClientConnection, port: int) -> Channel:
        """TLS needs a socket of this machine's own, so a pair of them stands between it and the channel."""
        near, far = socket.socketpair()
        try:
            _, peer = await connection.create_connection(cast("Any", asyncssh.SSHForwarder), HOST, port, encoding=None)
            await asyncio.get_running_loop().create_connection(lambda: cast("Any", asyncssh.SSHForwarder(cast("Any", peer))), sock=far)
            reader, writer = await asyncio.open_connection(sock=near, ssl=self._tls, server_hostname=HOST)
        except BaseException:
            near.close()
            far.close()
            raise
        return Channel(reader, writer)

    async def _inside(self, visit: web_apps.Visit) -> asyncssh.SSHClientConnection:
        machine = self._machines.setdefault((visit.environment, visit.target.name), _Machine())
        async with machine.gate:
            if machine.connection is None or machine.connection.is_closed():
                machine.connection = await ssh_inside.enter(
                    visit.target, self._host_authority, lambda key: self._certify(visit.id, key), port=self._port
                )
            return machine.connection

    def keep_only(self, environments: frozenset[str]) -> None:
        """Leave the machines of all others."""
        for key in [key for key in self._machines if key[0] not in environments and not self._machines[key].gate.locked()]:
            machine = self._machines.pop(key)
            if machine.connection is not None:
                machine.connection.abort()
