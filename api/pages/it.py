"""What IT looks at today: what runs, what is being removed, what is in trouble, and whether labctl's parts answer."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api import boards, shapes, shown, staying, wellness, who
from api.pages import asking, render
from labctl import errors, wiring
from labctl.model import lifecycle
from labctl.model.environment import Environment
from labctl.model.people import Right

router = APIRouter(include_in_schema=False, prefix="/it")

LOOK_SECONDS = 2.0
"""Between two looks while somebody has the page open."""

TROUBLED = (lifecycle.Status.FAILED, lifecycle.Status.STUCK)


@router.get("")
def today(request: Request, asker: asking.ItOnly, house: who.House) -> Response:
    """At this moment; where scripts run it follows by itself."""
    del asker
    return render.render(request, "it.html", said=request.query_params.get("said", ""), **_seen(house, request.app.state.notes))


@router.get("/events", response_class=EventSourceResponse)
async def follow(request: Request, asker: asking.ItOnly, house: who.House) -> AsyncIterator[ServerSentEvent]:
    """The same again whenever it is another."""
    told = _told(request, house)
    async with staying.following(request, asker, lambda person: person.may(Right.ACCOUNTS), told) as events:
        async for event in events:
            yield event


async def _told(request: Request, house: wiring.Wiring) -> AsyncIterator[ServerSentEvent]:
    spoken, zone, notes = render.language(request), render.zone(request), request.app.state.notes
    before = ""
    while True:
        with contextlib.suppress(errors.TemporaryError):  # the next look will see
            text = await to_thread.run_sync(lambda: render.fragment("it_now.html", spoken, zone, **_seen(house, notes)))
            if text != before:
                before = text
                part = f'<hx-partial hx-target="#now" hx-swap="outerMorph">{text}</hx-partial>'
                yield ServerSentEvent(raw_data=part, retry=1000)
        await asyncio.sleep(LOOK_SECONDS)


def _seen(house: wiring.Wiring, notes: boards.Notes) -> dict[str, Any]:
    now = house.clock.now()
    living = house.environments.environments()
    return {
        "now": now,
        "state": wellness.state(house, importlib.metadata.version("labctl")),
        "rooms": [_counted(house, room.slug) for room in house.classrooms.classrooms()],
        "leaving": [_line(env, now, notes) for env in living if lifecycle.status(env, now) is lifecycle.Status.REMOVING],
        "trouble": [_line(env, now, notes) for env in living if env.facts.trouble or lifecycle.status(env, now) in TROUBLED],
        "goldens": [shown.golden(one, now) for one in house.goldens.list()],
        "paper": house.paper,
    }


@router.post("/retry/{environment}")
def retry(
    request: Request, asker: asking.ItOnly, house: who.House, environment: Annotated[str, Path(min_length=1, max_length=40)]
) -> Response:
    """Once more at once, whatever the next try would wait for; a removal too."""
    house.desk.again(house.environments.environment(environment), "retry", asker.name)
    return asking.done(request, "/it", "retried")


def _counted(house: wiring.Wiring, slug: str) -> shapes.ClassroomShape:
    room = house.classrooms.classroom(slug)
    known = {env.id: env for env in house.environments.environments(classroom=slug, gone=True, bare=True)}
    return shown.classroom(room, boards.rows(room, known, house.clock.now()), paper=house.paper)


def _line(env: Environment, now: datetime, notes: boards.Notes) -> dict[str, object]:
    return {"env": env, "status": lifecycle.status(env, now).value, "trouble": lifecycle.shown_trouble(env), "note": notes.newest(env.id)}
