"""Who asks for a page, what they may, and how a form is answered. All that pages know of roles stands here; `api.who` has the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, quote

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api import who
from api.pages import render
from labctl.model.people import Right

# Dependencies that only look at what is there are `async`: any other is sent to a thread, which costs more than it does.


@dataclass(frozen=True)
class Head:
    """What the head of each page says of its asker: their name, and what it leads to."""

    name: str
    staff: bool
    it: bool
    opens: bool = False
    reads: bool = False


async def _sees_class(request: Request, asker: who.SeesClass) -> who.Asker:
    return _seen(request, asker)


async def _runs_class(request: Request, asker: who.RunsClass) -> who.Asker:
    return _seen(request, asker)


async def _invites(request: Request, asker: who.Invites) -> who.Asker:
    return _seen(request, asker)


async def _opens(request: Request, asker: who.Opens) -> who.Asker:
    return _seen(request, asker)


async def _reads_courses(request: Request, asker: who.ReadsCourses) -> who.Asker:
    return _seen(request, asker)


async def _it_only(request: Request, asker: who.ItOnly) -> who.Asker:
    return _seen(request, asker)


async def _anyone(request: Request, asker: who.Anyone) -> who.Asker:
    return _seen(request, asker)


async def _somebody(request: Request, asker: who.Somebody) -> who.Asker | None:
    return _seen(request, asker) if asker is not None else None


def _seen(request: Request, asker: who.Asker) -> who.Asker:
    request.state.asker = Head(
        asker.person.name or asker.name,
        sees_classes(asker),
        asker.may(Right.ACCOUNTS),
        opens=asker.may(Right.OPEN_CLASS),
        reads=asker.may(Right.READ_COURSES),
    )
    return asker


SeesClass = Annotated[who.Asker, Depends(_sees_class)]
RunsClass = Annotated[who.Asker, Depends(_runs_class)]
Invites = Annotated[who.Asker, Depends(_invites)]
Opens = Annotated[who.Asker, Depends(_opens)]
ReadsCourses = Annotated[who.Asker, Depends(_reads_courses)]
ItOnly = Annotated[who.Asker, Depends(_it_only)]
Anyone = Annotated[who.Asker, Depends(_anyone)]
Somebody = Annotated[who.Asker | None, Depends(_somebody)]
"""For pages that one may also look at without being signed in."""


def sees_classes(asker: who.Asker) -> bool:
    """Whether their start page is a list of classes; else it is their seat."""
    return asker.person.may_somewhere(Right.SEE_CLASS)


def owns(asker: who.Asker, environment: str, classroom: str) -> bool:
    """Whether that seat is theirs to enter: a learner's own, a trainer's class."""
    return asker.may(Right.ENTER_SEATS, classroom) or asker.person.owns(environment)


def done(request: Request, back: str, said: str) -> Response:
    """The answer to a form that was done: one sentence for htmx, else back to the page, which says it. `said` is a word of the
    catalogue's family `said`, so that nobody can make our page say theirs.
    """
    if render.only_part(request):
        return render.render(request, "said.html", said=said)
    at = render.came_from(request)
    # Whoever read a guide's third page there reads on.
    page = dict(parse_qsl(at.query)).get("page", "") if at.path == back else ""
    return RedirectResponse(f"{back}?said={quote(said)}" + (f"&page={page}" if page.isdecimal() else ""), status_code=303)
