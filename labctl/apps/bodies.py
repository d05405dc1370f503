"""What follows a head: so many bytes, or chunks, and not one more, so that nothing after it reaches the guest unread by us."""

from __future__ import annotations

import re
from typing import Protocol

from labctl.apps import heads

PIECE = 64 * 1024
_LINE = 1024


class Source(Protocol):
    """Where bytes come from: a browser's connection or a guest's channel."""

    async def read(self, n: int = -1, /) -> bytes:
        """Up to so many; none at the end."""


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> None:
        """Soon."""

    async def drain(self) -> None:
        """Until the other side has taken enough."""


class Reading:
    """A source of which a little may be looked at ahead."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ahead = b""

    async def head(self) -> bytes:
        """Up to and with the empty line; nothing where the other side went away before it began. Raises Wrong."""
        while b"\r\n\r\n" not in self._ahead:
            if len(self._ahead) > heads.MOST:
                raise heads.Wrong("too long")
            piece = await self._source.read(PIECE)
            if not piece:
                if self._ahead:
                    raise heads.Wrong("cut off")
                return b""
            self._ahead += piece
        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        if len(head) > heads.MOST:
            raise heads.Wrong("too long")
        return head + b"\r\n\r\n"

    async def some(self, most: int = PIECE) -> bytes:
        """What comes next; nothing at the end."""
        if self._ahead:
            piece, self._ahead = self._ahead[:most], self._ahead[most:]
            return piece
        return await self._source.read(most)

    async def more(self) -> bool:
        """Whether anything comes at all; it stays to be read."""
        if not self._ahead:
            self._ahead = await self._source.read(PIECE)
        return bool(self._ahead)

    async def line(self) -> bytes:
        """With its end. Raises Wrong."""
        while b"\r\n" not in self._ahead:
            piece = await self._source.read(PIECE)
            if not piece or len(self._ahead) > _LINE:
                raise heads.Wrong("no line")
            self._ahead += piece
        line, _, self._ahead = self._ahead.partition(b"\r\n")
        return line + b"\r\n"


async def carry(reading: Reading, sink: Sink, headed: heads.Request | heads.Answer, *, asked: bool = False) -> None:
    """The whole body. Raises Wrong where it ends early or is none."""
    if heads.chunked(headed):
        await _chunks(reading, sink)
        return
    size = heads.length(headed, asked=asked)
    if size is None:
        await stream(reading, sink)
        return
    await _bytes(reading, sink, size)


async def stream(reading: Reading, sink: Sink) -> None:
    """Until the end."""
    while piece := await reading.some():
        sink.write(piece)
        await sink.drain()


async def _bytes(reading: Reading, sink: Sink, size: int) -> None:
    while size:
        piece = await reading.some(min(size, PIECE))
        if not piece:
            raise heads.Wrong("cut off")
        size -= len(piece)
        sink.write(piece)
        await sink.drain()


async def _chunks(reading: Reading, sink: Sink) -> None:
    while True:
        line = await reading.line()
        match = re.fullmatch(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[\t\x20-\x7e]*)?\r\n", line)
        if match is None:
            raise heads.Wrong("no chunk")
        size = int(match[1], 16)
        sink.write(match[1] + b"\r\n")
        if size == 0:
            break
        await _bytes(reading, sink, size)
        if await reading.line() != b"\r\n":
            raise heads.Wrong("no end of a chunk")
        sink.write(b"\r\n")
    # Trailers are dropped: they could say what heads may not.
    while await reading.line() != b"\r\n":
        continue
    sink.write(b"\r\n")
    await sink.drain()
