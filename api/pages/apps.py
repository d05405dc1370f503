"""The button on a seat's page that leads to a web app. What the page says of apps is `apps_shown`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api import routes_apps, who
from api.pages import asking
from api.pages.sitting import Seat

router = APIRouter(include_in_schema=False, prefix="/seat/{environment}/apps")

AppName = Annotated[str, Path(min_length=1, max_length=24)]


@router.post("/{app}")
def enter(asker: asking.Anyone, house: who.House, seat: Seat, app: AppName) -> Response:
    """To the app's own address."""
    return routes_apps.to_app(house.visiting.enter(seat.slug, seat.number, app, who=asker.name, proof=asker.proof))
