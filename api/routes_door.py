"""Routes of the SSH door: it asks with a token of its own, and is told of nobody but whom it asks for. And codes for learners."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api import problems, shapes_door, who
from api.routes_classes import Notes, Slug
from api.routes_seats import Number, own

router = APIRouter(prefix="/api/v1")


@router.post(
    "/classrooms/{slug}/seats/{number}/code",
    tags=["seats"],
    status_code=201,
    summary="A one-time code for ssh without a key",
    responses=problems.answers(401, 403, 404, 409, 422),
)
def new_code(asker: who.Anyone, house: who.House, known: Notes, slug: Slug, number: Number, response: Response) -> shapes_door.CodeShape:
    """Good once and for two minutes: `ssh LOGIN+MACHINE@HOST`, then type it."""
    own(asker, known, slug, number)
    code, until = house.entering.new_code(slug, number, who=asker.name)
    response.headers["Cache-Control"] = "no-store"
    plan = house.environments.plan(house.desk.seat(slug, number)[1].id)
    machines = [machine.name for machine in plan.machines if "terminal" in machine.access]
    door = house.door_address
    return shapes_door.CodeShape(code=code, until=until, login=plan.seat.login, machines=machines, host=door.host, port=door.port)


@router.post("/door/way", tags=["door"], summary="Where a certificate's holder may go", responses=problems.answers(401, 403, 422))
def way(asker: who.DoorOnly, house: who.House, asked: shapes_door.Principal) -> shapes_door.WayShape:
    """403 for everything that may not be entered now."""
    del asker
    return shapes_door.way(house.entering.way(asked.principal))


@router.post("/door/redeem", tags=["door"], summary="Use a code up", responses=problems.answers(401, 403, 422))
def redeem(asker: who.DoorOnly, house: who.House, asked: shapes_door.Redeemed) -> shapes_door.WayShape:
    """The seat it was made for."""
    del asker
    return shapes_door.way(house.entering.redeem(asked.code, asked.login))


@router.post("/door/certificate", tags=["door"], summary="Sign the door's own key", responses=problems.answers(400, 401, 403, 422))
def certificate(asker: who.DoorOnly, house: who.House, asked: shapes_door.Signed) -> shapes_door.CertificateShape:
    """For ten minutes and one seat, so that the door can carry a learner who has no key."""
    del asker
    return shapes_door.CertificateShape(certificate=house.entering.certify(asked.principal, asked.public_key))


@router.post("/door/still", tags=["door"], summary="Who may stay", responses=problems.answers(401, 403, 422))
def still(asker: who.DoorOnly, house: who.House, asked: shapes_door.Principals) -> shapes_door.Alive:
    """Of those named: "principal environment" for each that may be in now."""
    del asker
    return shapes_door.Alive(alive=sorted(house.entering.still(asked.principals)))
