"""Every error as a problem document (RFC 9457) in plain words, or as a page (`api.pages.mistakes`). Nothing else here.

Which error means what is in `labctl.errors`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.pages import mistakes, render
from labctl import errors

MEDIA_TYPE = "application/problem+json"
CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
"""What every error is, for OpenAPI."""

_log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[errors.LabctlError], int, str, str], ...] = (
    # The first that fits counts: children stand before their parents.
    (errors.NotFound, 404, "not-found", "There is no such thing"),
    (errors.Unauthenticated, 401, "unauthenticated", "No token, or a wrong one"),
    (errors.Forbidden, 403, "forbidden", "Not allowed"),
    (errors.Conflict, 409, "conflict", "Not possible in this state"),
    (errors.Unreachable, 503, "unreachable", "Something labctl needs does not answer"),
    (errors.Busy, 503, "busy", "Busy: try again in a moment"),
    (errors.TemporaryError, 503, "temporary", "Not possible just now"),
    (errors.ClaimLost, 503, "busy", "Busy: try again in a moment"),
    (errors.PermanentError, 500, "failed", "It failed, and trying again will not help"),
)

_HTTP_HINTS = {
    404: "The addresses of this API are listed in /api/v1/openapi.json.",
    405: "The methods of each address are listed in /api/v1/openapi.json.",
}


class ComplaintShape(BaseModel):
    """One thing wrong in a file somebody wrote; lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str
    warning: bool = False


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(
        description="What kind of problem it is; stays the same for the same kind.", examples=["urn:labctl:problem:not-found"]
    )
    title: str = Field(description="The kind of problem in a few words.", examples=["There is no such thing"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(description="What happened this time, as a plain sentence.", examples=["There is no classroom `monday`."])
    hint: str = Field(default="", description="What to do next; may be empty.")
    complaints: list[ComplaintShape] = Field(default_factory=list, description="Where in the file, when a file is wrong.")


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these problems, for OpenAPI."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses}


def install(app: FastAPI) -> None:
    """Answer every error of this app with a problem document."""
    app.add_exception_handler(errors.LabctlError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def document(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The response."""
    return JSONResponse(problem.model_dump(), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def _answer(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """A problem document; a page where somebody looks at pages."""
    if mistakes.concerns(request):
        return mistakes.page(request, problem.model_dump(), headers)
    return document(problem, headers)


def of(error: errors.LabctlError) -> Problem:
    """The problem that one of our errors is."""
    if isinstance(error, errors.BadInput):
        complaints = [
            ComplaintShape(file=one.file, line=one.line, column=one.column, text=one.text, warning=one.warning) for one in error.complaints
        ]
        status = 422 if complaints else 400
        return Problem(
            type=_type("bad-input"), title="The input is wrong", status=status, detail=error.message, hint=error.hint, complaints=complaints
        )
    for kind, status, name, title in _STATUS:
        if isinstance(error, kind):
            return Problem(type=_type(name), title=title, status=status, detail=error.message, hint=error.hint)
    return Problem(type=_type("failed"), title="It failed", status=500, detail=error.message, hint=error.hint)


def again(error: errors.LabctlError | None) -> dict[str, str]:
    """When trying the same again makes sense, as a header; nothing where it never does."""
    if isinstance(error, errors.TemporaryError):
        return {"Retry-After": str(max(1, round(error.retry_after.total_seconds())))}
    return {}


def form(request: Request, template: str, error: errors.LabctlError | None = None, **values: Any) -> HTMLResponse:
    """A page with a form; where something was wrong with what was sent, with a sentence that says so and the status that it means."""
    answer = render.render(request, template, status=of(error).status if error else 200, error=error, **values)
    answer.headers.update(again(error))
    return answer


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.LabctlError)
    page = request.method == "GET" and not request.url.path.startswith("/api/") and not render.only_part(request)
    if isinstance(error, errors.Unauthenticated) and page:
        # Somebody with a browser who opened a page: they sign in, and are back where they wanted to go.
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(wanted, safe='/')}", 303)
    problem = of(error)
    headers = again(error)
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="labctl"'
    return _answer(request, problem, headers)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = [f"{_where(one['loc'])}: {one['msg']}" for one in error.errors()]
    return _answer(
        request,
        Problem(
            type=_type("bad-request"),
            title="The request is not as this address expects it",
            status=422,
            detail="; ".join(said) or "The request could not be read.",
            hint="What it expects is in /api/v1/openapi.json.",
        ),
    )


def _where(loc: Sequence[Any]) -> str:
    return ".".join(str(part) for part in loc) or "request"


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail = {404: "There is nothing at this address.", 405: "This address does not know that method."}.get(
        error.status_code, str(error.detail)
    )
    return _answer(
        request,
        Problem(
            type=_type(phrase.lower().replace(" ", "-")),
            title=phrase,
            status=error.status_code,
            detail=detail,
            hint=_HTTP_HINTS.get(error.status_code, ""),
        ),
        dict(error.headers or {}),
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    # The cause goes to the log only: an unforeseen error's text may hold anything, a secret too. The pattern of the route and
    # Python's own traceback: an address may hold a one-time link, local variables hold tokens and codes.
    route = request.scope.get("route")
    _log.error("unexpected error at %s", getattr(route, "path", "no route"), exc_info=error)
    return _answer(
        request,
        Problem(
            type=_type("unexpected"),
            title="An error in labctl itself",
            status=500,
            detail="Something happened that labctl did not foresee; nothing of it is shown here.",
            hint="The API's log (log/api.log in labctl's home) has the cause.",
        ),
    )


def _type(name: str) -> str:
    return f"urn:labctl:problem:{name}"
