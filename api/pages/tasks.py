"""Boxes of tasks on a learner's page: forms first; where scripts run only the box is replaced. The page itself is `api.pages.learner`'s."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Annotated
from zoneinfo import ZoneInfo

from anyio import to_thread
from fastapi import APIRouter, Depends, Form, Path, Request, Response
from fastapi.responses import RedirectResponse

from api import routes_tasks, shapes, who
from api.pages import asking, guides, render
from api.pages.sitting import Mine, Seat
from labctl import errors, wiring

router = APIRouter(include_in_schema=False, prefix="/seat/{environment}/task/{task}")

PATROL = 60.0
"""Seconds (`blueprint.md` 13)."""

TaskId = Annotated[str, Path(min_length=1, max_length=40)]
PageNumber = Annotated[int, Form(ge=1, le=1000)]


def own(asker: asking.Anyone, seat: Seat) -> Mine:
    """The seat, if the asker sits on it. Raises NotFound, Forbidden."""
    if not asker.person.owns(seat.seat.environment):
        raise errors.Forbidden("Only the learner of a seat does its tasks.", hint="You can have its machines looked into.")
    return seat


Own = Annotated[Mine, Depends(own)]


class Boxes:
    """The boxes on one page of a seat's guide, for somebody who keeps that page open: what is shown anew when it changed."""

    def __init__(self, house: wiring.Wiring, seat: Mine, page: int, *, own: bool) -> None:
        self._house, self._seat, self._page, self._own = house, seat, page, own
        self._key: tuple[object, ...] | None = None
        self._sent: dict[str, str] = {}

    def changed(self, seat: shapes.SeatShape, spoken: str, zone: ZoneInfo) -> list[str]:
        """Parts for htmx. The first time all of them, for something may have happened since the page was made."""
        key = (seat.tasks_changed, seat.status, seat.round)
        if key == self._key or not seat.tasks:
            return []
        self._key = key
        if seat.status == "ready":
            self._house.examining.prepare(self._seat.slug, self._seat.number)
        book = guides.of(self._house, self._seat.slug, self._seat.number, seat.environment, spoken)
        if not book.pages:  # the class is over, and its course was put away with it
            return []
        page = book.pages[min(max(1, self._page), len(book.pages)) - 1]
        # Also when the class is over: what was typed into a box is still to be seen, and the page itself offers it no more.
        texts = {"score": render.fragment("guide_score.html", spoken, zone, guide=book)}
        for box in (book.boxes[task] for task in page.tasks if task in book.boxes):
            address = f"/seat/{seat.environment}"
            texts[f"task-{box.id}"] = render.fragment(
                "task.html", spoken, zone, box=box, address=address, shown=self._page, own=self._own, wrong="", over=False
            )
        fresh = {name: text for name, text in texts.items() if self._sent.get(name) != text}
        self._sent.update(fresh)
        return [f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">{text}</hx-partial>' for name, text in fresh.items()]


async def patrol(house: wiring.Wiring, seat: Mine) -> None:
    """While its learner has the page open, look each minute into what is open: who has done it need not press."""
    while True:
        await asyncio.sleep(PATROL)
        with contextlib.suppress(errors.LabctlError):
            await to_thread.run_sync(house.examining.patrol, seat.slug, seat.number)


def _box(
    request: Request, house: who.House, seat: Mine, task: str, page: int, *, own: bool, wrong: errors.LabctlError | None = None
) -> Response:
    """The box as it is now, for htmx; else the page that it stands on."""
    address = f"/seat/{seat.seat.environment}"
    if not render.only_part(request):
        return RedirectResponse(f"{address}?page={page}#task-{task}", status_code=303)
    said = guides.words(house, seat.seat.environment, render.language(request))
    box = house.examining.box(seat.slug, seat.number, task, said)
    return render.render(request, "task.html", box=box, address=address, shown=page, own=own, wrong=wrong, over=False)


def _done(request: Request, house: who.House, seat: Mine, task: str, page: int, act: Callable[[], object]) -> Response:
    """Do it and show the box; where scripts run a refusal is said in the box, and what was typed stays."""
    try:
        act()
    except (errors.BadInput, errors.Conflict) as error:
        if not render.only_part(request):
            raise
        return _box(request, house, seat, task, page, own=True, wrong=error)
    return _box(request, house, seat, task, page, own=True)


@router.post("/check")
async def check(request: Request, asker: asking.Anyone, house: who.House, seat: Seat, task: TaskId, page: PageNumber = 1) -> Response:
    """Look into the machines, and wait a while for what comes of it."""
    wrong: errors.LabctlError | None = None
    own_ = asker.person.owns(seat.seat.environment)
    try:
        look = await to_thread.run_sync(lambda: house.examining.check(seat.slug, seat.number, task, who=asker.name))
        await routes_tasks.ended(look)
    except (errors.BadInput, errors.Conflict) as error:
        if not render.only_part(request):
            raise
        wrong = error
    return await to_thread.run_sync(lambda: _box(request, house, seat, task, page, own=own_, wrong=wrong))


@router.post("/answer")
def answer(
    request: Request,
    asker: asking.Anyone,
    house: who.House,
    seat: Own,
    task: TaskId,
    said: Annotated[str, Form(max_length=10_000)] = "",
    page: PageNumber = 1,
) -> Response:
    """One try."""
    return _done(request, house, seat, task, page, lambda: house.tasking.answer(seat.slug, seat.number, task, said, who=asker.name))


@router.post("/choose")
def choose(
    request: Request,
    asker: asking.Anyone,
    house: who.House,
    seat: Own,
    task: TaskId,
    choice: Annotated[list[int] | None, Form()] = None,
    page: PageNumber = 1,
) -> Response:
    """One try."""
    return _done(request, house, seat, task, page, lambda: house.tasking.choose(seat.slug, seat.number, task, choice or [], who=asker.name))


@router.post("/confirm")
def confirm(request: Request, asker: asking.Anyone, house: who.House, seat: Own, task: TaskId, page: PageNumber = 1) -> Response:
    """The learner's word."""
    return _done(request, house, seat, task, page, lambda: house.tasking.confirm(seat.slug, seat.number, task, who=asker.name))


@router.post("/hint")
def hint(
    request: Request,
    asker: asking.Anyone,
    house: who.House,
    seat: Own,
    task: TaskId,
    which: Annotated[int, Form(ge=1, le=1000)] = 1,
    page: PageNumber = 1,
) -> Response:
    """The next hint."""
    return _done(request, house, seat, task, page, lambda: house.tasking.hint(seat.slug, seat.number, task, which, who=asker.name))


@router.post("/give-up")
def give_up(request: Request, asker: asking.Anyone, house: who.House, seat: Own, task: TaskId, page: PageNumber = 1) -> Response:
    """On without points."""
    return _done(request, house, seat, task, page, lambda: house.tasking.give_up(seat.slug, seat.number, task, who=asker.name))
