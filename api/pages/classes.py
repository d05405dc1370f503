"""A class as its trainer sees it: the live board, the wall, its journal, and what is done to the class as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api import boards, routes_classes, shapes, staying, who
from api import seen as seen_
from api.pages import asking, board_stream, moments, render, sitting
from labctl import desk, errors
from labctl.model.people import Right

router = APIRouter(include_in_schema=False, prefix="/class/{slug}")

Slug = Annotated[str, Path(min_length=1, max_length=100)]
Text = Annotated[str, Form(max_length=10_000)]

ACTIONS = ("close", "extend", "message", "retry")
"""What has a page that says the consequence before it is done."""

ORDERS = ("number", "need", "name", "progress")


def _watching(request: Request, asker: asking.SeesClass, house: who.House, slug: Slug) -> AsyncIterator[boards.Change]:
    del asker
    house.classrooms.classroom(slug)
    return routes_classes.live(request).watch(slug)


@router.get("")
def board(
    request: Request, asker: asking.SeesClass, house: who.House, known: routes_classes.Notes, slug: Slug, sort: str = "number"
) -> Response:
    """The board at this moment; where scripts run it follows by itself."""
    seen = look(house, known, slug)
    order = sort if sort in ORDERS else "number"
    rows = request.app.state.rows.of(_sorted(seen.board, order), render.language(request), render.zone(request))
    return render.render(
        request,
        "board.html",
        room=seen.board.classroom,
        rows=rows,
        queue=seen.waiting,
        now=seen.board.now,
        order=order,
        orders=ORDERS,
        messages=house.helping.messages(slug, 3),
        code=house.inviting.code_of(slug) if asker.may(Right.INVITE, slug) else None,
        origin=house.origin,
        said=request.query_params.get("said", ""),
    )


def look(house: who.House, known: routes_classes.Notes, slug: str) -> seen_.Seen:
    """The class now. Raises NotFound, saying which there are; also for golden machines, whose name no class can have."""
    try:
        return known.look(slug if desk.SLUG.fullmatch(slug) else "")
    except errors.NotFound:
        house.desk.room(slug)
        raise


def _sorted(seen: shapes.Board, order: str) -> list[shapes.SeatShape]:
    if order == "name":
        return sorted(seen.seats, key=lambda seat: (seat.learner or "\uffff", seat.number))
    if order == "progress":
        return sorted(seen.seats, key=lambda seat: (seat.spare or seat.aside, seat.guide_page, seat.number))
    if order == "need":
        return sorted(seen.seats, key=lambda seat: (_need(seat), seat.number))
    return seen.seats


def _need(seat: shapes.SeatShape) -> tuple[int, float]:
    """Hands first, longest waiting first; then what failed; then what is not ready."""
    if seat.hand_since is not None:
        return 0, seat.hand_since.timestamp()
    rank = {"failed": 1, "stuck": 2, "ready": 4, "gone": 6}.get(seat.status, 3)
    return (5 if seat.spare or seat.aside else rank), 0.0


@router.get("/events", response_class=EventSourceResponse)
async def board_events(
    request: Request,
    asker: asking.SeesClass,
    slug: Slug,
    watching: Annotated[AsyncIterator[boards.Change], Depends(_watching)],
    *,
    wall: bool = False,
) -> AsyncIterator[ServerSentEvent]:
    """Parts of the board (or its wall) as they change: everything first, again after each reconnect. `over` when the class is
    closed, `closed` when it is gone.
    """
    told = _told(request, watching, wall=wall)
    async with staying.following(request, asker, lambda person: person.may(Right.SEE_CLASS, slug), told) as events:
        async for event in events:
            yield event


async def _told(request: Request, watching: AsyncIterator[boards.Change], *, wall: bool) -> AsyncIterator[ServerSentEvent]:
    stream = board_stream.Stream(request.app.state.rows, render.language(request), render.zone(request), wall=wall)
    ended = False
    async for change in watching:
        if text := stream.text(change):
            yield ServerSentEvent(raw_data=text, id=change.id, retry=1000 if change.whole else None)
        if change.board.classroom.closed is not None and not ended:
            ended = True
            yield sitting.OVER
        if change.over:
            yield ServerSentEvent(raw_data="over", event="closed", id=change.id)


@router.get("/wall")
def wall(request: Request, asker: asking.SeesClass, house: who.House, known: routes_classes.Notes, slug: Slug) -> Response:
    """Every seat as one tile, for a large screen."""
    del asker
    seen = look(house, known, slug)
    seats = [seat for seat in seen.board.seats if not seat.aside]
    rows = request.app.state.rows.of(seats, render.language(request), render.zone(request), board_stream.TILE)
    return render.render(request, "wall.html", room=seen.board.classroom, rows=rows, now=seen.board.now, queue=seen.waiting)


@router.get("/journal")
def journal(request: Request, asker: asking.SeesClass, house: who.House, slug: Slug, after: int = 0) -> Response:
    """What was done in the class, oldest first."""
    del asker
    house.desk.room(slug)
    lines = house.journal.read(classroom=slug, after=max(0, after), limit=200)
    return render.render(request, "journal.html", slug=slug, lines=lines, more=len(lines) == 200)


@router.get("/{action}")
def ask(
    request: Request, asker: asking.SeesClass, house: who.House, known: routes_classes.Notes, slug: Slug, action: Annotated[str, Path()]
) -> Response:
    """What an action leads to, and the button that does it."""
    del asker
    if action not in ACTIONS:
        raise errors.NotFound("there is nothing at this address.", hint="The board has everything that can be done.")
    seen = look(house, known, slug)
    return render.render(request, "ask_class.html", action=action, room=seen.board.classroom, now=seen.board.now)


@router.post("/close")
def close(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug) -> Response:
    """Everything of the class is removed from now on."""
    house.desk.close(slug, who=asker.name)
    return asking.done(request, f"/class/{slug}", "closed")


@router.post("/extend")
def extend(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug, until: Text = "") -> Response:
    """A later end for all seats."""
    moment = moments.read(until, render.zone(request), "until")
    if moment is None:
        raise errors.BadInput("there is no time.", hint="Say until when the class is to last.")
    house.desk.extend(slug, moment, who=asker.name)
    return asking.done(request, f"/class/{slug}", "extended")


@router.post("/retry")
def retry(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug) -> Response:
    """Try again wherever a seat failed."""
    house.desk.retry(slug, who=asker.name)
    return asking.done(request, f"/class/{slug}", "retried")


@router.post("/message")
def message(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug, text: Text = "") -> Response:
    """To everybody in the class."""
    house.helping.broadcast(slug, text, who=asker.name)
    return asking.done(request, f"/class/{slug}", "sent")
