"""The pages by which people come in: sign-in, sign-out, a class's code, a link. Plain forms; only passkeys need a script.

Each form that is sent must come from a page of labctl's own, also where nobody is signed in yet: else another site could sign its
visitors in as somebody of its choice.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from api import problems, sessions, turns, who
from api.pages import asking
from labctl import errors, signing_in
from labctl.drivers import passkeys

router = APIRouter(include_in_schema=False)

Own = Depends(sessions.refuse_other_pages)
Short = Annotated[str, Form(max_length=400)]
Long = Annotated[str, Form(max_length=passkeys.LONGEST_ANSWER)]


@router.get("/sign-in")
def sign_in(request: Request, asker: asking.Somebody, next: str = "/", *, again: bool = False) -> Response:  # noqa: A002  (the field's usual name)
    """The form; whoever is signed in goes on, unless they are to show `again` who they are."""
    if asker is not None and not again:
        return go(within(next))
    return _form(request, within(next))


@router.post("/sign-in", dependencies=[Own])
def sign_in_by_password(
    request: Request,
    house: who.House,
    turn: turns.Password,
    email: Short = "",
    password: Annotated[str, Form(max_length=4000)] = "",
    next: Short = "/",  # noqa: A002
) -> Response:
    """A session, or the form again."""
    try:
        turns.taken(turn)
        entry = house.signing_in.by_password(email, password, sessions.address(request), sessions.known(request))
    except errors.LabctlError as error:
        return _form(request, within(next), email, error)
    return enter(request, entry, within(next))


@router.post("/sign-in/passkey/options", dependencies=[Own])
def passkey_options(request: Request, house: who.House, turn: turns.Passkey) -> JSONResponse:
    """What `navigator.credentials.get` takes."""
    turns.taken(turn)
    options, kept = house.signing_in.ask_passkey(sessions.origin(request))
    answer = JSONResponse(options, headers={"Cache-Control": "no-store"})
    sessions.remember(request, answer, kept)
    return answer


@router.post("/sign-in/passkey", dependencies=[Own])
def sign_in_by_passkey(request: Request, house: who.House, turn: turns.Passkey, passkey: Long = "", next: Short = "/") -> Response:  # noqa: A002
    """A session, or the form again."""
    try:
        turns.taken(turn)
        entry = house.signing_in.by_passkey(sessions.origin(request), sessions.remembered(request), passkey)
    except errors.LabctlError as error:
        return _form(request, within(next), error=error)
    return enter(request, entry, within(next))


@router.get("/sign-in/provider")
def to_provider(request: Request, house: who.House, turn: turns.Provider, next: str = "/") -> Response:  # noqa: A002
    """To the identity provider. A link and no form, for the policy lets forms lead to labctl only."""
    try:
        turns.taken(turn)
        back = f"{sessions.origin(request)}/sign-in/back"
        address, kept = house.signing_in.to_provider(back, within(next))
    except errors.LabctlError as error:
        return _form(request, within(next), error=error)
    answer = go(address)
    sessions.remember(request, answer, kept)
    return answer


@router.get("/sign-in/back")
def from_provider(request: Request, house: who.House, turn: turns.Provider) -> Response:
    """From the identity provider: a session, or the sign-in page with what was wrong."""
    try:
        turns.taken(turn)
        entry = house.signing_in.by_provider(sessions.remembered(request), dict(request.query_params))
    except errors.LabctlError as error:
        return _form(request, "/", error=error)
    return enter(request, entry, entry.home)


@router.post("/sign-out", dependencies=[Own])
def sign_out(request: Request) -> Response:
    """In this browser."""
    answer = go("/sign-in")
    sessions.end(request, answer)
    return answer


@router.post("/sign-out/everywhere")
def sign_out_everywhere(request: Request, asker: who.Anyone, house: who.House) -> Response:
    """In all browsers; for accounts."""
    if asker.person.account:
        house.signing_in.sign_out_everywhere(asker.person.account, who=asker.name)
    answer = go("/sign-in")
    sessions.end(request, answer)
    return answer


@router.get("/join")
@router.get("/join/{code}")
def join_form(request: Request, asker: asking.Somebody, house: who.House, turn: turns.Code, code: str = "") -> HTMLResponse:
    """Which class, and who."""
    del asker
    values: dict[str, Any] = {"code": code[:40], "person": "", "room": None}
    try:
        turns.taken(turn)
        values["room"] = house.inviting.room_of(code) if code else None
    except errors.LabctlError as error:
        return problems.form(request, "sign_in/join.html", error, **values)
    return problems.form(request, "sign_in/join.html", **values)


@router.post("/join", dependencies=[Own])
def join(request: Request, house: who.House, turn: turns.Code, code: Short = "", who: Short = "") -> Response:
    """A seat, or the form again with what was typed."""
    try:
        turns.taken(turn)
        entry = house.inviting.join(code, who)
    except errors.LabctlError as error:
        return problems.form(request, "sign_in/join.html", error, code=code, person=who, room=None)
    return enter(request, entry, entry.home)


def within(text: str) -> str:
    """An address of labctl's own to go on to: never another site's, however it is written."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    own = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable() and " " not in text
    return text if own and not parts.scheme and not parts.netloc else "/"


def go(address: str) -> RedirectResponse:
    """On to another page."""
    return RedirectResponse(address, 303, headers={"Cache-Control": "no-store", "Referrer-Policy": "same-origin"})


def enter(request: Request, entry: signing_in.Entry, home: str) -> Response:
    """On to a page with a new session."""
    answer = go(home)
    sessions.begin(request, answer, entry)
    answer.delete_cookie(sessions.REMEMBERED, path="/")
    return answer


def _form(request: Request, next_: str, email: str = "", error: errors.LabctlError | None = None) -> HTMLResponse:
    provider = bool(sessions.house(request).settings.oidc_issuer)
    values: dict[str, Any] = {"next": next_, "email": email, "provider": provider, "passkeys": passkeys.usable(sessions.origin(request))}
    return problems.form(request, "sign_in/sign_in.html", error, **values)
