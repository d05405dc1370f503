"""How connections are listened to: as uvicorn does, but nobody holds one for long without asking anything.

uvicorn waits without end for a request's head. Whoever opens connections and says nothing, or says it sign by sign, would use up the
files that the process may have open, and then nobody is let in.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http import h11_impl

from labctl.model import crowd


class Connection(h11_impl.H11Protocol):
    """One connection by HTTP."""

    head_seconds: ClassVar[float] = 10.0
    """For a request's head, from its first byte on or from the beginning of the connection."""

    most: ClassVar[int] = 1000
    """Connections that have asked nothing yet; beyond them one goes for each that comes."""

    waiting: ClassVar[dict[Connection, str]] = {}
    """Those whose request has not come yet, in the order in which they began, with where they come from."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It has to ask something soon."""
        super().connection_made(transport)
        if len(self.waiting) >= self.most:
            crowd.going(self.waiting).give_up()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """As soon as the head is there it may take its time; between two requests uvicorn has a deadline of its own."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._wait()
        else:
            self._came()

    def connection_lost(self, exc: Exception | None) -> None:
        """It waits no more."""
        self._came()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Without a word."""
        self._came()
        self.transport.abort()

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.head_seconds, self.give_up)
            self.waiting[self] = str((self.client or ("",))[0])

    def _came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
            self.waiting.pop(self, None)


LISTENING: dict[str, Any] = {"http": Connection}
"""What uvicorn is told."""
