"""Routes of people: accounts (IT), links and codes by which others come to a class."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response

from api import problems, shapes_people, who
from api.routes_classes import Notes, Slug
from api.routes_seats import Number, own
from labctl.model import people

router = APIRouter(prefix="/api/v1", tags=["people"])

AccountId = Annotated[str, Path(min_length=1, max_length=40, description="The account's id.")]


@router.get("/accounts", summary="Accounts", responses=problems.answers(401, 403))
def list_accounts(asker: who.ItOnly, house: who.House) -> list[shapes_people.AccountShape]:
    """By name, closed ones too. Never how they sign in."""
    del asker
    return [_shape(one) for one in house.signing_in.accounts.accounts()]


@router.post("/accounts", status_code=201, summary="Invite somebody", responses=problems.answers(400, 401, 403, 409, 422))
def invite(asker: who.ItOnly, house: who.House, wanted: shapes_people.NewAccount, response: Response) -> shapes_people.Link:
    """A link by which they choose how to sign in; the account is there from then on."""
    roles = frozenset(people.Role(word) for word in wanted.roles)
    return _link(house, response, house.inviting.person(wanted.name, wanted.email, roles, who=asker.name))


@router.post("/accounts/{account}/link", status_code=201, summary="A new way in", responses=problems.answers(401, 403, 404, 422))
def new_link(asker: who.ItOnly, house: who.House, account: AccountId, response: Response) -> shapes_people.Link:
    """A link by which an account's owner chooses anew how to sign in; what they had is not good any more once it is used."""
    return _link(house, response, house.inviting.again(account, who=asker.name))


@router.post("/accounts/{account}/sign-out", summary="Sign out everywhere", responses=problems.answers(401, 403, 422))
def sign_out(asker: who.ItOnly, house: who.House, account: AccountId) -> shapes_people.SignedOut:
    """All of an account's sessions end at once."""
    return shapes_people.SignedOut(ended=house.signing_in.sign_out_everywhere(account, who=asker.name))


@router.put("/accounts/{account}/roles", summary="Change roles", responses=problems.answers(401, 403, 404, 409, 422))
def change_roles(asker: who.ItOnly, house: who.House, account: AccountId, wanted: shapes_people.Roles) -> shapes_people.AccountShape:
    """What its owner may from their next request on. The last account of IT keeps that role; with an identity provider its groups are the
    roles.
    """
    return _shape(house.signing_in.change_roles(account, frozenset(people.Role(word) for word in wanted.roles), who=asker.name))


@router.delete("/accounts/{account}", status_code=204, summary="Close an account", responses=problems.answers(401, 403, 404, 409, 422))
def close_account(asker: who.ItOnly, house: who.House, account: AccountId) -> None:
    """Nobody comes in with it any more. The last account of IT stays."""
    house.signing_in.close_account(account, who=asker.name)


@router.post(
    "/classrooms/{slug}/invitations",
    status_code=201,
    summary="Invite somebody to run it",
    responses=problems.answers(400, 401, 403, 404, 409, 422),
)
def invite_to_class(
    asker: who.Opens, house: who.House, slug: Slug, wanted: shapes_people.NewTrainer, response: Response
) -> shapes_people.Link:
    """An outside professional, say: they may run this class, and have no rights on others or on the cluster."""
    return _link(house, response, house.inviting.to_class(slug, wanted.name, wanted.email, who=asker.name))


@router.post(
    "/classrooms/{slug}/join-code", status_code=201, summary="A code to join by", responses=problems.answers(401, 403, 404, 409, 422)
)
def join_code(asker: who.Invites, house: who.House, slug: Slug, response: Response) -> shapes_people.JoinCode:
    """Learners without an account take their seats with it, each seat once; the one before is not good any more."""
    code = house.inviting.class_code(slug, who=asker.name)
    response.headers["Cache-Control"] = "no-store"
    return shapes_people.JoinCode(code=code, url=f"{house.origin}/join/{code}")


@router.post(
    "/classrooms/{slug}/seats/{number}/link",
    status_code=201,
    summary="A link to a seat",
    responses=problems.answers(401, 403, 404, 409, 422),
)
def seat_link(asker: who.Anyone, house: who.House, known: Notes, slug: Slug, number: Number, response: Response) -> shapes_people.Link:
    """Good once, in any browser: for a learner without an account, or who goes on at another computer."""
    own(asker, known, slug, number)
    return _link(house, response, house.inviting.to_seat(slug, number, who=asker.name))


@router.post("/classrooms/{slug}/seats/{number}/free", summary="Let it be taken anew", responses=problems.answers(401, 403, 404, 409, 422))
def free_seat(asker: who.RunsClass, house: who.House, slug: Slug, number: Number) -> shapes_people.Freed:
    """Whoever took it by a code is signed out, and the next with the code may take it. The machines stay as they are."""
    return shapes_people.Freed(freed=house.inviting.free_seat(slug, number, who=asker.name))


def _link(house: who.House, response: Response, made: tuple[str, datetime]) -> shapes_people.Link:
    response.headers["Cache-Control"] = "no-store"
    secret, until = made
    return shapes_people.Link(url=f"{house.origin}/invitation/{secret}", until=until)


def _shape(one: people.Account) -> shapes_people.AccountShape:
    return shapes_people.AccountShape(
        id=one.id,
        name=one.name,
        email=one.email,
        roles=[role.value for role in sorted(one.roles) if role.value in ("it", "trainer", "author")],
        provider=bool(one.subject),
        created=one.created,
        closed=one.closed,
    )
