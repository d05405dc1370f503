"""Who comes in next, where many want to: codes, passwords and what else nobody has to show anything for. A request waits for its turn on
the loop and has a thread only then, so that however many wait, boards and terminals go on.

Each process has turns of its own; what may be tried of one account in a quarter of an hour is counted in the store (`labctl.signing_in`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from api import sessions
from labctl import errors
from labctl import turns as turns_


class Desk:
    """The lines of one process. Rates are for all the world together."""

    def __init__(self) -> None:
        self.codes = turns_.Turns(places=8, rate=100, burst=200, most=200)
        """Class codes. What that means for guessing stands at `inviting.CODE_LENGTH`; who comes last waits for two seconds."""
        self.passwords = turns_.Turns(places=2, rate=3, burst=40, most=40)
        """Passwords from browsers in which nobody signed in yet. Each is 100 to 200 ms of CPU (`drivers.passwords`), so half a core at most
        in the long run; a class that signs in together does not notice, and 10,800 guesses an hour go to all accounts together.
        """
        self.known = turns_.Turns(places=2, rate=1, burst=20, most=20)
        """Passwords from browsers in which their account's owner signed in before. By account, and never behind the others."""
        self.passkeys = turns_.Turns(places=4, rate=20, burst=80, most=100)
        """Whoever begins leaves a row for ten minutes: 24,080 of them at most."""
        self.provider = turns_.Turns(places=4, rate=10, burst=60, most=100)
        """Rows as well, and each asks the identity provider, which may be slow."""


@asynccontextmanager
async def _turn(line: turns_.Turns, address: str) -> AsyncIterator[errors.Busy | None]:
    try:
        await line.enter(address)
    except errors.Busy as busy:
        yield busy
        return
    try:
        yield None
    finally:
        line.leave()


def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.turns
    return found


async def code(request: Request) -> AsyncIterator[errors.Busy | None]:
    """For a class's code; a form without one costs none."""
    if request.method == "GET" and "code" not in request.path_params:
        yield None
        return
    async with _turn(_desk(request).codes, sessions.address(request)) as turn:
        yield turn


async def password(request: Request) -> AsyncIterator[errors.Busy | None]:
    """For a password to be looked at, or hashed."""
    browser = sessions.known(request)
    account = await run_in_threadpool(sessions.house(request).signing_in.knows, browser) if browser else ""
    line = _desk(request).known if account else _desk(request).passwords
    async with _turn(line, account or sessions.address(request)) as turn:
        yield turn


async def passkey(request: Request) -> AsyncIterator[errors.Busy | None]:
    """For a sign-in by passkey, its beginning and its end."""
    async with _turn(_desk(request).passkeys, sessions.address(request)) as turn:
        yield turn


async def provider(request: Request) -> AsyncIterator[errors.Busy | None]:
    """For the way to the identity provider, and back."""
    async with _turn(_desk(request).provider, sessions.address(request)) as turn:
        yield turn


def taken(turn: errors.Busy | None) -> None:
    """Raise what kept the turn from coming, where a route can answer it with its form and what was typed."""
    if turn is not None:
        raise turn


# Scope "function": the place is free again when the answer is made, not when a slow reader has it.
Code = Annotated[errors.Busy | None, Depends(code, scope="function")]
Password = Annotated[errors.Busy | None, Depends(password, scope="function")]
Passkey = Annotated[errors.Busy | None, Depends(passkey, scope="function")]
Provider = Annotated[errors.Busy | None, Depends(provider, scope="function")]
