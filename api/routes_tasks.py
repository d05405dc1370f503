"""Routes of a seat's tasks. Whoever may enter a seat may have it looked into; answers, hints and giving up are its learner's own."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path

from api import problems, routes_seats, shapes, shapes_tasks, who
from api.routes_classes import Notes, Slug
from api.routes_seats import Number
from labctl import errors

router = APIRouter(prefix="/api/v1/classrooms/{slug}/seats/{number}/tasks", tags=["tasks"])

WAIT = 20.0
"""Seconds that an answer waits for the end of a look; what takes longer is seen by asking again."""

TaskId = Annotated[str, Path(min_length=1, max_length=40, description="The task's id.")]


def seen(asker: who.Anyone, known: Notes, slug: Slug, number: Number) -> shapes.SeatShape:
    """The seat, if the asker may enter it. Raises NotFound."""
    return routes_seats.own(asker, known, slug, number)


def mine(asker: who.Anyone, seat: Annotated[shapes.SeatShape, Depends(seen)]) -> shapes.SeatShape:
    """The seat, if the asker sits on it. Raises NotFound, Forbidden."""
    if not asker.person.owns(seat.environment):
        raise errors.Forbidden("Only the learner of a seat does its tasks.", hint="You can have its machines looked into: /check.")
    return seat


Seen = Annotated[shapes.SeatShape, Depends(seen)]
Mine = Annotated[shapes.SeatShape, Depends(mine)]


async def ended(look: Future[None]) -> bool:
    """Whether it ended while we waited. No thread waits with it, however many press at once. Raises what it raised."""
    waiting = asyncio.wrap_future(look)
    done, _ = await asyncio.wait({waiting}, timeout=WAIT)
    if done:
        waiting.result()
    return bool(done)


@router.get("", summary="Tasks of a seat", responses=problems.answers(401, 403, 404, 422))
def list_tasks(house: who.House, seat: Seen, slug: Slug, number: Number) -> list[shapes_tasks.TaskShape]:
    """In their order, as the learner may see them."""
    del seat
    return [shapes_tasks.task(one) for one in house.examining.boxes(slug, number)]


@router.get("/{task}", summary="One task", responses=problems.answers(401, 403, 404, 422))
def show_task(house: who.House, seat: Seen, slug: Slug, number: Number, task: TaskId) -> shapes_tasks.TaskShape:
    """As the learner may see it."""
    del seat
    return shapes_tasks.task(house.examining.box(slug, number, task))


@router.post("/{task}/check", summary="Look into the machines", responses=problems.answers(401, 403, 404, 409, 422, 503))
async def check(asker: who.Anyone, house: who.House, seat: Seen, slug: Slug, number: Number, task: TaskId) -> shapes_tasks.TaskShape:
    """Its checks, one after another, until one fails. Answers when that is known, at the latest after twenty seconds (`looking`)."""
    del seat
    look = await to_thread.run_sync(lambda: house.examining.check(slug, number, task, who=asker.name))
    await ended(look)
    return shapes_tasks.task(await to_thread.run_sync(house.examining.box, slug, number, task))


@router.post("/{task}/answer", summary="Answer", responses=problems.answers(400, 401, 403, 404, 409, 422))
def answer(
    asker: who.Anyone, house: who.House, seat: Mine, slug: Slug, number: Number, task: TaskId, said: shapes_tasks.NewAnswer
) -> shapes_tasks.TaskShape:
    """One try; three seconds between two."""
    del seat
    if said.choices:
        house.tasking.choose(slug, number, task, said.choices, who=asker.name)
    else:
        house.tasking.answer(slug, number, task, said.answer, who=asker.name)
    return shapes_tasks.task(house.examining.box(slug, number, task))


@router.post("/{task}/confirm", summary="Say that it is done", responses=problems.answers(400, 401, 403, 404, 409, 422))
def confirm(asker: who.Anyone, house: who.House, seat: Mine, slug: Slug, number: Number, task: TaskId) -> shapes_tasks.TaskShape:
    """For tasks that are proven by the learner's word."""
    del seat
    house.tasking.confirm(slug, number, task, who=asker.name)
    return shapes_tasks.task(house.examining.box(slug, number, task))


@router.post("/{task}/hint", summary="Open a hint", responses=problems.answers(400, 401, 403, 404, 409, 422))
def hint(
    asker: who.Anyone, house: who.House, seat: Mine, slug: Slug, number: Number, task: TaskId, wanted: shapes_tasks.NewHint
) -> shapes_tasks.TaskShape:
    """The next one, for its price."""
    del seat
    house.tasking.hint(slug, number, task, wanted.number, who=asker.name)
    return shapes_tasks.task(house.examining.box(slug, number, task))


@router.post("/{task}/give-up", summary="Give up", responses=problems.answers(400, 401, 403, 404, 409, 422))
def give_up(asker: who.Anyone, house: who.House, seat: Mine, slug: Slug, number: Number, task: TaskId) -> shapes_tasks.TaskShape:
    """No points; the explanation is shown, and what follows opens."""
    del seat
    house.tasking.give_up(slug, number, task, who=asker.name)
    return shapes_tasks.task(house.examining.box(slug, number, task))
