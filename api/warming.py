"""What is made when it is first needed, made before anybody can need it: else the first who comes waits half a second, and whoever else is
there with them. FastAPI puts its routes together when a first request looks for one, Jinja compiles a template when it is first shown.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI

from api import texts
from api.pages import render
from labctl import wiring

_NOWHERE = "/api/v1/there-is-nothing-at-this-address"


def warm(app: FastAPI, wired: wiring.Wiring) -> None:
    """Before it is served. Asks the database nothing."""
    texts.index()
    render.prepare()
    # Every board asks for these. With them come what rings the bell, and a password's hash to compare wrong names with.
    assert wired.examining is not None
    assert wired.inviting is not None
    asyncio.run(_ask(app))


async def _ask(app: FastAPI) -> None:
    """A request that all routes are looked through for, and none answers."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": _NOWHERE,
        "raw_path": _NOWHERE.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
    }

    async def nothing_more() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def nobody_reads(_message: Any) -> None:
        return None

    await app(scope, nothing_more, nobody_reads)
