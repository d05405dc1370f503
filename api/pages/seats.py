"""One seat as its trainer sees it: its machines, its journal, notes, and what can be done to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from api import boards, routes_classes, shapes, who
from api.pages import apps_shown, asking, classes, render, sitting
from api.pages.classes import Slug, Text
from labctl import errors

router = APIRouter(include_in_schema=False, prefix="/class/{slug}/seat/{number}")

Number = Annotated[int, Path(ge=1, le=100_000)]

READY = "done after"
"""How the runner ends a step in the journal."""

ACTIONS = ("reset", "swap", "undo")
"""What has a page that says the consequence before it is done."""


def found(house: who.House, known: boards.Notes, slug: str, number: int) -> tuple[shapes.Board, shapes.SeatShape]:
    """The seat on its board. Raises NotFound, saying which there are."""
    seen = classes.look(house, known, slug)
    if number not in seen.seats:
        house.desk.seat(slug, number)
        raise errors.NotFound(f"class '{slug}' has no seat {number}.", hint="The board has all seats.")
    return seen.board, seen.seats[number]


def enterable(house: who.House, environment: str) -> tuple[str, ...]:
    """The machines of a seat that have a terminal, by name; none where the plan is gone."""
    return _with(house, environment, "terminal")


def with_desktop(house: who.House, environment: str) -> tuple[str, ...]:
    """Those that have a desktop."""
    return _with(house, environment, "desktop")


def _with(house: who.House, environment: str, access: str) -> tuple[str, ...]:
    try:
        plan = house.environments.plan(environment)
    except errors.LabctlError:
        return ()
    return tuple(one.name for one in plan.machines if access in one.access)


def worked_since(house: who.House, environment: str) -> datetime | None:
    """Since when its learner could work there: the last time it was proven to be ready. None where it never was."""
    lines = house.journal.read(environment=environment, limit=1000)
    return next((line.at for line in reversed(lines) if line.step == "prove" and line.text.startswith(READY)), None)


@router.get("")
def seat(
    request: Request,
    asker: asking.SeesClass,
    house: who.House,
    known: routes_classes.Notes,
    slug: Slug,
    number: Number,
    mode: str = "",
    console: str = "",
) -> Response:
    """What is true of it, and what was done; with `mode` its terminals, to watch or to join; with `console` one machine's own screen, while
    the seat is not ready.
    """
    del asker
    seen, one = found(house, known, slug, number)
    lines = house.journal.read(environment=one.environment, limit=1000)[-100:]
    apps = apps_shown.shown(house, one)
    return render.render(
        request,
        "seat.html",
        frames=apps.origins,
        apps=apps,
        door=house.door_address,
        room=seen.classroom,
        seat=one,
        over=sitting.over(seen.classroom, one),
        now=seen.now,
        lines=lines,
        hand=house.helping.hand(slug, number),
        notes=house.helping.notes(slug, number),
        machines=enterable(house, one.environment),
        desktops=with_desktop(house, one.environment),
        mode=mode if mode in {"watch", "join"} else "",
        console=console,
        said=request.query_params.get("said", ""),
    )


@router.get("/{action}")
def ask(
    request: Request, asker: asking.SeesClass, house: who.House, known: routes_classes.Notes, slug: Slug, number: Number, action: str
) -> Response:
    """What an action leads to, and the button that does it."""
    del asker
    if action not in ACTIONS:
        raise errors.NotFound("there is nothing at this address.", hint="The seat's page has everything that can be done.")
    seen, one = found(house, known, slug, number)
    since = worked_since(house, one.environment)
    return render.render(request, "ask_seat.html", action=action, room=seen.classroom, seat=one, now=seen.now, since=since)


@router.post("/reset")
def reset(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug, number: Number) -> Response:
    """Back to how it was when it first was ready."""
    house.desk.reset(slug, number, who=asker.name)
    return asking.done(request, f"/class/{slug}/seat/{number}", "reset")


@router.post("/undo")
def undo(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug, number: Number) -> Response:
    """Back to what was there before the last reset."""
    house.seating.undo(slug, number, who=asker.name)
    return asking.done(request, f"/class/{slug}/seat/{number}", "undone")


@router.post("/swap")
def swap(
    request: Request,
    asker: asking.RunsClass,
    house: who.House,
    slug: Slug,
    number: Number,
    *,
    keep: Annotated[bool, Form()] = False,
    refill: Annotated[bool, Form()] = False,
) -> Response:
    """The learner gets a spare's machines."""
    house.seating.swap(slug, number, who=asker.name, keep=keep, refill=refill)
    return asking.done(request, f"/class/{slug}/seat/{number}", "swapped")


@router.post("/helped")
def helped(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug, number: Number) -> Response:
    """The learner's hand goes down."""
    house.helping.lower_hand(slug, number, who=asker.name)
    return asking.done(request, f"/class/{slug}", "helped")


@router.post("/note")
def note(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug, number: Number, text: Text = "") -> Response:
    """For trainers' eyes."""
    house.helping.note(slug, number, text, who=asker.name)
    return asking.done(request, f"/class/{slug}/seat/{number}", "noted")
