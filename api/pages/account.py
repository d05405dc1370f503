"""Everybody's own page: who they are here, how they sign in, and in which browsers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import JSONResponse

from api import problems, sessions, turns, who
from api.pages import asking
from labctl import errors
from labctl.drivers import passkeys

router = APIRouter(include_in_schema=False, prefix="/account")

Id = Annotated[str, Path(pattern=r"^([0-9a-f]{2}){1,1100}$")]
Short = Annotated[str, Form(max_length=400)]
Password = Annotated[str, Form(max_length=4000)]

BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
SYSTEMS = (("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iPadOS"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux"))


@router.get("")
def account(request: Request, asker: asking.Anyone, house: who.House) -> Response:
    """Who I am here; for accounts also what can be changed."""
    return _page(request, asker, house)


def _page(request: Request, asker: who.Asker, house: who.House, error: errors.LabctlError | None = None, name: str = "") -> Response:
    person, secret = asker.person, sessions.secret(request) or ""
    own = house.signing_in.accounts.account(id=person.account) if person.account else None
    return problems.form(
        request,
        "account.html",
        error,
        person=person,
        own=own,
        name=name or person.name,
        password=bool(own and house.signing_in.credentials.password(own.id)),
        keys=house.signing_in.credentials.passkeys(own.id) if own else (),
        passkeys=passkeys.usable(sessions.origin(request)),
        fresh=bool(own) and house.own_account.fresh(person.account, secret),
        browsers=[(one, browser(one.agent)) for one in house.own_account.sessions(person.account, secret)] if own else [],
        said=request.query_params.get("said", ""),
    )


def browser(agent: str) -> str:
    """What people call it: "Firefox, Linux"; as much as it says of itself where it is none of the usual ones."""
    found = [next((name for sign, name in table if sign in agent), "") for table in (BROWSERS, SYSTEMS)]
    return ", ".join(word for word in found if word) or agent[:40]


@router.post("/name")
def rename(request: Request, asker: asking.Anyone, house: who.House, name: Short = "") -> Response:
    """Others in a class see it."""
    try:
        house.own_account.rename(asker.person.account, name)
    except (errors.BadInput, errors.Conflict) as error:
        return _page(request, asker, house, error, name)
    return asking.done(request, "/account", "renamed")


@router.post("/password")
def set_password(request: Request, asker: asking.Anyone, house: who.House, turn: turns.Password, password: Password = "") -> Response:
    """And all other browsers are signed out."""
    try:
        turns.taken(turn)
        house.own_account.set_password(asker.person.account, sessions.secret(request) or "", password)
    except (errors.BadInput, errors.Busy) as error:
        return _page(request, asker, house, error)
    answer = asking.done(request, "/account", "password")
    sessions.know(request, answer, house.signing_in.known_from_now(asker.person.account))
    return answer


@router.post("/passkeys/options")
def offer_passkey(request: Request, asker: asking.Anyone, house: who.House) -> JSONResponse:
    """What `navigator.credentials.create` takes."""
    options, kept = house.own_account.offer_passkey(asker.person.account, sessions.secret(request) or "", sessions.origin(request))
    answer = JSONResponse(options, headers={"Cache-Control": "no-store"})
    sessions.remember(request, answer, kept)
    return answer


@router.post("/passkeys")
def add_passkey(
    request: Request,
    asker: asking.Anyone,
    house: who.House,
    passkey: Annotated[str, Form(max_length=passkeys.LONGEST_ANSWER)] = "",
    label: Short = "",
) -> Response:
    """One more way to sign in."""
    secret, kept = sessions.secret(request) or "", sessions.remembered(request)
    label = label.strip() or browser(request.headers.get("user-agent", ""))
    house.own_account.add_passkey(asker.person.account, secret, kept, passkey, label)
    return asking.done(request, "/account", "passkey-added")


@router.post("/passkeys/{key}/label")
def label_passkey(request: Request, asker: asking.Anyone, house: who.House, key: Id, label: Short = "") -> Response:
    """What its owner calls it."""
    house.own_account.label_passkey(asker.person.account, bytes.fromhex(key), label)
    return asking.done(request, "/account", "labelled")


@router.post("/passkeys/{key}/remove")
def remove_passkey(request: Request, asker: asking.Anyone, house: who.House, key: Id) -> Response:
    """It signs in nobody any more."""
    house.own_account.remove_passkey(asker.person.account, sessions.secret(request) or "", bytes.fromhex(key))
    return asking.done(request, "/account", "passkey-removed")


@router.post("/sessions/{session}/end")
def end_session(request: Request, asker: asking.Anyone, house: who.House, session: Id) -> Response:
    """One browser is signed out."""
    house.own_account.end(asker.person.account, bytes.fromhex(session))
    return asking.done(request, "/account", "ended")
