"""Connections that have shown no ticket yet. Whoever has one shows it at once, so where too many wait, those go that waited longest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from labctl.model import crowd

MOST = 500
"""At once; a class of hundreds reconnects at once after a restart."""


class Lobby:
    """`most` wait at once. Of the address that has most of them the one goes that came first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._waiting: dict[asyncio.Timeout, str] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @contextlib.asynccontextmanager
    async def waiting(self, address: str, seconds: float) -> AsyncIterator[None]:
        """TimeoutError when the time is over, or the place is needed."""
        async with asyncio.timeout(seconds) as patience:
            self._make_room()
            self._waiting[patience] = address
            try:
                yield
            finally:
                self._waiting.pop(patience, None)

    def _make_room(self) -> None:
        if len(self._waiting) < self._most:
            return
        going = crowd.going(self._waiting)
        del self._waiting[going]
        going.reschedule(asyncio.get_running_loop().time())
