"""The page of one seat as its trainer follows it: its state, who asks for help, whether one may type along. What is a form stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api import boards, routes_classes, staying, who
from api.pages import asking, render, seats, sitting
from api.pages.classes import Slug
from labctl import wiring
from labctl.model.people import Right

router = APIRouter(include_in_schema=False, prefix=seats.router.prefix)


def _watching(
    request: Request, asker: asking.SeesClass, house: who.House, known: routes_classes.Notes, slug: Slug, number: seats.Number
) -> AsyncIterator[boards.Change]:
    """Refused before anything is sent, where there is no such seat."""
    del asker
    seats.found(house, known, slug, number)
    return routes_classes.live(request).watch(slug, number)


@router.get("/events", response_class=EventSourceResponse)
async def seat_events(
    request: Request,
    asker: asking.SeesClass,
    house: who.House,
    slug: Slug,
    number: seats.Number,
    watching: Annotated[AsyncIterator[boards.Change], Depends(_watching)],
    mode: str = "",
    shown: str = "",
) -> AsyncIterator[ServerSentEvent]:
    """The part `now` whenever it is another; `ready` when the seat has become so since the page was made, which has `shown` another
    status: then there is something to watch; `over` when labctl takes nothing of the seat any more.
    """
    told = _told(request, house, watching, number, mode, ready=shown in ("", "ready"))
    async with staying.following(request, asker, lambda person: person.may(Right.SEE_CLASS, slug), told) as events:
        async for event in events:
            yield event


async def _told(
    request: Request, house: wiring.Wiring, watching: AsyncIterator[boards.Change], number: int, mode: str, *, ready: bool
) -> AsyncIterator[ServerSentEvent]:
    spoken, zone, before, ended = render.language(request), render.zone(request), "", False
    async for change in watching:
        now = change.seen.seats.get(number)
        if now is None:
            continue
        hand = house.helping.hand(now.classroom, number) if now.hand_since else None
        room = change.board.classroom
        over = sitting.over(room, now)
        text = render.fragment("seat_now.html", spoken, zone, seat=now, room=room, hand=hand, mode=mode, over=over)
        if text != before:
            before = text
            part = f'<hx-partial hx-target="#now" hx-swap="outerMorph">{text}</hx-partial>'
            yield ServerSentEvent(raw_data=part, id=change.id, retry=1000)
        if now.status == "ready" and not ready:
            yield ServerSentEvent(raw_data="ready", event="ready", id=change.id)
        ready = now.status == "ready"
        if over and not ended:
            yield sitting.OVER
        ended = over
        if change.over:
            yield ServerSentEvent(raw_data="over", event="closed", id=change.id)
