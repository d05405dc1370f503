"""Accounts and open links as IT keeps them: who may come in, with which roles, and whom somebody has invited."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Path, Request, Response

from api import problems, who
from api.pages import asking, render
from api.routes_people import AccountId
from labctl import errors
from labctl.model import people

router = APIRouter(include_in_schema=False, prefix="/it/people")

Roles = Annotated[list[str] | None, Form(max_length=10)]
Short = Annotated[str, Form(max_length=400)]

ROLES = ("trainer", "author", "it")


@router.get("")
def everybody(request: Request, asker: asking.ItOnly, house: who.House) -> Response:
    """All accounts, and all links that nobody used yet."""
    return _page(request, asker, house)


def _page(
    request: Request, asker: who.Asker, house: who.House, error: errors.LabctlError | None = None, name: str = "", email: str = ""
) -> Response:
    return problems.form(
        request,
        "people.html",
        error,
        me=asker.person.account,
        accounts=house.signing_in.accounts.accounts(),
        links=house.inviting.invitations.open_invitations(),
        roles=ROLES,
        name=name,
        email=email,
        said=request.query_params.get("said", ""),
    )


def link(request: Request, house: who.House, made: tuple[str, datetime], whom: str, back: str) -> Response:
    """A link, shown once: in this answer and nowhere else."""
    secret, until = made
    return render.render(request, "link.html", link=f"{house.origin}/invitation/{secret}", until=until, whom=whom, back=back)


def _chosen(roles: list[str] | None) -> frozenset[people.Role]:
    known = [word for word in roles or [] if word in ROLES]
    return frozenset(people.Role(word) for word in known)


@router.post("/invite")
def invite(
    request: Request, asker: asking.ItOnly, house: who.House, *, name: Short = "", email: Short = "", role: Roles = None
) -> Response:
    """A link by which somebody gets an account."""
    try:
        made = house.inviting.person(" ".join(name.split()), email, _chosen(role), who=asker.name)
    except (errors.BadInput, errors.Conflict) as error:
        return _page(request, asker, house, error, name, email)
    return link(request, house, made, name or email, "/it/people")


@router.post("/{account}/roles")
def roles(request: Request, asker: asking.ItOnly, house: who.House, account: AccountId, *, role: Roles = None) -> Response:
    """These and no others, from their next request on."""
    house.signing_in.change_roles(account, _chosen(role), who=asker.name)
    return asking.done(request, "/it/people", "roles")


@router.post("/{account}/link")
def new_link(request: Request, asker: asking.ItOnly, house: who.House, account: AccountId) -> Response:
    """By which its owner chooses anew how to sign in."""
    made = house.inviting.again(account, who=asker.name)
    known = house.signing_in.accounts.account(id=account)
    return link(request, house, made, known.name if known else "", "/it/people")


@router.post("/{account}/sign-out")
def sign_out(request: Request, asker: asking.ItOnly, house: who.House, account: AccountId) -> Response:
    """Everywhere."""
    house.signing_in.sign_out_everywhere(account, who=asker.name)
    return asking.done(request, "/it/people", "signed-out")


@router.get("/{account}/close")
def ask_close(request: Request, asker: asking.ItOnly, house: who.House, account: AccountId) -> Response:
    """What closing leads to, and the button that does it."""
    del asker
    known = house.signing_in.accounts.account(id=account)
    if known is None or known.closed is not None:
        raise errors.NotFound("there is no such account.", hint="The list has all accounts.")
    return render.render(request, "ask_account.html", account=known)


@router.post("/{account}/close")
def close(request: Request, asker: asking.ItOnly, house: who.House, account: AccountId) -> Response:
    """Nobody comes in with it any more."""
    house.signing_in.close_account(account, who=asker.name)
    return asking.done(request, "/it/people", "account-closed")


@router.post("/invitations/{invitation}/withdraw")
def withdraw(
    request: Request, asker: asking.ItOnly, house: who.House, invitation: Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
) -> Response:
    """A link that nobody used yet is not good any more."""
    house.inviting.withdraw(bytes.fromhex(invitation), who=asker.name)
    return asking.done(request, "/it/people", "withdrawn")
