"""Routes of web apps: the button on a seat's page, and what the proxy asks with a token of its own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import RedirectResponse

from api import problems, shapes_apps, shapes_door, who
from api.routes_classes import Notes, Slug
from api.routes_seats import Number, own

router = APIRouter(prefix="/api/v1")

AppName = Annotated[str, Path(min_length=1, max_length=24, description="The app's name in the blueprint.")]


@router.post(
    "/classrooms/{slug}/seats/{number}/apps/{app}/enter",
    tags=["seats"],
    status_code=303,
    response_class=RedirectResponse,
    summary="Go to a web app",
    responses=problems.answers(401, 403, 404, 409, 422),
)
def enter_app(asker: who.Anyone, house: who.House, known: Notes, slug: Slug, number: Number, app: AppName) -> RedirectResponse:
    """To the app's own address, with a ticket that is good once and for a minute."""
    own(asker, known, slug, number)
    return to_app(house.visiting.enter(slug, number, app, who=asker.name, proof=asker.proof))


def to_app(address: str) -> RedirectResponse:
    """There, and nobody keeps it."""
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


@router.post("/apps/enter", tags=["apps"], summary="Use a ticket up", responses=problems.answers(401, 403, 422))
def enter(asker: who.AppsOnly, house: who.House, asked: shapes_apps.Entered) -> shapes_apps.EntryShape:
    """The secret of a cookie for that host."""
    del asker
    secret, visit = house.visiting.admit(asked.host, asked.ticket)
    return shapes_apps.EntryShape(secret=secret, visit=shapes_apps.visit(visit))


@router.post("/apps/visit", tags=["apps"], summary="What a cookie opens", responses=problems.answers(401, 403, 404, 422))
def visit(asker: who.AppsOnly, house: who.House, asked: shapes_apps.Came) -> shapes_apps.VisitShape:
    """404 where nobody ever came to such a host."""
    del asker
    return shapes_apps.visit(house.visiting.visit(asked.host, asked.secret))


@router.post("/apps/certificate", tags=["apps"], summary="Sign the proxy's own key", responses=problems.answers(400, 401, 403, 422))
def certificate(asker: who.AppsOnly, house: who.House, asked: shapes_apps.VisitSigned) -> shapes_door.CertificateShape:
    """For ten minutes and one seat; it opens no shell."""
    del asker
    return shapes_door.CertificateShape(certificate=house.visiting.certify(asked.visit, asked.public_key))


@router.post("/apps/still", tags=["apps"], summary="Who may stay", responses=problems.answers(401, 403, 422))
def still(asker: who.AppsOnly, house: who.House, asked: shapes_apps.Visits) -> shapes_door.Alive:
    """Of those named."""
    del asker
    return shapes_door.Alive(alive=sorted(house.visiting.still(asked.visits)))
