"""Who asks for a page, and how a form is answered. Who may is `api.who`'s table; here its answer is kept for the page's head."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from api import who
from api.pages import render


def _staff(request: Request, asker: who.Staff) -> who.Asker:
    request.state.asker = asker
    return asker


def _anyone(request: Request, asker: who.Anyone) -> who.Asker:
    request.state.asker = asker
    return asker


def _it_only(request: Request, asker: who.ItOnly) -> who.Asker:
    request.state.asker = asker
    return asker


Staff = Annotated[who.Asker, Depends(_staff)]
Anyone = Annotated[who.Asker, Depends(_anyone)]
ItOnly = Annotated[who.Asker, Depends(_it_only)]


def done(request: Request, back: str, said: str) -> Response:
    """The answer to a form that was done: one sentence for htmx, else back to the page, which says it. `said` is a word of the
    catalogue's family `said`, so that nobody can make our page say theirs.
    """
    if render.only_part(request):
        return render.render(request, "said.html", said=said)
    return RedirectResponse(f"{back}?said={quote(said)}", status_code=303)
