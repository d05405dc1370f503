"""HTML of the sign-in pages: Jinja with autoescape, and the headers under which every page of labctl is shown (`access.md` 3.3)."""

from __future__ import annotations

import secrets
from functools import cache

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from api import problems
from labctl import errors

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def render(request: Request, name: str, status: int = 200, **values: object) -> HTMLResponse:
    """The page of that template with these values."""
    nonce = secrets.token_urlsafe(16)
    text = _templates().get_template(name).render(request=request, nonce=nonce, **values)
    headers = {
        "Content-Security-Policy": _POLICY.format(nonce=nonce),
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: under that a browser sends `Origin: null` with our own forms (Fetch, "append a request Origin header").
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(text, status, headers)


def again(request: Request, name: str, error: errors.LabctlError, **values: object) -> HTMLResponse:
    """The same form with what was typed, and a sentence that says what was wrong."""
    return render(request, name, problems.of(error).status, error=error, **values)


@cache
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(loader=jinja2.PackageLoader("api", "templates"), autoescape=True, undefined=jinja2.StrictUndefined)
    # Our sentences begin small where other words may stand before them.
    made.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return made
