"""Who is known here just now: cookies and what they open, as the API said it, looked at again each second in one question for all.

A seat that was reset, swapped or closed, whose lease ended, or whose visitor signed out, is out within about a second. While labctl's
API does not answer, those who are known stay until their lease's end, and nobody new comes in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from labctl import errors
from labctl.model import web_apps

LOOK_SECONDS = 1.0
UNUSED_SECONDS = 300.0
"""After that much silence a cookie is asked about anew."""

MOST = 20_000
AT_ONCE = 32
"""Questions about cookies: whoever invents them must not keep the API busy."""

_log = logging.getLogger(__name__)


class Asks(Protocol):
    """Labctl's API, as far as visits go."""

    async def visit(self, host: str, secret: str) -> web_apps.Visit:
        """What a cookie opens at that host. Raises Unauthenticated, NotFound (no such host), Forbidden, Unreachable."""

    async def still(self, visits: frozenset[str]) -> frozenset[str]:
        """Those that may go on. Raises Unreachable."""


@dataclass
class _Known:
    visit: web_apps.Visit
    used: float


class Visits:
    """`open` says which visits have a connection open, `end` ends those of these, and leaves machines where nobody is."""

    def __init__(self, asks: Asks, open_: Callable[[], frozenset[web_apps.Visit]], end: Callable[[frozenset[str]], None]) -> None:
        self._asks = asks
        self._open = open_
        self._end = end
        self._known: dict[tuple[str, str], _Known] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def of(self, host: str, secret: str) -> web_apps.Visit:
        """Raises as `Asks.visit`."""
        known = self._known.get((host, secret))
        if known is None:
            async with self._turns:
                visit = await self._asks.visit(host, secret)
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[host, secret] = _Known(visit, 0.0)
        known.used = time.monotonic()
        return known.visit

    async def watch(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        while not stop.is_set():
            await self.look()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """One look."""
        since = time.monotonic() - UNUSED_SECONDS
        for key in [key for key, known in self._known.items() if known.used < since]:
            del self._known[key]
        asked = {one.id: one for one in (*self._open(), *(known.visit for known in self._known.values()))}
        try:
            alive = await self._asks.still(frozenset(asked)) if asked else frozenset[str]()
        except errors.LabctlError as error:
            _log.warning("cannot ask who may stay: %s", error)
            now = datetime.now(UTC)
            alive = frozenset(id_ for id_, one in asked.items() if one.until > now)
        gone = frozenset(asked) - alive
        for key in [key for key, known in self._known.items() if known.visit.id in gone]:
            del self._known[key]
        self._end(gone)

    def environments(self) -> frozenset[str]:
        """Whose machines may be entered just now."""
        return frozenset(one.environment for one in (*self._open(), *(known.visit for known in self._known.values())))
