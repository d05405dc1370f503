"""Streams of pages and programs end when whoever follows them is signed out, or may see no more of it (`labctl.knowing`).

All streams of this process are asked about in one question, at most once a second. Terminals and desktops are asked about by
`api.terminals.rooms`, at the same pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from anyio import to_thread
from fastapi import Request
from fastapi.sse import ServerSentEvent

from api import who
from labctl import errors, wiring
from labctl.model import people

LOOK_SECONDS = 1.0

BY_TIME = timedelta(seconds=5)
"""Where nothing was written only time ends anything: sessions and tokens, which may end a little later."""

LEFT = ServerSentEvent(raw_data="{}", event="left")
"""The last that is sent to somebody who may see no more: whoever asks again is told why, so a page is loaded anew."""

_log = logging.getLogger(__name__)

Written = Callable[[], Awaitable[int | None]]
"""`ports.Changes.written`. Raises LabctlError."""

Still = Callable[[frozenset[str]], Awaitable[Mapping[str, people.Person]]]
"""Proofs -> who these are now (`labctl.knowing`); what ended is left out. Raises LabctlError."""

Stays = Callable[[people.Person], bool]
"""Whether somebody may still see what a stream tells."""


class Pace:
    """Whether it is worth asking who may stay: to ask about everybody costs more than all that is sent to them."""

    def __init__(self, written: Written, now: Callable[[], datetime]) -> None:
        self._written = written
        self._now = now
        self._seen: int | None = None
        self._asked: datetime | None = None

    async def due(self, ends: Iterable[datetime] = ()) -> bool:
        """Whether anything can have ended since it last was; `ends` are moments at which something does. Raises LabctlError."""
        written, now = await self._written(), self._now()
        before, self._seen = self._seen, written
        quiet = before is not None and before == written and self._asked is not None and abs(now - self._asked) < BY_TIME
        if quiet and not any(end <= now for end in ends):
            return False
        self._asked = now
        return True

    def forget(self) -> None:
        """Somebody came, or an answer was not to be had: what was seen by then says nothing."""
        self._seen = None


@dataclass(eq=False)
class _Follower:
    """Somebody with a stream."""

    proof: str = field(repr=False)
    stays: Stays
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """All of this process."""

    def __init__(self, still: Still, written: Written, now: Callable[[], datetime]) -> None:
        self._still = still
        self._pace = Pace(written, now)
        self._followers: set[_Follower] = set()
        self._looking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._followers)

    async def to(self, asker: who.Asker, stays: Stays, events: AsyncIterator[ServerSentEvent]) -> AsyncGenerator[ServerSentEvent]:
        """These events while that is so, then `LEFT`."""
        with self._following(_Follower(asker.proof, stays)) as follower:
            gone = asyncio.create_task(follower.gone.wait())
            coming: asyncio.Task[ServerSentEvent | None] | None = None
            try:
                while True:
                    coming = asyncio.create_task(_next(events))
                    await asyncio.wait((coming, gone), return_when=asyncio.FIRST_COMPLETED)
                    if not coming.done():
                        yield LEFT
                        return
                    if (event := coming.result()) is None:
                        return
                    yield event
            finally:
                gone.cancel()
                if coming is not None:
                    coming.cancel()

    @contextlib.contextmanager
    def _following(self, follower: _Follower) -> Iterator[_Follower]:
        self._followers.add(follower)
        self._pace.forget()  # what was written since they were known may have been looked at without them
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            if not self._followers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """One look. Where nobody can be asked they stay: what they would be sent cannot be read then, either."""
        there = set(self._followers)
        try:
            if not await self._pace.due():
                return
            known = await self._still(frozenset(one.proof for one in there))
        except errors.LabctlError as error:
            self._pace.forget()
            _log.warning("cannot ask who may follow: %s", error)
            return
        for one in there:
            person = known.get(one.proof)
            if person is None or not one.stays(person):
                one.gone.set()


async def _next(events: AsyncIterator[ServerSentEvent]) -> ServerSentEvent | None:
    return await anext(events, None)


def streams(wired: wiring.Wiring) -> Streams:
    """For an app; asks the database in threads."""

    async def still(proofs: Collection[str]) -> Mapping[str, people.Person]:
        return await to_thread.run_sync(wired.knowing.still, proofs)

    async def written() -> int | None:
        return await to_thread.run_sync(wired.changes.written)

    return Streams(still, written, wired.clock.now)


def following(
    request: Request, asker: who.Asker, stays: Stays, events: AsyncIterator[ServerSentEvent]
) -> contextlib.aclosing[AsyncGenerator[ServerSentEvent]]:
    """These events for somebody, while they may see them."""
    kept = request.app.state.streams
    assert isinstance(kept, Streams)
    return contextlib.aclosing(kept.to(asker, stays, events))
