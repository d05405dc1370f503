"""A learner's own page: the guide beside their machines, the ways in, help, and starting again."""

from __future__ import annotations

import asyncio
import functools
import io
import zipfile
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api import boards, routes_classes, staying, texts, who
from api.pages import apps_shown, asking, guide_html, guides, render, seats, sitting, tabs, tasks
from api.pages.sitting import Seat
from labctl import errors, wiring
from labctl.model import people, viewing

router = APIRouter(include_in_schema=False, prefix="/seat/{environment}")


@router.get("")
def seat_page(request: Request, asker: asking.Anyone, house: who.House, seat: Seat, page: int = 0, console: str = "") -> Response:
    """All of it; the page of the guide by its number, else how far its learner came; with `console` that machine's own screen."""
    house.examining.prepare(seat.slug, seat.number)
    book = guides.of(house, seat.slug, seat.number, seat.seat.environment, render.language(request))
    shown = min(max(1, page or seat.seat.guide_page), max(1, len(book.pages)))
    apps = apps_shown.shown(house, seat.seat)
    machines, desktops = seats.enterable(house, seat.seat.environment), seats.with_desktop(house, seat.seat.environment)
    return render.render(
        request,
        "learner.html",
        frames=apps.origins,
        apps=apps,
        mine=seat,
        over=seat.over,
        room=seat.board.classroom,
        seat=seat.seat,
        now=seat.board.now,
        guide=book,
        pages=book.pages,
        shown=shown,
        guide_wrong=book.wrong,
        own=asker.person.owns(seat.seat.environment),
        address=f"/seat/{seat.seat.environment}",
        text=functools.partial(guide_html.text, images=f"/seat/{seat.seat.environment}/img/"),
        files=guides.files(book.pages[shown - 1]) if book.pages else (),
        messages=house.helping.messages(seat.slug, 5),
        machines=machines,
        desktops=desktops,
        tabs=tabs.beside(
            book.pages[shown - 1].tabs if book.pages else (),
            machines if seat.seat.status == "ready" and "terminal.js" in render.built() else (),
            desktops if seat.seat.status == "ready" and "desktop.js" in render.built() else (),
            apps.apps if apps.ready else (),
        ),
        door=house.door_address,
        console=console,
        consoles=asker.person.owns(seat.seat.environment) and not house.paper and "desktop.js" in render.built(),
        folder=_folder(seat),
        code=None,
        said=request.query_params.get("said", ""),
    )


def _watching(request: Request, seat: Seat) -> AsyncIterator[boards.Change]:
    return routes_classes.live(request).watch(seat.slug, seat.number)


@router.get("/events", response_class=EventSourceResponse)
async def seat_events(
    request: Request,
    asker: asking.Anyone,
    house: who.House,
    seat: Seat,
    watching: Annotated[AsyncIterator[boards.Change], Depends(_watching)],
    page: int = 1,
    shown: str = "",
    hand: bool = False,
) -> AsyncIterator[ServerSentEvent]:
    """The seat's own state as it changes, and the boxes on this page of its guide; of others nothing is sent. `ready` when it has become
    so since the page was made, which has `shown` another status; the question for help when the `hand` of the page is no longer how it
    is; `over` when labctl takes nothing of the seat any more; `moved` when the machines went to another seat.
    """
    told = _told(request, asker, house, seat, watching, page, ready=shown in ("", "ready"), hand=hand)
    async with staying.following(request, asker, lambda person: _stays(person, seat), told) as events:
        async for event in events:
            yield event


def _stays(person: people.Person, seat: sitting.Mine) -> bool:
    """Also whose machines went to another seat, who is told so."""
    sits = any((place.classroom, place.seat) == (seat.slug, seat.number) for place in person.places)
    return sits or person.owns(seat.seat.environment) or person.may(people.Right.ENTER_SEATS, seat.slug)


async def _told(
    request: Request,
    asker: who.Asker,
    house: wiring.Wiring,
    seat: sitting.Mine,
    watching: AsyncIterator[boards.Change],
    page: int,
    *,
    ready: bool,
    hand: bool,
) -> AsyncIterator[ServerSentEvent]:
    spoken, zone = render.language(request), render.zone(request)
    own = asker.person.owns(seat.seat.environment)
    before, ended, boxes = "", False, tasks.Boxes(house, seat, page, own=own)
    patrol = asyncio.create_task(tasks.patrol(house, seat)) if own else None
    try:
        async for change in watching:
            now = change.seen.seats.get(seat.number)
            if now is None or now.environment != seat.seat.environment:
                yield ServerSentEvent(raw_data="moved", event="moved", id=change.id)
                return
            over = sitting.over(change.board.classroom, now)
            text = render.fragment("learner_state.html", spoken, zone, seat=now, room=change.board.classroom, over=over)
            if text != before:
                before = text
                part = f'<hx-partial hx-target="#state" hx-swap="outerMorph">{text}</hx-partial>'
                yield ServerSentEvent(raw_data=part, id=change.id, retry=1000)
            if (now.hand_since is not None) != hand:
                hand = not hand
                # Not at every change of the seat: whoever types what it is about keeps what they typed.
                text_ = render.fragment("learner_hand.html", spoken, zone, seat=now, over=over)
                yield ServerSentEvent(raw_data=f'<hx-partial hx-target="#hand" hx-swap="outerMorph">{text_}</hx-partial>', id=change.id)
            for part in await to_thread.run_sync(boxes.changed, now, spoken, zone):
                yield ServerSentEvent(raw_data=part, id=change.id)
            if now.status == "ready" and not ready:
                yield ServerSentEvent(raw_data="ready", event="ready", id=change.id)
            ready = now.status == "ready"
            if over and not ended:
                yield sitting.OVER
            ended = over
            if change.over:
                yield ServerSentEvent(raw_data="over", event="closed", id=change.id)
    finally:
        if patrol is not None:
            patrol.cancel()


@router.post("/page")
def turn_page(asker: asking.Anyone, house: who.House, seat: Seat, page: Annotated[int, Form(ge=1, le=1000)] = 1) -> Response:
    """On to that page. Only the learner's own steps count as progress."""
    if asker.person.owns(seat.seat.environment):
        house.helping.reach(seat.slug, seat.number, page, len(guides.of(house, seat.slug, seat.number, seat.seat.environment).pages))
    return RedirectResponse(f"/seat/{seat.seat.environment}?page={page}#guide", status_code=303)


@router.post("/joining")
def answer_joining(
    request: Request, asker: asking.Anyone, house: who.House, seat: Seat, answer: Annotated[Literal["allowed", "refused"], Form()]
) -> Response:
    """Whether trainers may type along, from now on. The learner's to say: those who ask cannot answer for them."""
    if not asker.person.owns(seat.seat.environment):
        raise errors.Forbidden("only the learner of that seat can allow this.", hint="They see the question on their page.")
    house.terminals.answer(seat.slug, seat.number, viewing.Answer(answer), who=asker.name)
    return asking.done(request, f"/seat/{seat.seat.environment}", f"join-{answer}")


@router.post("/help")
def ask_for_help(
    request: Request, asker: asking.Anyone, house: who.House, seat: Seat, text: Annotated[str, Form(max_length=10_000)] = ""
) -> Response:
    """A hand goes up."""
    house.helping.raise_hand(seat.slug, seat.number, text, who=asker.name)
    return asking.done(request, f"/seat/{seat.seat.environment}", "asked")


@router.post("/help/done")
def no_help(request: Request, asker: asking.Anyone, house: who.House, seat: Seat) -> Response:
    """It goes down."""
    house.helping.lower_hand(seat.slug, seat.number, who=asker.name)
    return asking.done(request, f"/seat/{seat.seat.environment}", "lowered")


@router.get("/reset")
def ask_reset(request: Request, house: who.House, seat: Seat) -> Response:
    """What starting again leads to, and the button that does it."""
    since = seats.worked_since(house, seat.seat.environment)
    return render.render(request, "ask_reset.html", room=seat.board.classroom, seat=seat.seat, now=seat.board.now, since=since)


@router.post("/reset")
def reset(request: Request, asker: asking.Anyone, house: who.House, seat: Seat) -> Response:
    """Back to how it was when it first was ready."""
    house.desk.reset(seat.slug, seat.number, who=asker.name)
    return asking.done(request, f"/seat/{seat.seat.environment}", "reset")


@router.post("/undo")
def undo(request: Request, asker: asking.Anyone, house: who.House, seat: Seat) -> Response:
    """Back to what was there before the last reset."""
    house.seating.undo(seat.slug, seat.number, who=asker.name)
    return asking.done(request, f"/seat/{seat.seat.environment}", "undone")


@router.post("/code")
def code(request: Request, asker: asking.Anyone, house: who.House, seat: Seat) -> Response:
    """A code for one login by plain ssh; in the answer and nowhere else."""
    made, until = house.entering.new_code(seat.slug, seat.number, who=asker.name)
    return render.render(
        request,
        "code.html",
        code=made,
        until=until,
        seat=seat.seat,
        room=seat.board.classroom,
        machines=seats.enterable(house, seat.seat.environment),
        door=house.door_address,
    )


def _folder(seat: sitting.Mine) -> str:
    """How the folder of files for ssh is called, which knows its own place."""
    return f"labctl-{seat.slug}-{seat.number}"


@router.post("/bundle")
def bundle(request: Request, house: who.House, seat: Seat) -> Response:
    """A folder for plain OpenSSH, to be unpacked into the home. Made now and kept nowhere."""
    folder = _folder(seat)
    how = texts.Texts(render.language(request))("learner.bundle-how", folder=folder)
    lines = [f"    ssh -F {folder}/config {name}" for name in seats.enterable(house, seat.seat.environment)]
    files = {**house.desk.bundle(seat.slug, seat.number).files, "README.txt": "\r\n".join([how.unescape(), "", *lines, ""])}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=house.clock.now().timetuple()[:6])
            # OpenSSH refuses a key that others may read.
            entry.external_attr = (0o100600 if name == "id" else 0o100644) << 16
            archive.writestr(entry, text.replace("@FOLDER@", f"~/{folder}"))
    headers = {
        "Content-Disposition": f'attachment; filename="{folder}.zip"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(packed.getvalue(), media_type="application/zip", headers=headers)
