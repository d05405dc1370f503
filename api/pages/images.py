"""Images of a seat's guide (`blueprint.md` 16): for those who see that seat, and only what an open page of its guide shows."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api import who
from api.pages import guides, render
from api.pages.sitting import Seat
from labctl.model import guide_images

router = APIRouter(include_in_schema=False, prefix="/seat/{environment}")

_HEADERS = {
    # An SVG that is opened by itself is a document: it may run nothing, load nothing, and is of no origin of ours.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Asked for again each time: whoever may not see the seat any more gets it no more.
    "Cache-Control": "private, no-cache",
    "Vary": "Accept-Language, Cookie",
}


@router.get("/img/{image}")
def image(request: Request, house: who.House, seat: Seat, image: Annotated[str, Path(max_length=120)]) -> Response:
    """One of them, in the language in which the guide is read."""
    data = guides.image(house, seat.slug, seat.number, seat.seat.environment, image, render.language(request))
    headers = _HEADERS | {"ETag": f'"{hashlib.sha256(data).hexdigest()[:32]}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=guide_images.content_type(image), headers=headers)
