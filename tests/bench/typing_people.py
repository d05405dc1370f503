"""People at terminals, in a process of its own: each types a key every 0.2 to 0.8 s and waits for it on the screen. By labctl's WebSocket,
acknowledging as the page does, or by plain SSH (asyncssh) straight into the machine with the same shell.

`python -m tests.bench.typing_people` reads what to do as JSON from its input, says "ready" when all are at their shells, and at the end
prints what it measured as JSON. It types from then until SECONDS are over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import string
import sys
import time
from typing import Any

import aiohttp
import asyncssh

from api.terminals import shells
from labctl.model import viewing

GATE = 24
"""Shells that are begun at once: a machine that is begun on by a thousand measures only that."""

PATIENCE = 20.0
"""Seconds for a key; beyond that it counts as lost."""

LINE = 30
"""Keys before the line is emptied (Ctrl-U), so that nothing wraps."""


class Person:
    """At one terminal. What is shown arrives by `show`."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._wanted = b""
        self._there: asyncio.Future[float] | None = None
        self.prompt = asyncio.Event()
        self.echoes: list[float] = []
        self.lost = 0
        self.taken = 0

    def show(self, data: bytes) -> None:
        """Bytes of the screen."""
        self.taken += len(data)
        if b"$ " in data or b"# " in data:
            self.prompt.set()
        if self._there is not None and not self._there.done() and self._wanted in data:
            self._there.set_result(time.perf_counter())

    async def type(self, send: Any, until: float) -> None:
        """Keys until then; `send` takes bytes."""
        number = 0
        await asyncio.sleep(self._chance.uniform(0.0, 0.8))
        while time.monotonic() < until:
            number += 1
            if number % LINE == 0:
                await send(b"\x15")
                await asyncio.sleep(self._chance.uniform(0.2, 0.8))
            self._wanted = self._chance.choice(string.ascii_lowercase.replace(self._wanted.decode() or "-", "")).encode()
            self._there = asyncio.get_running_loop().create_future()
            begun = time.perf_counter()
            await send(self._wanted)
            try:
                async with asyncio.timeout(PATIENCE):
                    self.echoes.append(await self._there - begun)
            except TimeoutError:
                self.lost += 1
            await asyncio.sleep(self._chance.uniform(0.2, 0.8))


async def by_labctl(
    person: Person, seat: dict[str, Any], wanted: dict[str, Any], session: aiohttp.ClientSession, done: asyncio.Event
) -> Any:
    """A ticket, a WebSocket; a function that sends keys once the prompt is there."""
    headers = {"Cookie": f"labctl={seat['secret']}", "Origin": wanted["url"]}
    path = f"{wanted['url']}/api/v1/classrooms/{wanted['slug']}/seats/{seat['number']}/tickets"
    async with session.post(path, json={"machine": "box"}, headers=headers) as answer:
        if answer.status != 201:
            raise RuntimeError(f"no ticket: {answer.status} {await answer.text()}")
        ticket = (await answer.json())["ticket"]
    socket = await session.ws_connect(f"{wanted['url']}/ws/terminal", headers={"Origin": wanted["url"]}, max_msg_size=0)
    await socket.send_str(json.dumps({"ticket": ticket, "size": [80, 24]}))

    async def read() -> None:
        loop, owed, said = asyncio.get_running_loop(), 0, [False]

        def acknowledge() -> None:
            nonlocal owed
            said[0] = False
            if owed and not socket.closed:
                sending = loop.create_task(socket.send_str(json.dumps({"ack": owed})))
                sending.add_done_callback(lambda task: task.cancelled() or task.exception())
            owed = 0

        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                continue
            person.show(message.data)
            owed += len(message.data)
            if owed >= 16 * 1024:
                acknowledge()
            elif not said[0]:
                said[0] = True
                loop.call_later(0.2, acknowledge)
        if not done.is_set():
            raise RuntimeError(f"a terminal ended with {socket.close_code}")

    reader = asyncio.create_task(read())
    await _at_prompt(person, reader)
    return socket.send_bytes, reader, socket.close


class Plain(asyncssh.SSHClientSession[bytes]):
    """A channel whose screen is a person's."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """On the screen."""
        self._person.show(data)


async def by_ssh(person: Person, seat: dict[str, Any], wanted: dict[str, Any], done: asyncio.Event) -> Any:
    """The same shell in the same machine with nothing between."""
    del done
    key = asyncssh.import_private_key(wanted["key"])
    connection = await asyncssh.connect(
        seat["address"],
        22,
        username="learner",
        client_keys=[(key, asyncssh.import_certificate(seat["certificate"]))],
        known_hosts=None,
        agent_path=None,
        config=None,
        compression_algs=None,
        preferred_auth="publickey",
        login_timeout=120,
        connect_timeout=60,
    )
    command = shells.command(viewing.Mode.OWN, keeps=True)
    how: dict[str, Any] = {"request_pty": "force", "term_type": "xterm-256color", "term_size": (80, 24), "env": {"LANG": "C.UTF-8"}}
    channel, _ = await connection.create_session(lambda: Plain(person), command, encoding=None, **how)
    reader = asyncio.create_task(connection.wait_closed())
    await _at_prompt(person, reader)

    async def send(data: bytes) -> None:
        channel.write(data)

    async def close() -> None:
        connection.abort()

    return send, reader, close


async def _at_prompt(person: Person, reader: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(person.prompt.wait())
    await asyncio.wait([waiting, reader], timeout=120, return_when=asyncio.FIRST_COMPLETED)
    if not person.prompt.is_set():
        waiting.cancel()
        raise RuntimeError(f"no prompt ({reader.exception() if reader.done() else 'in two minutes'})")


async def work(wanted: dict[str, Any]) -> dict[str, Any]:
    """All of it."""
    done, gate, chance = asyncio.Event(), asyncio.Semaphore(GATE), random.Random(1)
    people = [Person(random.Random(chance.random())) for _ in wanted["seats"]]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=300)) as session:

        async def come(person: Person, seat: dict[str, Any]) -> Any:
            async with gate:
                return await (
                    by_labctl(person, seat, wanted, session, done) if wanted["by"] == "labctl" else by_ssh(person, seat, wanted, done)
                )

        begun = time.monotonic()
        there = await asyncio.gather(*(come(*pair) for pair in zip(people, wanted["seats"], strict=True)))
        opened = time.monotonic() - begun
        await asyncio.sleep(2)
        print("ready", flush=True)
        until = time.monotonic() + wanted["seconds"]
        await asyncio.gather(*(person.type(send, until) for person, (send, *_) in zip(people, there, strict=True)))
        print("typed", flush=True)
        # Whoever looks at what this cost says when it has looked.
        await asyncio.to_thread(sys.stdin.readline)
        done.set()
        for _, reader, close in there:
            reader.cancel()
            with contextlib.suppress(Exception):
                await close()
        await asyncio.gather(*(reader for _, reader, _ in there), return_exceptions=True)
    echoes = [echo for person in people for echo in person.echoes]
    return {"echoes": echoes, "lost": sum(person.lost for person in people), "opened": opened}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(json.loads(sys.stdin.readline())))), flush=True)
