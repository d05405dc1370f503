"""The page on which a trainer opens a class: what, who, when, and before anything is written whether it fits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from api import problems, who
from api.pages import asking, moments, render
from labctl import errors, wiring
from labctl.model import capacity, drawing, pasted
from labctl.model.environment import Lease

router = APIRouter(include_in_schema=False)

MOST_TEXT = 1_000_000


@dataclass(frozen=True)
class Wanted:
    """The form as it was filled in: texts, so that nothing typed is lost where one of them is wrong."""

    blueprint: str = ""
    learners: str = ""
    spares: str = "0"
    starts: str = ""
    ends: str = ""
    name: str = ""
    title: str = ""
    join: bool = False


def _wanted(
    blueprint: Annotated[str, Form(max_length=100)] = "",
    learners: Annotated[str, Form(max_length=MOST_TEXT)] = "",
    spares: Annotated[str, Form(max_length=10)] = "0",
    starts: Annotated[str, Form(max_length=40)] = "",
    ends: Annotated[str, Form(max_length=40)] = "",
    name: Annotated[str, Form(max_length=100)] = "",
    title: Annotated[str, Form(max_length=200)] = "",
    *,
    join: Annotated[bool, Form()] = False,
) -> Wanted:
    return Wanted(blueprint, learners, spares, starts, ends, name, title, join)


Filled = Annotated[Wanted, Depends(_wanted)]


@dataclass(frozen=True)
class Marked:
    """One pasted line that is wrong, and why."""

    number: int
    line: str
    text: str


@router.get("/open")
def open_page(request: Request, asker: asking.Opens, house: who.House, blueprint: str = "") -> Response:
    """The empty form."""
    del asker
    return _form(request, house, Wanted(blueprint=blueprint))


async def _answers(request: Request) -> dict[str, str]:
    """What was said to the blueprint's questions: fields `answer.NAME`; an empty one is no answer."""
    form = await request.form()
    said = {key.removeprefix("answer."): value for key, value in form.items() if key.startswith("answer.") and isinstance(value, str)}
    return {name: text for name, text in said.items() if text != ""}


Answers = Annotated[dict[str, str], Depends(_answers)]
REFUSALS = (errors.BadInput, errors.NotFound, errors.Conflict, errors.TemporaryError, errors.Forbidden)
"""What is said beside the form; everything else is a page of its own."""


@router.post("/open")
def open_class(request: Request, asker: asking.Opens, house: who.House, wanted: Filled, answers: Answers) -> Response:
    """All or nothing: where something is wrong the form comes back as it was, with what is wrong beside it."""
    place = render.zone(request)
    try:
        pasted.parse(wanted.learners, "roster")
        room = house.desk.open(
            wanted.blueprint,
            pasted.to_csv(wanted.learners)[0].encode(),
            slug=wanted.name.strip() or _free_name(house, wanted.blueprint),
            title=wanted.title.strip(),
            starts=moments.read(wanted.starts, place, "from"),
            ends=moments.read(wanted.ends, place, "to"),
            answers=answers,
            trainer=asker.name,
            spares=_spares(wanted),
            may_join=wanted.join,
        )
        if pasted.by_code(wanted.learners):
            house.inviting.class_code(room.slug, who=asker.name)
    except REFUSALS as error:
        return _form(request, house, wanted, answers=answers, error=error)
    return RedirectResponse(f"/class/{room.slug}?said=opened", status_code=303)


@router.post("/open/fit")
def fit_class(
    request: Request, asker: asking.Opens, house: who.House, wanted: Filled, answers: Answers, *, course: bool = False
) -> Response:
    """Whether it would fit, and when all would be ready: beside the form as it was. With `course`, which was chosen anew, also what that
    course asks. Nothing is made.
    """
    del asker
    asked: dict[str, Any] = {"asks": course, "questions": _questions(house, wanted.blueprint), "answers": {}}
    asked["window"] = _window(request, house, wanted)
    try:
        learners = pasted.parse(wanted.learners, "roster")
        starts = moments.read(wanted.starts, render.zone(request), "from")
        fit = house.fitting.fit(wanted.blueprint, len(learners), spares=_spares(wanted), starts=starts, answers=answers)
    except REFUSALS as error:
        if render.only_part(request):
            # Half-filled forms are no mistake yet: while somebody types, only the sentence is shown.
            return render.render(request, "open_fit.html", fit=None, refused=error, reasons=(), **asked)
        return _form(request, house, wanted, answers=answers, error=error)
    if render.only_part(request):
        return render.render(request, "open_fit.html", fit=fit, refused=None, reasons=capacity.reasons(fit), **asked)
    return _form(request, house, wanted, answers=answers, fit=fit)


def _spares(wanted: Wanted) -> int:
    text = wanted.spares.strip() or "0"
    if not text.isdecimal():
        raise errors.BadInput(f"'{text}' is not a number of spares.", hint="Give 0 to 100.")
    return int(text)


def _free_name(house: wiring.Wiring, blueprint: str) -> str:
    """The blueprint's name, with a number where there is such a class already."""
    taken = {room.slug for room in house.classrooms.classrooms()}
    stem = blueprint[:34] or "class"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)


def _form(
    request: Request,
    house: wiring.Wiring,
    wanted: Wanted,
    *,
    answers: dict[str, str] | None = None,
    error: errors.LabctlError | None = None,
    fit: capacity.Fit | None = None,
) -> Response:
    books = [one for one in house.shelf.list() if not one.broken]
    chosen = wanted.blueprint or (books[0].name if books else "")
    return problems.form(
        request,
        "open.html",
        error,
        books=books,
        chosen=chosen,
        questions=_questions(house, chosen),
        answers=answers or {},
        wanted=wanted,
        marked=_marked(wanted, error),
        fit=fit,
        refused=None,
        asks=False,
        window=_window(request, house, replace(wanted, blueprint=chosen)),
        typed=request.method != "GET",
        reasons=capacity.reasons(fit) if fit else (),
        now=house.clock.now(),
    )


def _window(request: Request, house: wiring.Wiring, wanted: Wanted) -> Lease | None:
    """From when until when the class would last; None where that cannot be said."""
    place = render.zone(request)
    try:
        return house.desk.window(wanted.blueprint, moments.read(wanted.starts, place, "from"), moments.read(wanted.ends, place, "to"))
    except errors.LabctlError:
        return None


def _questions(house: wiring.Wiring, blueprint: str) -> dict[str, Any]:
    try:
        return dict(drawing.questions(house.desk.book(blueprint).blueprint)) if blueprint else {}
    except errors.LabctlError:
        return {}


def _marked(wanted: Wanted, error: errors.LabctlError | None) -> list[Marked]:
    """The pasted lines that are wrong, each with its text."""
    if not isinstance(error, errors.BadInput):
        return []
    lines = wanted.learners.replace("\r\n", "\n").split("\n")
    mine = [one for one in error.complaints if one.file == "roster"]
    return [Marked(one.line, lines[one.line - 1][:200] if one.line <= len(lines) else "", one.text) for one in mine]
