"""Heads of HTTP/1.1 requests and answers: read strictly, and written anew for the other side. Values only, no I/O.

What two readers could take for two things (two lengths, folded lines, blanks in names) is refused, not repaired.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST = 64 * 1024
"""Bytes of a head."""

COOKIE = "__Host-labctl_app"
"""Browsers take a cookie of this kind of name from its own host only, and never with a Domain."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"/[\x21-\x7e]*")
_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"})
_FRAMING = frozenset({"host", "content-length", "transfer-encoding"})
_OURS_TO_SAY = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip"})
_OURS = frozenset({COOKIE, "__Host-labctl", "labctl", "labctl-signing-in"})
"""Cookies of labctl: no guest sees them, and none sets them."""

_NOT_FROM_GUESTS = frozenset(
    {
        # Of the whole site, not of this host alone (RFC 6797 includeSubDomains; Clear-Site-Data's cookies): not a guest's to say.
        "strict-transport-security",
        "clear-site-data",
        "nel",
        "report-to",
        "alt-svc",
        "public-key-pins",
        # Replaced by `frame-ancestors`.
        "x-frame-options",
    }
)

Header = tuple[str, str]


class Wrong(ValueError):
    """Not HTTP/1.1 as it is understood here."""


@dataclass(frozen=True)
class Request:
    """From a browser; `host` in small letters, without port."""

    method: str
    target: str
    headers: tuple[Header, ...]
    host: str

    def first(self, name: str) -> str:
        """A header's value; empty where there is none."""
        return _first(self, name)

    @property
    def upgrade(self) -> bool:
        """Whether a WebSocket is asked for."""
        return self.method == "GET" and self.first("upgrade").lower() == "websocket" and "upgrade" in _words(self.first("connection"))

    @property
    def cookie(self) -> str:
        """What labctl knows the visitor by."""
        return next((value for name, value in _cookies(self) if name == COOKIE), "")


@dataclass(frozen=True)
class Answer:
    """From a guest."""

    status: int
    reason: str
    headers: tuple[Header, ...]

    def first(self, name: str) -> str:
        """A header's value; empty where there is none."""
        return _first(self, name)


def request(head: bytes) -> Request:
    """Raises Wrong."""
    line, headers = _parts(head)
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    if not _TOKEN.fullmatch(method) or version not in {"HTTP/1.1", "HTTP/1.0"} or not _TARGET.fullmatch(target):
        raise Wrong("no request line")
    hosts = [value for name, value in headers if name.lower() == "host"]
    if len(hosts) != 1:
        raise Wrong("not one Host")
    found = Request(method, target, headers, re.sub(r":[0-9]*$", "", hosts[0]).lower())
    length(found, asked=True)
    return found


def answer(head: bytes) -> Answer:
    """Raises Wrong."""
    line, headers = _parts(head)
    match = re.fullmatch(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([\x20-\x7e\x80-\xff]*))?", line)
    if not match:
        raise Wrong("no status line")
    return Answer(int(match[1]), match[2] or "", headers)


def length(headed: Request | Answer, *, asked: bool = False) -> int | None:
    """Bytes of the body; None for chunked (and, of an answer, until the end). Raises Wrong where that can be taken in two ways."""
    lengths = [value for name, value in headed.headers if name.lower() == "content-length"]
    codings = [value for name, value in headed.headers if name.lower() == "transfer-encoding"]
    if codings:
        if lengths or len(codings) > 1 or codings[0].lower() != "chunked":
            raise Wrong("no clear length")
        return None
    if not lengths:
        return 0 if asked else None
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,18}", lengths[0]):
        raise Wrong("no clear length")
    return int(lengths[0])


def chunked(headed: Request | Answer) -> bool:
    """Whether the body comes in chunks."""
    return headed.first("transfer-encoding").lower() == "chunked"


def foreign(asked: Request, origin: str) -> bool:
    """Whether another page caused this request, and may not: whatever is no plain navigation must come from the app's own pages.
    Browsers name the page's origin with every WebSocket and say with every request whence it comes, which scripts cannot choose.
    """
    if asked.upgrade:
        return asked.first("origin") != origin
    if whence := asked.first("sec-fetch-site"):
        navigation = asked.first("sec-fetch-mode") == "navigate" and asked.method in {"GET", "HEAD"}
        return whence not in {"same-origin", "none"} and not navigation
    named = asked.first("origin")
    return bool(named) and named != origin


def to_guest(asked: Request, origin: str) -> bytes:
    """The request as the guest gets it: without what labctl knows the visitor by, and with nothing that somebody else said of the way."""
    scheme, _, host = origin.partition("://")
    kept = [(name, value) for name, value in _end_to_end(asked) if name.lower() not in _OURS_TO_SAY | {"cookie"}]
    if cookies := "; ".join(f"{name}={value}" if name else value for name, value in _cookies(asked) if name not in _OURS):
        kept.append(("Cookie", cookies))
    kept += [("X-Forwarded-Host", host), ("X-Forwarded-Proto", scheme)]
    kept += [("Connection", "Upgrade"), ("Upgrade", "websocket")] if asked.upgrade else [("Connection", "close")]
    return _written(f"{asked.method} {asked.target} HTTP/1.1", kept)


def to_browser(said: Answer, labctl: str) -> bytes:
    """The answer as the browser gets it. `labctl`: origins of labctl's own pages, which alone may frame it."""
    kept: list[Header] = []
    for name, value in _end_to_end(said):
        low = name.lower()
        if low == "set-cookie":
            if (cookie := _own_cookie(value)) is not None:
                kept.append((name, cookie))
        elif low in {"content-security-policy", "content-security-policy-report-only"}:
            if policy := _without_ancestors(value):
                kept.append((name, policy))
        elif low not in _NOT_FROM_GUESTS:
            kept.append((name, value))
    kept.append(("Content-Security-Policy", f"frame-ancestors 'self' {labctl}".rstrip()))
    kept += [("Connection", "Upgrade"), ("Upgrade", "websocket")] if said.status == 101 else [("Connection", "close")]
    return _written(f"HTTP/1.1 {said.status} {said.reason}", kept)


def _own_cookie(value: str) -> str | None:
    """A cookie of this host alone, or none where it has labctl's name."""
    first, *attributes = value.split(";")
    if first.partition("=")[0].strip() in _OURS:
        return None
    return ";".join([first, *(one for one in attributes if one.partition("=")[0].strip().lower() != "domain")])


def _without_ancestors(value: str) -> str:
    # A comma parts policies, of which each would hold by itself.
    policies = [
        "; ".join(one.strip() for one in policy.split(";") if one.strip() and not one.strip().lower().startswith("frame-ancestors"))
        for policy in value.split(",")
    ]
    return ", ".join(policy for policy in policies if policy)


def _end_to_end(headed: Request | Answer) -> Iterable[Header]:
    named = {word for name, value in headed.headers if name.lower() == "connection" for word in _words(value)}
    return [(name, value) for name, value in headed.headers if name.lower() not in _HOP | (named - _FRAMING)]


def _cookies(asked: Request) -> list[Header]:
    found = []
    for header, value in asked.headers:
        if header.lower() == "cookie":
            for one in value.split(";"):
                name, equals, rest = one.strip().partition("=")
                found.append((name, rest) if equals else ("", name))
    return [(name, value) for name, value in found if name or value]


def _parts(head: bytes) -> tuple[str, tuple[Header, ...]]:
    lines = head.removesuffix(b"\r\n\r\n").decode("latin-1").split("\r\n")
    if any(sign in line for line in lines for sign in "\r\n\0"):
        raise Wrong("a line end that is none")
    found = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise Wrong("no header")
        found.append((name, value.strip(" \t")))
    return lines[0], tuple(found)


def _first(headed: Request | Answer, name: str) -> str:
    return next((value for one, value in headed.headers if one.lower() == name), "")


def _words(value: str) -> list[str]:
    return [word.strip().lower() for word in value.split(",")]


def _written(line: str, headers: Iterable[Header]) -> bytes:
    return "".join(f"{part}\r\n" for part in [line, *(f"{name}: {value}" for name, value in headers), ""]).encode("latin-1")
