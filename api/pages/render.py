"""One page out: template, language, times in the site's zone, and the headers that let a browser run nothing but ours (`access.md` 3.3)."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from api import texts

LANGUAGE_COOKIE = "labctl_language"

STATIC = Path(__file__).resolve().parents[1] / "static"
"""What set-up builds from npm packages; pages work without it."""

SYMBOLS = {
    "ready": "●",
    "failed": "✕",
    "stuck": "✕",
    "gone": "□",
    "removing": "◌",
    "waiting": "○",
    "suspended": "◍",
}
"""Beside each status word, so that colour is never alone. What is on its way has `◐`."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; report-uri /csp-reports"
)


_NOWHERE = SplitResult("", "", "", "", "")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("api", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Else each row of a board asks the file system whether its three files are still the same.
        auto_reload=False,
    )
    environment.filters["symbol"] = lambda word: SYMBOLS.get(word, "◐")
    return environment


def prepare() -> None:
    """Compile all templates."""
    for name in _environment().list_templates():
        _environment().get_template(name)


def language(request: Request) -> str:
    """Which language this browser is spoken to in."""
    return texts.best(request.headers.get("accept-language", ""), request.cookies.get(LANGUAGE_COOKIE))


def zone(request: Request) -> ZoneInfo:
    """The zone in which this site's people say times."""
    return ZoneInfo(request.app.state.wiring.settings.time_zone)


def fragment(template: str, spoken: str, place: ZoneInfo, /, **values: Any) -> str:
    """A part of a page as text, for streams and answers that replace a part."""
    return _environment().get_template(template).render(t=texts.Texts(spoken), language=spoken, clock=Clock(place), **values)


def render(
    request: Request,
    template: str,
    /,
    *,
    status: int = 200,
    frames: Sequence[str] = (),
    reaches: Sequence[str] = (),
    rows: Sequence[bytes] = (),
    **values: Any,
) -> HTMLResponse:
    """The page `template` of `api/templates` with these values. Never kept by caches: pages hold what only their asker may see. `frames`:
    origins of web apps that this page, and no other, may frame and lead to; `reaches`: those that its scripts may ask. `rows` are ready
    HTML and stand where the template says so: what a thousand of them are would be copied six times in there.
    """
    nonce = secrets.token_urlsafe(18)
    place = Markup(f"<!-- {secrets.token_urlsafe(18)} -->")  # noqa: S704
    text = fragment(
        template,
        language(request),
        zone(request),
        nonce=nonce,
        path=request.url.path,
        here=_here(request),
        asker=getattr(request.state, "asker", None),
        languages=texts.LANGUAGES,
        built=built(),
        rows=place,
        **values,
    )
    before, there, after = text.partition(place)
    body = b"\n".join([before.encode(), *rows, after.encode()]) if there else text
    return HTMLResponse(body, status_code=status, headers=headers(nonce, frames, reaches))


def _here(request: Request) -> str:
    """Where this page can be opened again: the answer to a form cannot."""
    if request.method != "GET":
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def came_from(request: Request) -> SplitResult:
    """The page of ours on which somebody pressed; empty where the browser does not say, or it is another's."""
    try:
        at = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return _NOWHERE
    return at if at.netloc == request.headers.get("host", "") and at.path.startswith("/") and not at.path.startswith("//") else _NOWHERE


def headers(nonce: str, frames: Sequence[str] = (), reaches: Sequence[str] = ()) -> dict[str, str]:
    """What every page carries."""
    policy = _POLICY.format(nonce=nonce).replace("connect-src 'self'", " ".join(("connect-src 'self'", *reaches)))
    if frames:
        # A form's way is looked at again after each redirect, and a frame's first address is labctl's own.
        policy = policy.replace("form-action 'self'", f"form-action 'self' {' '.join(frames)}") + f"; frame-src 'self' {' '.join(frames)}"
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: under that a browser sends `Origin: null` with our own forms (Fetch, "append a request Origin header").
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language, Cookie, HX-Request",
    }


@functools.cache
def built() -> frozenset[str]:
    """Which files set-up has built; looked at once, for they come before the API starts."""
    return frozenset(file.name for file in STATIC.iterdir()) if STATIC.is_dir() else frozenset()


def only_part(request: Request) -> bool:
    """Whether htmx asks, which replaces an answer in a page that is there."""
    return request.headers.get("hx-request") == "true"


class Clock:
    """Moments as this site's people say them."""

    def __init__(self, place: ZoneInfo) -> None:
        self._place = place

    @property
    def name(self) -> str:
        """The zone's name."""
        return str(self._place)

    def time(self, moment: datetime) -> str:
        """Hours and minutes."""
        return f"{moment.astimezone(self._place):%H:%M}"

    def seconds(self, moment: datetime) -> str:
        """With seconds."""
        return f"{moment.astimezone(self._place):%H:%M:%S}"

    def day(self, moment: datetime) -> str:
        """Date and time."""
        return f"{moment.astimezone(self._place):%Y-%m-%d %H:%M}"

    def field(self, moment: datetime) -> str:
        """As a form's field for date and time wants it."""
        return f"{moment.astimezone(self._place):%Y-%m-%dT%H:%M}"

    def left(self, until: datetime, now: datetime) -> str:
        """Hours and minutes until then; 0:00 when it is over."""
        minutes = max(0, int((until - now).total_seconds() // 60))
        return f"{minutes // 60}:{minutes % 60:02}"
