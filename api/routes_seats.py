"""Routes of seats and environments. A learner's token reaches its own seat only; of others it is told that there are none."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from api import boards, problems, shapes, shown, who
from api.routes_classes import Notes, Slug
from labctl import errors
from labctl.model import environment as environment_
from labctl.model import people

router = APIRouter(prefix="/api/v1", tags=["seats"])

Number = Annotated[int, Path(ge=1, le=100_000, description="The seat's number, from 1.")]
EnvironmentId = Annotated[str, Path(min_length=1, max_length=40, description="The environment's id.")]


def own(asker: who.Asker, known: boards.Notes, slug: str, number: int) -> shapes.SeatShape:
    """The seat, if it is the asker's to see. Raises NotFound."""
    missing = f"seat {number} in a classroom `{slug}`"
    staff = asker.may(people.Right.ENTER_SEATS, slug)
    try:
        board = boards.read(known, slug)
    except errors.NotFound:
        if staff:
            raise
        raise errors.NotFound(f"There is no {missing}.", hint="A learner's token opens one seat only; /api/v1/me says which.") from None
    for seat in board.seats:
        if seat.number == number:
            asker.must_own(seat.environment, missing, slug)
            return seat
    raise errors.NotFound(
        f"There is no {missing}.", hint=f"It has {len(board.seats)} seats." if staff else "/api/v1/me says which is yours."
    )


def _own_environment(asker: who.Asker, house: who.House, environment: str) -> environment_.Environment:
    """If it is the asker's to see. Raises NotFound, in the same words whether or not there is one."""
    missing = f"environment `{environment}`"
    try:
        found = house.environments.environment(environment)
    except errors.NotFound:
        asker.must_own(environment, missing)
        raise
    asker.must_own(environment, missing, found.classroom)
    return found


@router.get("/classrooms/{slug}/seats", summary="Seats of a classroom", responses=problems.answers(401, 403, 404, 422))
def list_seats(asker: who.SeesClass, known: Notes, slug: Slug) -> list[shapes.SeatShape]:
    """In order of their numbers."""
    del asker
    return boards.read(known, slug).seats


@router.get("/classrooms/{slug}/seats/{number}", summary="One seat", responses=problems.answers(401, 403, 404, 422))
def show_seat(asker: who.Anyone, known: Notes, slug: Slug, number: Number) -> shapes.SeatShape:
    """Its status word, step, machines and trouble."""
    return own(asker, known, slug, number)


@router.post(
    "/classrooms/{slug}/seats/{number}/reset",
    status_code=202,
    summary="Start a seat again",
    responses=problems.answers(401, 403, 404, 409, 422, 503),
)
def reset_seat(asker: who.Anyone, house: who.House, known: Notes, slug: Slug, number: Number, response: Response) -> shapes.Accepted:
    """Back to how it was when it first was ready; what was done in it since then is lost. Also clears the way when a step failed."""
    own(asker, known, slug, number)
    house.desk.reset(slug, number, who=asker.name)
    look = f"/api/v1/classrooms/{slug}/seats/{number}"
    response.headers["Location"] = look
    return shapes.Accepted(what=f"Seat {number} of `{slug}` starts again.", look=look)


@router.post(
    "/classrooms/{slug}/seats/{number}/undo",
    status_code=202,
    summary="Undo the last reset",
    responses=problems.answers(401, 403, 404, 409, 422, 503),
)
def undo_reset(asker: who.Anyone, house: who.House, known: Notes, slug: Slug, number: Number, response: Response) -> shapes.Accepted:
    """Back to what was there before the last reset, as long as that is kept (`undo_until` of the seat)."""
    own(asker, known, slug, number)
    house.seating.undo(slug, number, who=asker.name)
    look = f"/api/v1/classrooms/{slug}/seats/{number}"
    response.headers["Location"] = look
    return shapes.Accepted(what=f"Seat {number} of `{slug}` goes back to what was there before its reset.", look=look)


@router.post(
    "/classrooms/{slug}/seats/{number}/swap",
    status_code=202,
    summary="Give it a spare's machines",
    responses=problems.answers(400, 401, 403, 404, 409, 422, 503),
)
def swap_seat(
    asker: who.RunsClass, house: who.House, slug: Slug, number: Number, wanted: shapes.SwapSeat, response: Response
) -> shapes.Swapped:
    """The learner keeps identity, files for ssh and values; the machines are those of a spare that is ready. The old ones are
    removed, or kept aside.
    """
    done = house.seating.swap(slug, number, who=asker.name, keep=wanted.keep, refill=wanted.refill)
    look = f"/api/v1/classrooms/{slug}/seats/{number}"
    response.headers["Location"] = look
    what = f"Seat {number} of `{slug}` gets the machines of spare {done.spare}."
    return shapes.Swapped(what=what, look=look, **vars(done))


@router.post("/classrooms/{slug}/seats/{number}/bundle", summary="Files for ssh", responses=problems.answers(401, 403, 404, 409, 422))
def seat_bundle(asker: who.Anyone, house: who.House, known: Notes, slug: Slug, number: Number, response: Response) -> shapes.BundleShape:
    """A fresh key and certificate that ends with the lease, a config and known_hosts: `ssh -F FOLDER/config MACHINE`."""
    own(asker, known, slug, number)
    bundle = house.desk.bundle(slug, number)
    response.headers["Cache-Control"] = "no-store"
    return shapes.BundleShape(files=bundle.files, hosts=list(bundle.hosts))


@router.get("/environments", tags=["environments"], summary="Environments", responses=problems.answers(401, 403, 422))
def list_environments(asker: who.SeesCluster, house: who.House, *, gone: bool = False) -> list[shapes.EnvironmentShape]:
    """Those that exist; with `gone=true` removed ones too."""
    del asker
    now = house.clock.now()
    return [shown.environment(one, now) for one in house.environments.environments(gone=gone)]


@router.get("/environments/{environment}", tags=["environments"], summary="One environment", responses=problems.answers(401, 403, 404, 422))
def show_environment(asker: who.Anyone, house: who.House, environment: EnvironmentId) -> shapes.EnvironmentShape:
    """Wishes and facts."""
    return shown.environment(_own_environment(asker, house, environment), house.clock.now())


@router.get(
    "/environments/{environment}/journal", tags=["environments"], summary="What was done", responses=problems.answers(401, 403, 404, 422)
)
def environment_journal(
    asker: who.Anyone, house: who.House, environment: EnvironmentId, page: Annotated[shapes.Page, Query()]
) -> list[shapes.LineShape]:
    """Oldest first."""
    _own_environment(asker, house, environment)
    return [shown.line(one) for one in house.journal.read(environment=environment, after=page.after, limit=page.limit)]
