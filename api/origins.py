"""Whether a browser's request comes from labctl's own pages. Nothing else is said about who asks.

A proxy in front must pass the Host header on as the browser sent it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers


def same(headers: Headers) -> bool:
    """The Origin's host and port are those the request was sent to. A request that names no origin is none of our pages'."""
    origin, host = headers.get("origin", ""), headers.get("host", "")
    return bool(host) and urlsplit(origin).scheme in {"http", "https"} and urlsplit(origin).netloc.lower() == host.lower()
