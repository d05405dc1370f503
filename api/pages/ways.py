"""How people come to a class: its code, links for single seats, and whoever runs it beside its trainer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from api import problems, who
from api.pages import asking, people
from api.pages.classes import Slug
from api.pages.seats import Number
from labctl import errors

router = APIRouter(include_in_schema=False, prefix="/class/{slug}")

Short = Annotated[str, Form(max_length=400)]


@router.post("/code")
def new_code(request: Request, asker: asking.Invites, house: who.House, slug: Slug) -> Response:
    """The one before is not good any more."""
    house.inviting.class_code(slug, who=asker.name)
    return asking.done(request, f"/class/{slug}", "code")


@router.get("/invite")
def ask_trainer(request: Request, asker: asking.Opens, house: who.House, slug: Slug) -> Response:
    """Whom."""
    del asker
    return _form(request, house, slug)


def _form(
    request: Request, house: who.House, slug: str, error: errors.LabctlError | None = None, name: str = "", email: str = ""
) -> Response:
    room = house.desk.room(slug)
    return problems.form(request, "invite_trainer.html", error, room=room, name=name, email=email)


@router.post("/invite")
def invite_trainer(request: Request, asker: asking.Opens, house: who.House, slug: Slug, name: Short = "", email: Short = "") -> Response:
    """A link for somebody who is to run this one class."""
    try:
        made = house.inviting.to_class(slug, " ".join(name.split()), email, who=asker.name)
    except errors.BadInput as error:
        return _form(request, house, slug, error, name, email)
    return people.link(request, house, made, name or email, f"/class/{slug}")


@router.post("/seat/{number}/link")
def seat_link(request: Request, asker: asking.Invites, house: who.House, slug: Slug, number: Number) -> Response:
    """For a learner without an account, or who goes on at another computer."""
    made = house.inviting.to_seat(slug, number, who=asker.name)
    learner = house.desk.seat(slug, number)[0].learner
    return people.link(request, house, made, learner.name if learner else "", f"/class/{slug}/seat/{number}")


@router.post("/seat/{number}/free")
def free_seat(request: Request, asker: asking.RunsClass, house: who.House, slug: Slug, number: Number) -> Response:
    """The next with the code may take it."""
    house.inviting.free_seat(slug, number, who=asker.name)
    return asking.done(request, f"/class/{slug}/seat/{number}", "freed")
