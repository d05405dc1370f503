"""A channel carried to a guest: two halves that pass bytes to each other, and stop reading while the seat's quota is used up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import asyncssh

from labctl.door import limits

DIAL_SECONDS = 5.0
"""A guest on the management network answers in milliseconds, or is off."""


class Half(asyncssh.SSHForwarder):
    """One end. `over` is called once when the channel is gone."""

    def __init__(self, quota: limits.Quota, peer: Half | None = None, over: Callable[[], None] = lambda: None) -> None:
        super().__init__(peer)
        self._quota = quota
        self._over: Callable[[], None] | None = over

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        """Pass on; wait a little where more was carried than the seat may."""
        super().data_received(data, datatype)
        pause = self._quota.wait(len(data))
        if pause and self._transport is not None:
            self.pause_reading()
            asyncio.get_running_loop().call_later(pause, self._go_on)

    def eof_received(self) -> bool:
        """Pass on. Once both ends have said their last word nobody else would close: the guest's end leaves it to asyncssh where it was
        the first to fall silent, and asyncssh leaves it to the guest's end.
        """
        other_speaks = super().eof_received()
        if not other_speaks:
            asyncio.get_running_loop().call_soon(self.close)
        return other_speaks

    def _go_on(self) -> None:
        if self._transport is not None:
            self.resume_reading()

    def close(self) -> None:
        """Both ends go; said once."""
        over, self._over = self._over, None
        if over is not None:
            over()
        super().close()


async def dial(address: str, port: int, quota: limits.Quota, over: Callable[[], None]) -> Half:
    """A new connection to a guest, ready to be joined to a channel. Raises ChannelOpenError."""
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            _, peer = await asyncio.get_running_loop().create_connection(lambda: Half(quota), address, port)
    except (OSError, TimeoutError):
        over()
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "that machine does not answer") from None
    return Half(quota, peer, over)


async def through(guest: asyncssh.SSHClientConnection, host: str, port: int, quota: limits.Quota, over: Callable[[], None]) -> Half:
    """The same through a guest's own SSH connection (relay): the guest dials, and only what it can reach is reached."""
    try:
        _, peer = await guest.create_connection(cast("type[asyncssh.SSHTCPSession[bytes]]", lambda: Half(quota)), host, port)
    except (asyncssh.Error, OSError) as error:
        over()
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from None
    return Half(quota, cast("Half", peer), over)
