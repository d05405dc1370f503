"""The page of an invitation link. To look at it changes nothing, for mail programs look at links by themselves."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from api import problems, sessions, who
from api.pages import asking
from api.routes_sign_in import Long, Own, Short, enter, go
from labctl import errors, inviting
from labctl.drivers import passkeys

router = APIRouter(prefix="/invitation/{token}", include_in_schema=False)

Token = Annotated[str, Path(max_length=100)]


@router.get("")
def show(request: Request, asker: asking.Somebody, house: who.House, token: Token) -> HTMLResponse:
    """What it is for, and the form."""
    return _page(request, asker, house, token, inviting.Chosen())


@router.post("/passkey", dependencies=[Own])
def offer_passkey(request: Request, house: who.House, token: Token, name: Short = "", email: Short = "") -> JSONResponse:
    """What `navigator.credentials.create` takes."""
    options, kept = house.inviting.offer_passkey(token, sessions.origin(request), name, email)
    answer = JSONResponse(options, headers={"Cache-Control": "no-store"})
    sessions.remember(request, answer, kept)
    return answer


@router.post("", dependencies=[Own])
def accept(
    request: Request,
    asker: asking.Somebody,
    house: who.House,
    token: Token,
    name: Short = "",
    email: Short = "",
    password: Annotated[str, Form(max_length=4000)] = "",
    passkey: Long = "",
) -> Response:
    """What the link is for; or the form again, with what was typed."""
    chosen = inviting.Chosen(name, email, password, passkey, sessions.remembered(request))
    try:
        entry = house.inviting.accept(token, chosen, asker.person if asker else None)
    except errors.LabctlError as error:
        return _page(request, asker, house, token, chosen, error)
    return enter(request, entry, entry.home) if entry else go("/")


def _page(
    request: Request,
    asker: who.Asker | None,
    house: who.House,
    token: str,
    chosen: inviting.Chosen,
    error: errors.LabctlError | None = None,
) -> HTMLResponse:
    try:
        found = house.inviting.look(token)
    except errors.NotFound as gone:
        return problems.form(request, "sign_in/refused.html", gone)
    values: dict[str, Any] = {
        "action": f"/invitation/{token}",
        "kind": found.errand.value,
        "classroom": found.classroom,
        "person": chosen.name or found.name,
        "email": found.email or chosen.email,
        "fixed": bool(found.email),
        "known": asker.person.name if asker and asker.person.account else "",
        "passkeys": passkeys.usable(sessions.origin(request)),
    }
    return problems.form(request, "sign_in/invitation.html", error, **values)
