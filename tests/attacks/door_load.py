"""At the SSH door by numbers: half-open connections, slow logins, channels by the thousand. Each time somebody else must still come in."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import asyncssh

from tests.attacks import Tried, rows
from tests.attacks.door import connected, relay
from tests.attacks.world import World

HALF_OPEN = 500
SLOW = 20
CHANNELS = 2000
MEMORY = 128 * 2**20
"""Bytes that the door may grow by under any of this."""


@contextlib.contextmanager
def _open(world: World, number: int, says: bytes) -> Iterator[list[socket.socket]]:
    made = []
    try:
        for _ in range(number):
            one = socket.socket()
            one.settimeout(5)
            made.append(one)
            with contextlib.suppress(OSError):
                one.connect(("127.0.0.1", world.door_port))
                one.sendall(says)
        yield made
    finally:
        for one in made:
            one.close()


def _others(world: World) -> tuple[bool, bool, float]:
    """Whether grace comes in by certificate and by code, and how long her login took."""
    begun = time.monotonic()
    inside = "uid=" in world.ssh("grace", "box", "id").stdout
    took = time.monotonic() - begun
    return inside, "uid=" in relay(world, "grace", world.code("grace"), "id").stdout, took


def half_open(world: World) -> list[Tried]:
    """Row: 500 half-open."""
    done, before = [], world.process("door").memory_info().rss
    for what, says in (
        ("that say nothing", b""),
        ("that stop after their banner", b"SSH-2.0-x\r\n"),
        ("of no SSH at all", b"GET / HTTP/1.1\r\n"),
    ):
        with _open(world, HALF_OPEN, says):
            key, code, took = _others(world)
            grown = world.process("door").memory_info().rss - before
        note = f"login {'works' if key else 'REFUSED'} after {took:.2f} s, code {'works' if code else 'REFUSED'}, +{grown / 2**20:.0f} MiB"
        done.append(Tried(rows.DOOR_LOAD, f"{HALF_OPEN} connections {what} keep others out", key and code and grown < MEMORY, note=note))
    return done


class Slow:
    """Logins that never end, begun now; whether they were ended is asked at the end of the run, minutes later."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun = time.monotonic()
        self._sockets = [socket.create_connection(("127.0.0.1", world.door_port)) for _ in range(SLOW)]
        for one in self._sockets:
            one.sendall(b"SSH-2.0-slow")  # no end of line: the rest is to come

    def ended(self, seconds: float = 150) -> list[Tried]:
        """The same row: each is given `seconds` in all."""
        until = self._begun + seconds
        refused = sum(self._closed(one, until) for one in self._sockets)
        note = f"{refused} of {SLOW} ended; looked at after {time.monotonic() - self._begun:.0f} s"
        return [Tried(rows.DOOR_LOAD, "logins that never end", refused == SLOW, note=note)]

    def _closed(self, one: socket.socket, until: float) -> bool:
        with contextlib.closing(one):
            while True:
                one.settimeout(max(0.2, until - time.monotonic()))
                try:
                    if not one.recv(4096):
                        return True
                except TimeoutError:
                    return False
                except OSError:
                    return True


async def _opened(conn: asyncssh.SSHClientConnection) -> bool:
    try:
        await conn.open_connection("box", 22)
    except (asyncssh.Error, OSError):
        return False
    return True


async def _channels(world: World) -> tuple[int, tuple[bool, bool, float]]:
    async with await connected(world, "mallory") as conn:
        answers = await asyncio.gather(*(_opened(conn) for _ in range(CHANNELS)))
        others = await asyncio.to_thread(_others, world)
    return sum(answers), others


async def _connections(world: World) -> int:
    answers = await asyncio.gather(*(connected(world, "mallory") for _ in range(60)), return_exceptions=True)
    kept = [one for one in answers if isinstance(one, asyncssh.SSHClientConnection)]
    for one in kept:
        one.abort()
    return len(kept)


def channels(world: World) -> list[Tried]:
    """Row: thousands of channels on one connection, and connections of one seat."""
    opened, (key, code, took) = asyncio.run(_channels(world))
    note = f"{opened} opened; grace's login {'works' if key and code else 'REFUSED'} after {took:.2f} s"
    done = [Tried(rows.DOOR_LOAD, f"{CHANNELS} channels on one connection", 0 < opened <= 96 and key and code, note=note)]
    made = asyncio.run(_connections(world))
    world.must(made > 0, "mallory cannot sign in at all")
    return [*done, Tried(rows.DOOR_LOAD, "60 connections of one seat", made <= 24, note=f"{made} made")]
