"""Where the picture of a machine comes from: the VNC server of its learner, else the guest's own screen by Proxmox."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from api.terminals import guests
from labctl import errors, terminals, wiring
from labctl.drivers import rfb, rfb_guest
from labctl.model import viewing

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Desktop:
    """A desktop that answered."""

    streams: rfb.Streams
    init: rfb.Init
    source: Literal["guest", "console"]


@contextlib.asynccontextmanager
async def desktop(wired: wiring.Wiring, inside: guests.Guests, admission: terminals.Admission) -> AsyncIterator[Desktop]:
    """Raises Unreachable, and Forbidden where the seat may be entered no more."""
    async with contextlib.AsyncExitStack() as ending:
        if admission.ticket.kind is viewing.Kind.CONSOLE:
            yield await ending.enter_async_context(_console(wired, admission))
            return
        try:
            found = await ending.enter_async_context(_of_guest(inside, admission))
        except errors.Unreachable as error:
            # Its network may be broken, or it has no such server: that is what a machine's own screen is for.
            _log.info("%s; its console is opened instead", error.message)
            found = await ending.enter_async_context(_console(wired, admission))
        yield found


@contextlib.asynccontextmanager
async def _of_guest(inside: guests.Guests, admission: terminals.Admission) -> AsyncIterator[Desktop]:
    connection = await inside.inside(admission)
    try:
        streams = await rfb_guest.open_(connection.connection, admission.target.user)
        try:
            yield Desktop(streams, await rfb.enter(streams), "guest")
        finally:
            streams.close()
    finally:
        inside.leave(admission, connection)


@contextlib.asynccontextmanager
async def _console(wired: wiring.Wiring, admission: terminals.Admission) -> AsyncIterator[Desktop]:
    if admission.screen is None:
        raise errors.Unreachable("the machine has no screen")
    async with contextlib.AsyncExitStack() as ending:
        try:
            console = await ending.enter_async_context(wired.consoles.console(admission.screen))
        except (errors.Forbidden, errors.NotFound) as error:
            # Of the node, not of the seat: the page must not say that the seat is closed.
            raise errors.Unreachable(f"Proxmox does not show the machine's screen: {error.message}") from None
        yield Desktop(console.streams, await rfb.enter(console.streams, console.password), "console")
