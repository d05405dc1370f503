"""Routes of blueprints: list, show, plan. A blueprint is a file of the site; nobody changes it through here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api import problems, shapes, shown, who
from labctl.model import preview, summary

router = APIRouter(prefix="/api/v1/blueprints", tags=["blueprints"])

Name = Annotated[str, Path(min_length=1, max_length=100, pattern=shapes.BLUEPRINT_NAME, examples=["web-attack-basics"])]


@router.get("", summary="Blueprints", responses=problems.answers(401, 403))
def list_blueprints(asker: who.ReadsCourses, house: who.House) -> list[shapes.BlueprintShape]:
    """Those with mistakes too: `broken` says what is wrong."""
    del asker
    return [shapes.BlueprintShape(**vars(one)) for one in house.shelf.list()]


@router.get("/{name}", summary="A blueprint", responses=problems.answers(401, 403, 404, 422))
def show_blueprint(asker: who.ReadsCourses, house: who.House, name: Name) -> shapes.BlueprintShape:
    """422 with every complaint when it has mistakes."""
    del asker
    return shown.blueprint(house.shelf.book(name))


@router.get("/{name}/plan", summary="What it would make", responses=problems.answers(400, 401, 403, 404, 422))
def plan_blueprint(
    asker: who.ReadsCourses,
    house: who.House,
    name: Name,
    seats: Annotated[int, Query(ge=1, le=preview.MOST_SEATS, description="For how many learners.")] = 1,
) -> summary.Summary:
    """From the planner of the real run; nothing is made. Drawn values are not shown."""
    del asker
    book = house.shelf.book(name)
    plans = preview.plans(book.blueprint, house.site, seats, f"{book.name}@{book.digests.blueprint}")
    return summary.of(book.blueprint, plans[0], seats)
