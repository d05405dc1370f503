"""The two addresses of a terminal: a ticket for somebody who is known, and a WebSocket that takes the ticket as its first message.

Tickets are for desktops too, and `take` is how their WebSocket begins (`api.desktops.routes`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from anyio import to_thread
from fastapi import APIRouter, Response, WebSocket
from starlette.websockets import WebSocketDisconnect

from api import problems, sessions, shapes_terminal, who
from api.routes_classes import Notes, Slug
from api.routes_seats import Number, own
from api.terminals import frames, guests, lobby, rooms, shells, viewer
from labctl import errors, terminals, wiring
from labctl.model import people, viewing

FIRST_SECONDS = 5.0
"""For the first message."""

router = APIRouter()
_log = logging.getLogger(__name__)


@dataclass
class Hall:
    """What all terminals of this process share."""

    wired: wiring.Wiring
    guests: guests.Guests
    rooms: rooms.Rooms
    lobby: lobby.Lobby = field(default_factory=lobby.Lobby)


def hall(wired: wiring.Wiring) -> Hall:
    """Made when the app is, before there may be a site: what needs one is built at the first terminal. Asks the database in threads."""

    async def certify(principal: str, key: str) -> str:
        return await to_thread.run_sync(wired.terminals.certify, principal, key)

    async def ended(tickets: frozenset[viewing.Ticket]) -> Mapping[viewing.Ticket, viewing.Ending]:
        return await to_thread.run_sync(wired.terminals.ended, tickets)

    async def typing(principals: frozenset[str]) -> frozenset[str]:
        return await to_thread.run_sync(wired.terminals.typing, principals)

    async def refused(learner: terminals.Admission) -> None:
        way, who_ = learner.way, learner.ticket.who
        await to_thread.run_sync(lambda: wired.terminals.answer(way.classroom, way.seat, viewing.Answer.REFUSED, who=who_))

    inside = guests.Guests(wired.authority.host_authority, certify, port=wired.guest_port)

    async def written() -> int | None:
        return await to_thread.run_sync(wired.changes.written)

    return Hall(wired, inside, rooms.Rooms(ended, typing, refused, written, wired.clock.now))


@router.post(
    "/api/v1/classrooms/{slug}/seats/{number}/tickets",
    tags=["seats"],
    status_code=201,
    summary="A ticket for a terminal or a desktop in the browser",
    responses=problems.answers(401, 403, 404, 409, 422),
)
def new_ticket(
    asker: who.Anyone,
    house: who.House,
    known: Notes,
    slug: Slug,
    number: Number,
    wanted: shapes_terminal.NewTicket,
    response: Response,
) -> shapes_terminal.TicketShape:
    """Good once and for half a minute, as the first message on the WebSocket that `socket` names. Kind `console` is a machine's own screen:
    of a seat that is not ready for those who run the class, of one that is ready for its learner.
    """
    seat = own(asker, known, slug, number)
    if house.paper:
        raise errors.Conflict("the machines of this site exist on paper only.", hint="There is nothing to look into.")
    # A trainer who sits on the seat has a learner's terminals there.
    staff = asker.may(people.Right.ENTER_SEATS, slug) and not asker.person.owns(seat.environment)
    shown = asker.person.name or asker.name
    secret, made = house.terminals.ticket(
        slug, number, wanted.machine, wanted.mode, who=shown, staff=staff, proof=asker.proof, kind=wanted.kind
    )
    response.headers["Cache-Control"] = "no-store"
    told = {"machine": made.machine, "mode": made.mode, "kind": made.kind, "socket": f"/ws/{made.kind.socket}"}
    return shapes_terminal.TicketShape(ticket=secret, until=made.until, **told)


@router.websocket("/ws/terminal")
async def terminal(socket: WebSocket) -> None:
    """See `api.terminals.frames` for what is said."""
    await take(socket, viewing.Kind.TERMINAL, _served)


Serve = Callable[[WebSocket, Hall, terminals.Admission, frames.First], Awaitable[int]]
"""What to do for somebody who was admitted; the close code."""


async def take(socket: WebSocket, kind: viewing.Kind, serve: Serve, protocol: str = "") -> None:
    """One connection from its beginning to its end. `protocol` is spoken where the page asks for it."""
    shared = socket.app.state.hall
    assert isinstance(shared, Hall)
    try:
        sessions.refuse_other_pages(socket)
    except errors.Forbidden:
        await socket.close()  # before it was accepted: HTTP 403
        return
    await socket.accept(protocol if protocol in socket.scope.get("subprotocols", []) else None)
    first = await _first(socket, shared.lobby)
    code = frames.TICKET if first is None else await _admitted(socket, shared, first, kind, serve)
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
        async with asyncio.timeout(viewer.LAST_WORDS):
            await socket.close(code)


async def _first(socket: WebSocket, waiting: lobby.Lobby) -> frames.First | None:
    """None where nothing came in time, or something else."""
    try:
        async with waiting.waiting(sessions.address(socket), FIRST_SECONDS):
            message = await socket.receive()
        return frames.first(message.get("text") or "")
    except (TimeoutError, frames.NotUnderstood, WebSocketDisconnect):
        return None


async def _admitted(socket: WebSocket, shared: Hall, first: frames.First, kind: viewing.Kind, serve: Serve) -> int:
    try:
        admission = await to_thread.run_sync(lambda: shared.wired.terminals.admit(first.ticket, kind))
        return await serve(socket, shared, admission, first)
    except errors.Unauthenticated:
        return frames.TICKET
    except (errors.Forbidden, errors.NotFound):
        return frames.CLOSED
    except errors.Conflict:
        return frames.CROWDED
    except errors.LabctlError as error:
        _log.warning("a %s could not be opened: %s", kind.value, error)
        return frames.UNREACHABLE


async def _served(socket: WebSocket, shared: Hall, admission: terminals.Admission, first: frames.First) -> int:
    """Raises Conflict (too many), Unreachable, Forbidden."""
    seen = viewer.Viewer(socket, admission, first.size, shared.rooms.said)
    async with shared.rooms.at(seen):
        inside = await shared.guests.inside(admission)
        if not inside.keeps and not seen.own:
            shared.guests.leave(admission, inside)
            seen.tell(frames.told(alone=True))
            seen.end(frames.ENDED)
            return await seen.serve()
        seen.size = shared.rooms.size_for(seen)
        told = {"machine": admission.target.name, "mode": admission.ticket.mode, "keeps": inside.keeps}
        if inside.keeps and seen.own:
            told |= {"shell": seen.mark, "same": await _same(shared, seen, inside, first.shell)}
        seen.tell(frames.told(opened=told))
        command = shells.command(admission.ticket.mode, keeps=inside.keeps, mark=seen.mark)
        inside = await shared.guests.open(admission, inside, lambda: seen, command, seen.size)
        try:
            shared.rooms.arrived(seen)
            return await shared.rooms.at_last(seen, await seen.serve())
        finally:
            shared.guests.leave(admission, inside)


async def _same(shared: Hall, seen: viewer.Viewer, inside: guests.Inside, mark: str) -> bool:
    """Whether the page is back at the shell that it was at, and nobody else types there: it may send what was typed meanwhile."""
    return bool(mark) and shared.rooms.alone(seen, mark) and await shared.guests.marked(inside, mark)
