"""File blocks of the guide: written on a machine as its learner, by the learner's own press (`blueprint.md` 16)."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api import routes_tasks, who
from api.pages import asking, guides, render, tasks
from labctl import errors
from labctl.model import guide

router = APIRouter(include_in_schema=False, prefix="/seat/{environment}")


@router.post("/file")
async def write(
    request: Request,
    asker: asking.Anyone,
    house: who.House,
    seat: tasks.Own,
    block: Annotated[int, Form(ge=0, le=1000)] = 0,
    page: tasks.PageNumber = 1,
) -> Response:
    """Write that file block of that page. What is written is the guide's, whatever the form says."""
    address = f"/seat/{seat.seat.environment}"

    def found() -> guide.Code:
        book = guides.of(house, seat.slug, seat.number, seat.seat.environment, render.language(request))
        shown = book.pages[page - 1] if page <= len(book.pages) else None
        files = guides.files(shown) if shown is not None and not book.waits_for(shown) else ()
        if block >= len(files):
            raise errors.NotFound("there is no such file in the guide.", hint="Its page may have changed; load it again.")
        return files[block]

    code = await to_thread.run_sync(found)
    writing = await to_thread.run_sync(
        lambda: house.examining.write(seat.slug, seat.number, code.machine, code.path, code.text + "\n", who=asker.name)
    )
    if not await routes_tasks.ended(writing):
        raise errors.Unreachable(f"{code.machine} takes long to answer.", hint="Look there whether the file is written.")
    if render.only_part(request):
        return asking.done(request, address, "written")
    return RedirectResponse(f"{address}?page={page}&said=written#guide", status_code=303)
