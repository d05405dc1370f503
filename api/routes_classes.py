"""Routes of classrooms: list, open, show, extend, close, journal, and the live board."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api import boards, problems, shapes, shapes_fit, shown, staying, who
from labctl import wiring
from labctl.drivers import paper
from labctl.model import capacity, people
from labctl.model import classroom as classroom_
from labctl.model import environment as environment_

router = APIRouter(prefix="/api/v1/classrooms", tags=["classrooms"])

Slug = Annotated[str, Path(min_length=1, max_length=100, description="The classroom's name.", examples=["monday"])]


def _watching(asker: who.SeesClass, house: who.House, request: Request, slug: Slug) -> AsyncIterator[boards.Change]:
    # That the class exists is asked before the stream begins: afterwards there is no status left to say otherwise.
    del asker
    house.classrooms.classroom(slug)
    return live(request).watch(slug)


async def notes(request: Request) -> boards.Notes:
    """Classes as this process saw them last."""
    kept = request.app.state.notes
    assert isinstance(kept, boards.Notes)
    return kept


def live(request: Request) -> boards.Boards:
    """The boards being watched."""
    kept = request.app.state.boards
    assert isinstance(kept, boards.Boards)
    return kept


Notes = Annotated[boards.Notes, Depends(notes)]


@router.get("", summary="Classrooms", responses=problems.answers(401, 403))
def list_classrooms(asker: who.SeesSomeClass, house: who.House, *, closed: bool = False) -> list[shapes.ClassroomShape]:
    """Those of which something is there; with `closed=true` past ones too, oldest first. To whoever runs single classes, only those."""
    now = house.clock.now()
    everything: dict[str, environment_.Environment] = {}
    if closed:
        # A past class may share its name with another, so its seats are found by their environments.
        everything = {env.id: env for env in house.environments.environments(gone=True, bare=True)}
    rooms = [room for room in house.classrooms.classrooms(closed=closed) if asker.may(people.Right.SEE_CLASS, room.slug)]
    return [_counted(house, room, everything, now) for room in rooms]


def _counted(
    house: wiring.Wiring, room: classroom_.Classroom, everything: Mapping[str, environment_.Environment], now: datetime
) -> shapes.ClassroomShape:
    """Of a living class only its own seats are looked at, and of those only what counts them."""
    known = everything or {env.id: env for env in house.environments.environments(classroom=room.slug, gone=True, bare=True)}
    return shown.classroom(room, boards.rows(room, known, now), paper=house.paper)


@router.post("", status_code=202, summary="Open a classroom", responses=problems.answers(400, 401, 403, 404, 409, 422, 503))
def open_classroom(asker: who.Opens, house: who.House, wanted: shapes.OpenClassroom, response: Response) -> shapes.Accepted:
    """All or nothing: blueprint, roster, dates and room on the cluster are checked before anything is written. Machines are
    made from then on; look at the board.
    """
    room = house.desk.open(
        wanted.blueprint,
        wanted.roster.encode(),
        slug=wanted.name,
        title=wanted.title,
        starts=wanted.starts,
        ends=wanted.ends,
        answers=wanted.answers,
        trainer=asker.name,
        seats=wanted.seats,
        spares=wanted.spares,
        may_join=wanted.may_join,
    )
    learners = len(room.seats) - wanted.spares
    spares = f" and {wanted.spares} spares" if wanted.spares else ""
    what = f"Classroom `{room.slug}` with {learners} seats{spares} is being made; it lasts until {room.lease.ends:%Y-%m-%d %H:%M} UTC."
    if house.paper:
        what += f" ON PAPER ONLY: {paper.WORDS}."
    return _accepted(response, what, f"/api/v1/classrooms/{room.slug}")


@router.post("/fit", summary="Would it fit", responses=problems.answers(400, 401, 403, 404, 409, 422, 503))
def fit_classroom(asker: who.Opens, house: who.House, wanted: shapes.FitClassroom) -> shapes_fit.FitShape:
    """Fits or not, on which nodes, what is short, and when all would be ready, from times measured here. Nothing is made."""
    del asker
    answer = house.fitting.fit(wanted.blueprint, wanted.seats, spares=wanted.spares, starts=wanted.starts, answers=wanted.answers)
    return shapes_fit.FitShape.model_validate(capacity.told(answer))


@router.get("/{slug}", summary="A classroom with its seats", responses=problems.answers(401, 403, 404, 422))
def show_classroom(asker: who.SeesClass, known: Notes, slug: Slug) -> shapes.Board:
    """The board at this moment."""
    del asker
    return boards.read(known, slug)


@router.post("/{slug}/extend", summary="Give it more time", responses=problems.answers(400, 401, 403, 404, 409, 422))
def extend_classroom(asker: who.RunsClass, house: who.House, known: Notes, slug: Slug, wanted: shapes.Extend) -> shapes.ClassroomShape:
    """For all seats of the class."""
    house.desk.extend(slug, wanted.until, who=asker.name)
    return boards.read(known, slug).classroom


@router.post("/{slug}/close", status_code=202, summary="Close it", responses=problems.answers(401, 403, 404, 409, 422))
def close_classroom(asker: who.RunsClass, house: who.House, slug: Slug, response: Response) -> shapes.Accepted:
    """Everything of the class is removed from then on; may be repeated. The journal says what was removed."""
    house.desk.close(slug, who=asker.name)
    return _accepted(response, f"Classroom `{slug}` is being removed.", f"/api/v1/classrooms/{slug}")


@router.get("/{slug}/journal", summary="What was done", responses=problems.answers(401, 403, 404, 422))
def class_journal(asker: who.SeesClass, house: who.House, slug: Slug, page: Annotated[shapes.Page, Query()]) -> list[shapes.LineShape]:
    """Lines of all its environments, oldest first."""
    del asker
    house.classrooms.classroom(slug)
    return [shown.line(one) for one in house.journal.read(classroom=slug, after=page.after, limit=page.limit)]


@router.get(
    "/{slug}/events",
    response_class=EventSourceResponse,
    summary="The live board",
    responses=problems.answers(401, 403, 404, 422),
)
async def class_events(
    request: Request, asker: who.SeesClass, slug: Slug, watching: Annotated[AsyncIterator[boards.Change], Depends(_watching)]
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `board` (the whole board, first and after each reconnect), then `seats` (those that changed, and the
    classroom), `closed` at the end; `left` where the asker may see the class no more.
    """
    told = (event(change) async for change in watching)
    async with staying.following(request, asker, lambda person: person.may(people.Right.SEE_CLASS, slug), told) as events:
        async for one in events:
            yield one


def event(change: boards.Change) -> ServerSentEvent:
    """One change as an event."""
    if change.over:
        return ServerSentEvent(event="closed", id=change.id, data=change.board)
    if change.whole:
        return ServerSentEvent(event="board", id=change.id, data=change.board, retry=1000)
    return ServerSentEvent(event="seats", id=change.id, data={"classroom": change.board.classroom, "seats": change.seats})


def _accepted(response: Response, what: str, look: str) -> shapes.Accepted:
    response.headers["Location"] = look
    return shapes.Accepted(what=what, look=look)
