"""The WebSocket of a desktop. Its ticket comes from the same address as a terminal's, with `kind` desktop."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from api.desktops import sources, viewer
from api.terminals import frames, routes
from labctl import terminals
from labctl.model import viewing

PROTOCOL = "binary"

router = APIRouter()


@router.websocket("/ws/desktop")
async def desktop(socket: WebSocket) -> None:
    """First the ticket as for terminals, then RFB in binary frames."""
    await routes.take(socket, viewing.Kind.DESKTOP, _served, PROTOCOL)


async def _served(socket: WebSocket, shared: routes.Hall, admission: terminals.Admission, first: frames.First) -> int:
    """Raises Conflict (too many), Unreachable, Forbidden."""
    del first
    seen = viewer.Viewer(socket, admission, shared.rooms.said)
    async with shared.rooms.at(seen), sources.desktop(shared.wired, shared.guests, admission) as found:
        told = {"machine": admission.target.name, "mode": admission.ticket.mode, "source": found.source}
        seen.tell(frames.told(opened=told))
        return await shared.rooms.at_last(seen, await seen.serve(found.streams, found.init.named(admission.target.name)))
