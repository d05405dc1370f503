"""RFB 3.8 (RFC 6143) as far as a relay and a proof need it: the handshake of a viewer, and one look at the picture.

Works on any pair of streams. What viewers may send afterwards is `api.desktops.messages`; where the streams come from is
`rfb_guest` (a VNC server in the guest) and `proxmox.console`.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.decrepit.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from labctl import errors

VERSION = b"RFB 003.008\n"
NONE, VNC = 1, 2
"""Security types: none, and a password of eight characters (RFC 6143 7.2)."""

NAME_MOST = 4096
"""Bytes of a desktop's name; the guest chose it."""

CLIPBOARD_MOST = 1024 * 1024

HANDSHAKE_SECONDS = 10.0
"""For all of the handshake: the server is a socket away."""

_RAW = 0


class Streams(Protocol):
    """Bytes both ways."""

    async def exactly(self, size: int) -> bytes:
        """So many; raises EOFError, asyncio.IncompleteReadError or OSError where they do not come."""

    async def some(self) -> bytes:
        """What there is; empty at the end."""

    async def send(self, data: bytes) -> None:
        """Returns when there is room for more."""

    def close(self) -> None:
        """At once."""


@dataclass(frozen=True)
class Init:
    """What a server says of its desktop: `raw` is the whole message ServerInit."""

    width: int
    height: int
    raw: bytes

    def named(self, name: str) -> Init:
        """The same under this name: a server's own may tell what a page need not know."""
        told = name.encode()
        return Init(self.width, self.height, self.raw[:20] + len(told).to_bytes(4) + told)


async def enter(streams: Streams, password: str = "") -> Init:
    """The handshake up to ServerInit, shared with whoever is there. Raises Unreachable where this is no desktop."""
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            return await _enter(streams, password)
    except (EOFError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise errors.Unreachable(f"the desktop does not answer ({type(error).__name__})") from None


async def _enter(streams: Streams, password: str) -> Init:
    said = await streams.exactly(12)
    if not said.startswith(b"RFB 003.") or said < VERSION:
        raise errors.Unreachable("what answers is no desktop (RFB 3.8)")
    await streams.send(VERSION)
    offered = await streams.exactly((await streams.exactly(1))[0])
    if NONE in offered:
        await streams.send(bytes([NONE]))
    elif VNC in offered and password:
        await streams.send(bytes([VNC]))
        await streams.send(answer(await streams.exactly(16), password))
    else:
        raise errors.Unreachable("the desktop asks for a way to sign in that labctl does not have")
    if await streams.exactly(4) != bytes(4):
        raise errors.Unreachable("the desktop refuses labctl")
    # Shared: nobody who comes sends away those who are there.
    await streams.send(b"\x01")
    head = await streams.exactly(24)
    width, height = struct.unpack(">HH", head[:4])
    length = int.from_bytes(head[20:24])
    if length > NAME_MOST:
        raise errors.Unreachable("what answers is no desktop (its name is too long)")
    return Init(width, height, head + await streams.exactly(length))


def answer(challenge: bytes, password: str) -> bytes:
    """To VNC authentication: DES by the first eight characters, the bits of each turned round (RFC 6143 7.2.2)."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode("latin-1", "replace")[:8].ljust(8, b"\0"))
    cipher = Cipher(algorithms.TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305  (the protocol's own, inside TLS or SSH)
    return cipher.update(challenge) + cipher.finalize()


_TRUE_COLOUR = struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
"""SetPixelFormat: 32 bits a pixel."""


async def colours(streams: Streams, init: Init) -> int:
    """How many colours the whole picture has now (counted to two). Raises Unreachable where none comes."""
    try:
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            await streams.send(_TRUE_COLOUR + struct.pack(">BxHi", 2, 1, _RAW))
            await streams.send(struct.pack(">BBHHHH", 3, 0, 0, 0, init.width, init.height))
            return await _seen(streams, init)
    except (EOFError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise errors.Unreachable(f"the desktop sends no picture ({type(error).__name__})") from None


async def _seen(streams: Streams, init: Init) -> int:
    found: set[bytes] = set()
    drawn = 0
    while drawn < init.width * init.height:
        kind = (await streams.exactly(1))[0]
        if kind == 2:  # Bell
            continue
        if kind == 3:  # ServerCutText
            if (length := int.from_bytes((await streams.exactly(7))[3:])) > CLIPBOARD_MOST:
                raise errors.Unreachable("the desktop sends too large a clipboard")
            await streams.exactly(length)
            continue
        if kind != 0:
            raise errors.Unreachable("the desktop sends something that is no picture")
        for _ in range(int.from_bytes((await streams.exactly(3))[1:])):
            _, _, width, height, encoding = struct.unpack(">HHHHi", await streams.exactly(12))
            if encoding != _RAW:
                raise errors.Unreachable("the desktop sends a picture in a way nobody asked for")
            for _ in range(height):
                row = await streams.exactly(width * 4)
                if len(found) < 2:
                    found |= {row[at : at + 3] for at in range(0, len(row), 4)}
            drawn += width * height
    return min(2, len(found))
