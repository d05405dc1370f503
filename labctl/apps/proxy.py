"""One connection: who comes, to which app, and the bytes between the two (`access.md` 5).

/.labctl/enter?t=TICKET     labctl's own: the ticket becomes a cookie of this host, once
/.labctl/check              labctl's own, at a name that is no app's: its pages try whether a browser gets here
everything else             the guest's, for whoever has the cookie of this very host
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import asyncssh

from labctl import errors
from labctl.apps import bodies, guests, heads, words
from labctl.apps.asking import Asking
from labctl.apps.visits import Visits
from labctl.model import web_apps

ENTER = "/.labctl/enter"

HEAD_SECONDS = 10.0
LAST_SECONDS = 5.0
"""After an answer, for what the browser still sends."""
UNKNOWN = 500
"""Connections that have not shown a cookie yet."""
SEAT = 96
"""Connections of one seat, of all who look at its apps: a browser opens six to each, and a notebook some WebSockets."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where apps are ("https://apps.example.org"), and the origins of labctl's own pages, which may frame them."""

    site: str
    labctl: tuple[str, ...]

    def label(self, host: str) -> str:
        """The part of a host name (without port) that says which app; empty where it is no app's."""
        domain = self.site.partition("://")[2].partition(":")[0]
        label, dot, rest = host.partition(".")
        return label if dot and rest == domain else ""


@dataclass(eq=False)
class Line:
    """A connection that is open."""

    writer: asyncio.StreamWriter
    visit: web_apps.Visit | None = None


@dataclass
class House:
    """What all connections share."""

    place: Place
    asks: Asking
    machines: guests.Guests
    lines: set[Line] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.visits = Visits(self.asks, self._open, self._end)

    def _open(self) -> frozenset[web_apps.Visit]:
        return frozenset(line.visit for line in self.lines if line.visit is not None)

    def _end(self, gone: frozenset[str]) -> None:
        for line in [line for line in self.lines if line.visit is not None and line.visit.id in gone]:
            line.writer.transport.abort()
        self.machines.keep_only(self.visits.environments())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        line = Line(writer)
        self.lines.add(line)
        try:
            if sum(one.visit is None for one in self.lines) <= UNKNOWN:
                await self._served(bodies.Reading(reader), line)
                await _let_finish(reader, writer)
        except (heads.Wrong, OSError, asyncssh.Error, TimeoutError, ValueError) as error:
            _log.info("a connection ended: %s", type(error).__name__)
        finally:
            self.lines.discard(line)
            with contextlib.suppress(OSError, TimeoutError):
                writer.close()

    async def _served(self, reading: bodies.Reading, line: Line) -> None:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reading.head()
            if not head:
                return
            asked = heads.request(head)
        except (heads.Wrong, TimeoutError):
            await self._say(line, 400, "bad", "")
            return
        language = asked.first("accept-language")
        label = self.place.label(asked.host)
        if not label:
            await self._say(line, 404, "nothing", language)
            return
        try:
            await self._led(reading, line, asked, label)
        except errors.NotFound:
            await self._say(line, 404, "nothing", language)
        except errors.Unauthenticated:
            await self._say(line, 401, "unknown", language)
        except errors.Forbidden:
            await self._say(line, 403, "closed", language)
        except guests.Closed:
            await self._say(line, 502, "silent", language)
        except errors.LabctlError as error:
            _log.warning("an app could not be shown: %s", error)
            await self._say(line, 503, "away", language)

    async def _enter(self, line: Line, asked: heads.Request, label: str) -> None:
        ticket = parse_qs(urlsplit(asked.target).query).get("t", [""])[0]
        if asked.method != "GET" or not ticket:
            raise errors.Forbidden("no ticket")
        try:
            secret, visit = await self.asks.enter(label, ticket)
        except errors.Unauthenticated as error:
            raise errors.Forbidden(error.message) from None
        # Lax, and None without Partitioned, are not sent from a frame on labctl's page (`access.md` 5).
        cookie = f"{heads.COOKIE}={secret}; Secure; HttpOnly; Path=/; SameSite=None; Partitioned"
        lines = ["HTTP/1.1 303 See Other", f"Location: {visit.path}", f"Set-Cookie: {cookie}", "Cache-Control: no-store"]
        lines += ["Referrer-Policy: no-referrer", "Content-Length: 0", "Connection: close", "", ""]
        line.writer.write("\r\n".join(lines).encode())
        await line.writer.drain()

    async def _led(self, reading: bodies.Reading, line: Line, asked: heads.Request, label: str) -> None:
        path = urlsplit(asked.target).path
        if (label, path) == (web_apps.CHECK, web_apps.CHECK_PATH):
            await self._tried(line, asked)
        elif path == ENTER:
            await self._enter(line, asked, label)
        else:
            await self._visited(reading, line, asked, label)

    async def _tried(self, line: Line, asked: heads.Request) -> None:
        """Whoever comes here got here; only labctl's pages are told so."""
        origin = asked.first("origin")
        if asked.method != "GET" or origin not in self.place.labctl:
            raise errors.NotFound("nobody tries that")
        lines = ["HTTP/1.1 204 No Content", f"Access-Control-Allow-Origin: {origin}", "Vary: Origin", "Cache-Control: no-store"]
        line.writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        await line.writer.drain()

    async def _visited(self, reading: bodies.Reading, line: Line, asked: heads.Request, label: str) -> None:
        origin = web_apps.address(self.place.site, label)
        visit = await self.visits.of(label, asked.cookie)
        if heads.foreign(asked, origin):
            raise errors.Forbidden("another page asks")
        if sum(one.visit is not None and one.visit.principal == visit.principal for one in self.lines) >= SEAT:
            raise errors.Busy("too many connections to this seat's apps")
        line.visit = visit
        channel = await self.machines.dial(visit)
        try:
            channel.writer.write(heads.to_guest(asked, origin))
            await self._carried(reading, line, asked, channel)
        finally:
            channel.writer.close()

    async def _carried(self, reading: bodies.Reading, line: Line, asked: heads.Request, channel: guests.Channel) -> None:
        inside = bodies.Reading(channel.reader)
        up = asyncio.create_task(_up(reading, channel, asked))
        down = asyncio.create_task(self._down(inside, line, asked))
        try:
            # The browser that went away ends it too, and so does one that says more than it announced.
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            if not down.done() and up.exception() is not None:
                return
            status = await down
            if status == 101:
                up.cancel()
                await asyncio.gather(up, return_exceptions=True)
                await _both(bodies.stream(reading, channel.writer), bodies.stream(inside, line.writer))
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _down(self, inside: bodies.Reading, line: Line, asked: heads.Request) -> int:
        """The answer's status, once all of it was carried (of an upgrade: its head)."""
        try:
            said = await _answer(inside, line, upgrade=asked.upgrade)
        except heads.Wrong:
            raise guests.Closed("the app does not answer as a web server") from None
        line.writer.write(heads.to_browser(said, " ".join(self.place.labctl)))
        if said.status != 101 and asked.method != "HEAD" and said.status not in {204, 304}:
            await bodies.carry(inside, line.writer, said)
        await line.writer.drain()
        return said.status

    async def _say(self, line: Line, status: int, what: str, language: str) -> None:
        line.writer.write(words.answer(status, what, language, self.place.labctl))
        await line.writer.drain()


async def _let_finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A connection that is closed over bytes nobody read is reset, and whoever was refused while they sent a file would never see why."""
    writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_SECONDS):
            while await reader.read(bodies.PIECE):
                continue


async def _answer(inside: bodies.Reading, line: Line, *, upgrade: bool) -> heads.Answer:
    """The final one; "continue" is passed on, other news is not. Raises Wrong."""
    while True:
        said = heads.answer(await inside.head())
        if said.status == 100:
            line.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif said.status == 101 and not upgrade:
            raise heads.Wrong("an upgrade that nobody asked for")
        elif said.status >= 200 or said.status == 101:
            return said


async def _up(reading: bodies.Reading, channel: guests.Channel, asked: heads.Request) -> None:
    """The request's body. Of an upgrade nothing, before the guest has agreed."""
    await bodies.carry(reading, channel.writer, asked, asked=True)
    if not await reading.more():
        raise heads.Wrong("the browser went away")
    if not asked.upgrade:
        raise heads.Wrong("more than was announced")
    await asyncio.Event().wait()


async def _both(*ways: object) -> None:
    """Until one of them ends."""
    tasks = [asyncio.ensure_future(way) for way in ways]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
