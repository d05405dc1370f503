"""The desktop of a guest: a VNC server on a unix socket of the learner's, reached through the guest's own sshd (`access.md` 4).

There is no port and no VNC password: who may be here was asked before, and sshd lets in labctl's certificates. The role `desktop` in
`playbooks/roles` puts such a server into a machine.
"""

from __future__ import annotations

import asyncio

import asyncssh

from labctl import errors
from labctl.drivers import ssh_inside

WINDOW = 256 * 1024
"""Bytes a guest may send before they were taken: what a viewer who reads nothing costs this process at most."""


class NoDesktop(errors.Unreachable):
    """The guest answers, and has no such socket."""


def socket(login: str) -> str:
    """Where the VNC server of that account listens."""
    return f"/run/labctl-desktop/{login}/rfb"


class Channel:
    """Fills `rfb.Streams`."""

    def __init__(self, reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
        self._reader = reader
        self._writer = writer

    async def exactly(self, size: int) -> bytes:
        """So many bytes."""
        return await self._reader.readexactly(size) if size else b""

    async def some(self) -> bytes:
        """What there is; empty at the end."""
        try:
            return await self._reader.read(64 * 1024)
        except (asyncssh.Error, OSError):
            return b""

    async def send(self, data: bytes) -> None:
        """Returns when there is room for more."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except asyncssh.Error as error:
            raise ConnectionResetError(type(error).__name__) from None

    def close(self) -> None:
        """At once."""
        self._writer.channel.abort()


async def open_(connection: asyncssh.SSHClientConnection, login: str) -> Channel:
    """A connection to the desktop. Raises NoDesktop, Unreachable."""
    try:
        async with asyncio.timeout(ssh_inside.LOGIN_SECONDS):
            reader, writer = await connection.open_unix_connection(socket(login), encoding=None, window=WINDOW)
    except asyncssh.ChannelOpenError:
        raise NoDesktop("the machine has no desktop that answers") from None
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise errors.Unreachable(f"the machine opens no desktop ({type(error).__name__})") from None
    return Channel(reader, writer)
