"""Blueprints as authors and trainers see them: the list, the plan of one, and what is wrong with it, line by line."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api import who
from api.pages import asking, render
from api.routes_blueprints import Name
from labctl import errors, wiring
from labctl.drivers import shelf, shelf_guide
from labctl.model import guide_languages, preview, summary

router = APIRouter(include_in_schema=False, prefix="/blueprints")


@router.get("")
def blueprints(request: Request, asker: asking.ReadsCourses, house: who.House) -> Response:
    """Those with mistakes too."""
    del asker
    return render.render(request, "blueprints.html", books=house.shelf.list())


@router.get("/{name}")
def blueprint(request: Request, asker: asking.ReadsCourses, house: who.House, name: Name) -> Response:
    """What it would make here, or what is wrong with it."""
    del asker
    try:
        book = house.shelf.book(name)
        pages, more = shelf_guide.read(book)
        plan = _plan(house, book)
    except errors.BadInput as error:
        complaints = [(one, one.file.rpartition(f"/{name}/")[2]) for one in error.complaints]
        return render.render(request, "blueprint_broken.html", name=name, error=error, complaints=complaints)
    warnings = [(one, one.file.rpartition(f"/{name}/")[2]) for one in (*book.warnings, *more)]
    spoken = guide_languages.languages(book.files)
    return render.render(request, "blueprint.html", book=book, plan=plan, pages=pages, warnings=warnings, spoken=spoken)


def _plan(house: wiring.Wiring, book: shelf.Book) -> summary.Summary | None:
    """None before there is a site to plan for."""
    try:
        plans = preview.plans(book.blueprint, house.site, 1, f"{book.name}@{book.digests.blueprint}")
    except errors.NotFound:
        return None
    return summary.of(book.blueprint, plans[0], 1)
