"""What IT looks at today: what runs, what is being removed, what is in trouble, and whether labctl's parts answer."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from datetime import datetime

from fastapi import APIRouter, Request, Response

from api import boards, shapes, shown, wellness, who
from api.pages import asking, render
from labctl import wiring
from labctl.model import lifecycle
from labctl.model.environment import Environment

router = APIRouter(include_in_schema=False, prefix="/it")

TROUBLED = (lifecycle.Status.FAILED, lifecycle.Status.STUCK)


@router.get("")
def today(request: Request, asker: asking.ItOnly, house: who.House) -> Response:
    """Looked at now; a reload looks again."""
    del asker
    now = house.clock.now()
    living = house.environments.environments()
    notes = request.app.state.notes
    return render.render(
        request,
        "it.html",
        now=now,
        state=wellness.state(house, importlib.metadata.version("labctl")),
        rooms=[_counted(house, room.slug) for room in house.classrooms.classrooms()],
        words=Counter(lifecycle.status(env, now).value for env in living),
        leaving=[_line(env, now, notes) for env in living if lifecycle.status(env, now) is lifecycle.Status.REMOVING],
        trouble=[_line(env, now, notes) for env in living if env.facts.trouble or lifecycle.status(env, now) in TROUBLED],
        goldens=[shown.golden(one, now) for one in house.goldens.list()],
        paper=house.paper,
    )


def _counted(house: wiring.Wiring, slug: str) -> shapes.ClassroomShape:
    room = house.classrooms.classroom(slug)
    known = {env.id: env for env in house.environments.environments(classroom=slug, gone=True, bare=True)}
    return shown.classroom(room, boards.rows(room, known, house.clock.now()), paper=house.paper)


def _line(env: Environment, now: datetime, notes: boards.Notes) -> dict[str, object]:
    return {"env": env, "status": lifecycle.status(env, now).value, "trouble": lifecycle.shown_trouble(env), "note": notes.newest(env.id)}
