"""Clients that guess codes at a door, on many connections at once, until they are told to stop."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

import asyncssh


class _Guesser(asyncssh.SSHClient):
    def __init__(self, all_: Guessers) -> None:
        self._all = all_

    def kbdint_auth_requested(self):
        return ""

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        if prompts:
            self._all.said += 1
        return ["aaaaaaaa"] * len(prompts)


class Guessers:
    """So many at once, each on one connection after another. `said`: how many codes; `inside`: how many came in."""

    def __init__(self, port: int, user: str, many: int) -> None:
        self.said = self.inside = 0
        self._port, self._user, self._many = port, user, many
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._all(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        self._loop.close()

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._guess_on()) for _ in range(self._many)]
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guess_on(self) -> None:
        while True:
            try:
                conn, _ = await asyncssh.create_connection(
                    lambda: _Guesser(self), "127.0.0.1", self._port, username=self._user, known_hosts=None, config=None, agent_path=None,
                    client_keys=None, preferred_auth="keyboard-interactive",
                )  # fmt: skip
            except (asyncssh.Error, OSError):
                continue
            self.inside += 1
            conn.abort()
