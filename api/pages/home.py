"""Pages that belong to everybody: my classes, the browser check, the choice of language, the style sheet, what browsers report."""

from __future__ import annotations

import functools
import hashlib
import logging
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from api import routes_classes, sessions, texts, who
from api.pages import asking, render
from labctl.model import web_apps
from labctl.model.people import Right

router = APIRouter(include_in_schema=False)

_log = logging.getLogger(__name__)

MOST_REPORT = 16 * 1024


@router.get("/")
def start(request: Request, asker: asking.Anyone, house: who.House, *, closed: bool = False) -> Response:
    """Where everybody begins: a trainer's classes, a learner's seats (a single one is opened at once), an author's blueprints; whoever has
    nothing of this gets the field for a class code.
    """
    staff, places = asking.sees_classes(asker), asker.person.places
    if not staff and len(places) == 1:
        return RedirectResponse(f"/seat/{places[0].environment}", status_code=303)
    if not staff and not places and asker.may(Right.READ_COURSES):
        return RedirectResponse("/blueprints", status_code=303)
    rooms = routes_classes.list_classrooms(asker, house, closed=closed) if staff else []
    rooms.sort(key=lambda room: (room.closed is not None, room.starts))
    seats = [(place, house.desk.room(place.classroom).title) for place in places if place.classroom]
    return render.render(request, "home.html", rooms=rooms, seats=seats, staff=staff, closed=closed, now=house.clock.now())


@router.get("/check")
def browser_check(request: Request, house: who.House) -> Response:
    """Whether this browser can do what terminals and boards need. Tells nothing of anybody, so nobody has to sign in."""
    door = house.door_address
    site = "" if house.paper else house.visiting.site
    apps = web_apps.address(site, web_apps.CHECK) if site else ""
    return render.render(
        request,
        "check.html",
        reaches=(apps,) if apps else (),
        apps=apps + web_apps.CHECK_PATH if apps else "",
        domain=site.partition("://")[2],
        door=door,
        agent=request.headers.get("user-agent", "")[:200],
    )


@router.post("/language", dependencies=[Depends(sessions.refuse_other_pages)])
def choose_language(request: Request, language: Annotated[str, Form()], back: Annotated[str, Form()] = "/") -> Response:
    """Remembered by the browser; no secret."""
    spoken = texts.best("", language)
    # Only a path of ours: nobody is sent elsewhere by a form of somebody else's.
    parts = urlsplit(back)
    here = back if back.startswith("/") and not back.startswith(("//", "/\\")) and not parts.netloc else "/"
    answer = RedirectResponse(here, status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(render.LANGUAGE_COOKIE, spoken, max_age=31_536_000, httponly=True, samesite="lax", secure=secure)
    return answer


@router.get("/labctl.css")
def style_sheet(request: Request) -> Response:
    """Our own style sheet; browsers keep it for a day and ask by its digest."""
    text, digest = _style()
    headers = {"ETag": digest, "Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    if request.headers.get("if-none-match") == digest:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type="text/css", headers=headers)


@functools.cache
def _style() -> tuple[bytes, str]:
    text = (Path(__file__).resolve().parent / "labctl.css").read_bytes()
    return text, f'"{hashlib.sha256(text).hexdigest()[:16]}"'


@router.post("/csp-reports", status_code=204)
async def policy_report(request: Request) -> Response:
    """What a browser refused to run on a page of ours. Written to the log, cut short: anybody may send one."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_REPORT:
            return Response(status_code=413)
    request.app.state.policy_reports += 1
    _log.warning("content security policy: %r", body[:1000].decode(errors="replace"))
    return Response(status_code=204)
