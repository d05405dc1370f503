"""Errors as pages: what happened, what to do next, and a button that works. Which error means what is in `api.problems`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from api.pages import render


def concerns(request: Request) -> bool:
    """Whether somebody looks at pages here. Programs ask below /api/; at an address that is nothing at all, browsers say that they are."""
    if request.url.path.startswith(("/api/", "/ws/", "/static/")):
        return False
    return "endpoint" in request.scope or "text/html" in request.headers.get("accept", "")


def page(request: Request, problem: dict[str, Any], headers: dict[str, str] | None) -> Response:
    """The problem as a page, or as a part of one for htmx. Whoever is not signed in is asked to, and comes back then."""
    if problem["status"] == 401 and request.method == "GET" and not render.only_part(request) and "authorization" not in request.headers:
        return RedirectResponse(f"/sign-in?next={quote(request.url.path, safe='/')}", status_code=303)
    # What the API's programs are told to look up helps nobody who reads a page.
    hint = "" if "/api/v1" in problem["hint"] else problem["hint"]
    at = render.came_from(request) if request.method != "GET" else None
    # To the form again: an address that only takes forms answers nobody who opens it, so where they were is asked, not where they sent it.
    back = at.path + (f"?{at.query}" if at.query else "") if at is not None and at.path else ""
    answer = render.render(request, "problem.html", status=problem["status"], problem={**problem, "hint": hint}, back=back)
    for name, value in (headers or {}).items():
        if name.lower() != "www-authenticate":
            answer.headers[name] = value
    return answer
