"""Where the picture of a machine comes from: the VNC server of its learner."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from api.terminals import guests
from labctl import terminals
from labctl.drivers import rfb, rfb_guest


@dataclass(frozen=True)
class Desktop:
    """A desktop that answered."""

    streams: rfb.Streams
    init: rfb.Init


@contextlib.asynccontextmanager
async def desktop(inside: guests.Guests, admission: terminals.Admission) -> AsyncIterator[Desktop]:
    """Raises Unreachable, Forbidden."""
    connection = await inside.inside(admission)
    try:
        streams = await rfb_guest.open_(connection.connection, admission.target.user)
        try:
            yield Desktop(streams, await rfb.enter(streams))
        finally:
            streams.close()
    finally:
        inside.leave(admission, connection)
