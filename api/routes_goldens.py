"""Routes of golden machines: list, bake ahead of time, remove. Classes that need them have them baked by themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api import problems, shapes, shown, who
from api.routes_blueprints import Name
from labctl import errors

router = APIRouter(prefix="/api/v1", tags=["golden machines"])

Set = Annotated[str, Path(min_length=1, max_length=100, description="Its name, or its blueprint's where that has one set only.")]


@router.get("/goldens", summary="Golden machines", responses=problems.answers(401, 403))
def list_goldens(asker: who.Bakes, house: who.House) -> list[shapes.GoldenShape]:
    """Sets there are, oldest first, with the classes that stand on each."""
    del asker
    now = house.clock.now()
    return [shown.golden(one, now) for one in house.goldens.list()]


@router.post(
    "/blueprints/{name}/bake",
    status_code=202,
    summary="Bake golden machines",
    responses=problems.answers(400, 401, 403, 404, 409, 422, 503),
)
def bake_blueprint(asker: who.Bakes, house: who.House, name: Name, response: Response) -> shapes.Accepted:
    """Ahead of the first class that needs them. Where they are there already, nothing is done."""
    book = house.shelf.book(name)
    house.bell.listen()
    made = house.goldens.ahead(book, asker.name)
    if not made:
        raise errors.Conflict(
            f"blueprint '{name}' has no step that is the same for everybody.", hint="Its classes need no golden machines."
        )
    look = f"/api/v1/classrooms/{made[0].classroom}"
    response.headers["Location"] = look
    names = ", ".join(f"`{env.classroom}`" for env in made)
    return shapes.Accepted(what=f"The golden machines of `{name}` are {names}.", look=look)


@router.delete("/goldens/{name}", status_code=202, summary="Remove golden machines", responses=problems.answers(401, 403, 404, 409, 422))
def remove_golden(asker: who.Bakes, house: who.House, name: Set, response: Response) -> shapes.Accepted:
    """Refused (409) while a class stands on them: its machines are clones on their disks."""
    room = house.goldens.remove(name, who=asker.name)
    look = f"/api/v1/classrooms/{room.slug}"
    response.headers["Location"] = look
    return shapes.Accepted(what=f"The golden machines `{room.slug}` of {room.blueprint} are being removed.", look=look)
