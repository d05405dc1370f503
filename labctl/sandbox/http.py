"""The wire: TLS, authentication, bodies, status lines (`proxmox-truth.md` 3.1).

Answers are `{"data": ...}`; a refusal's first line is the reason phrase; every answer of 400 and more closes the connection; a
401 comes late and empty. Handlers are plain blocking functions: three at a time for the daemon's methods, three for the
proxy's own, as in Proxmox, and 596 when the daemon has not answered within 30 seconds (it works on).
Not done: extjs format, HTML, websockets, the limits on header size (they are aiohttp's here).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import email.utils
import functools
import gzip
import json
import logging
import re
import time
import urllib.parse
from typing import Any

from aiohttp import web

from labctl.sandbox import answers, bodies, calls, catalogue
from labctl.sandbox import node as node_

PREFIX = "/api2/json"
WORKERS = 3
PROXY_TIMEOUT = 30.0
HEADERS, HEADER_BYTES = 64, 8192
"""More than that and Proxmox closes the connection without an answer (section 0, 8)."""

_log = logging.getLogger(__name__)


class Wire:
    """Serves one node."""

    def __init__(self, node: node_.Node) -> None:
        self.node = node
        self._daemon = concurrent.futures.ThreadPoolExecutor(WORKERS, "pvedaemon")
        self._proxy = concurrent.futures.ThreadPoolExecutor(WORKERS, "pveproxy")

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        try:
            return await self._answer(request)
        except answers.Refused as refusal:
            return _refusal(refusal, plain=True)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        verb = request.method
        if len(request.raw_headers) > HEADERS or sum(len(name) + len(value) for name, value in request.raw_headers) > HEADER_BYTES:
            return _silence(request)
        _check_head(request, verb)
        raw, _, query = request.raw_path.partition("?")
        path = urllib.parse.unquote(raw)
        if not path.startswith(PREFIX):
            return _no_format(path)
        path = path.removeprefix(PREFIX)
        who, refusal = self._who(request, verb, path)
        if refusal:
            return await self._unauthorised(refusal)
        params = bodies.body(verb, request.headers.get("Content-Type"), await request.read())
        params |= bodies.query(query)
        return await self._perform(request, who, verb, path, params)

    async def _perform(self, request: web.BaseRequest, who: str, verb: str, path: str, params: bodies.Params) -> web.StreamResponse:
        work = functools.partial(calls.perform, self.node, who, verb, path, params)
        found = catalogue.load().find(verb, path)
        pool = self._daemon if found and found[0].protected else self._proxy
        try:
            data = await asyncio.wait_for(asyncio.shield(asyncio.get_running_loop().run_in_executor(pool, work)), PROXY_TIMEOUT)
        except answers.Refused as refusal:
            if refusal.status == 401:
                await asyncio.sleep(self.node.settings.refusal_delay)
            return _refusal(refusal)
        except TimeoutError:
            return _text(596, "Connection timed out")
        except Exception as failure:
            _log.exception("%s %s failed in a way it should not", verb, path)
            return _refusal(answers.Refused(500, f"internal error of the sandbox node: {type(failure).__name__}\n"))
        body: dict[str, Any] = {"data": data}
        if isinstance(data, calls.Listing):
            body = {"data": data.data, "total": data.total}
        return _json(request, body)

    def _who(self, request: web.BaseRequest, verb: str, path: str) -> tuple[str, str]:
        """(who, why not): the cookie first, then the header (`proxmox-truth.md` 3.1)."""
        if calls.is_open(verb, path):
            return "", ""
        header = request.headers.get("Authorization", "")
        ticket = request.cookies.get("PVEAuthCookie") or (
            header.removeprefix("PVEAuthCookie=") if header.startswith("PVEAuthCookie=") else ""
        )
        ticket = urllib.parse.unquote(ticket)
        if ticket.startswith("PVE:"):
            user = self.node.sessions.from_ticket(ticket)
            if not user:
                return "", "Authentication failed!"
            if verb != "GET" and not self.node.sessions.csrf_holds(user, request.headers.get("CSRFPreventionToken", "")):
                return "", "Permission denied - invalid csrf token"
            return user, ""
        if re.match("pveapitoken[= ]", header, re.IGNORECASE):
            token = self.node.sessions.from_token(header[len("PVEAPIToken=") :])
            return (token, "") if token else ("", "Authentication failed!")
        return "", "No ticket"

    async def _unauthorised(self, reason: str) -> web.StreamResponse:
        await asyncio.sleep(self.node.settings.refusal_delay)
        response = web.Response(status=401, reason=reason, headers=_headers())
        response.headers.pop("Content-Type", None)
        response.force_close()
        return response


def _no_format(path: str) -> web.Response:
    """Other formats than JSON are not built here (Proxmox has extjs, html, png); other paths are files that are not there."""
    _, first, kind, rest = [*path.split("/", 3), "", "", ""][:4]
    if first == "api2" and kind:
        return _text(501, f"no formatter for uri /{rest}, {kind}")
    if first == "api2":
        return _text(501, "no such uri")
    return _text(500, f"no such file '{path}'")


def _silence(request: web.BaseRequest) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response(status=400)


def _check_head(request: web.BaseRequest, verb: str) -> None:
    """What is refused before anybody asks who is calling."""
    if verb not in {"GET", "POST", "PUT", "DELETE"}:
        raise answers.Refused(501, f"method '{verb}' not available")
    if request.headers.get("Transfer-Encoding"):
        raise answers.Refused(501, "chunked transfer encoding not supported")
    if int(request.headers.get("Content-Length", 0) or 0) > bodies.LIMIT:
        raise answers.Refused(501, "for data too large")


def _headers() -> dict[str, str]:
    now = email.utils.formatdate(time.time(), usegmt=True)
    return {"Server": "pve-api-daemon/3.0", "Cache-Control": "max-age=0", "Pragma": "no-cache", "Date": now, "Expires": now}


def _text(status: int, text: str) -> web.Response:
    response = web.Response(status=status, reason=text, text=text, headers=_headers())
    response.force_close()
    return response


def _refusal(refusal: answers.Refused, *, plain: bool = False) -> web.Response:
    if plain:
        return _text(refusal.status, refusal.message)
    reason = refusal.message.split("\n", 1)[0]
    body: dict[str, Any] = {"message": refusal.message, "data": None}
    if refusal.errors:
        body["errors"] = refusal.errors
    response = web.Response(
        status=refusal.status, reason=reason, body=_dump(body), headers=_headers() | {"Content-Type": "application/json;charset=UTF-8"}
    )
    response.force_close()
    return response


def _json(request: web.BaseRequest, body: dict[str, Any]) -> web.Response:
    data = _dump(body)
    headers = _headers() | {"Content-Type": "application/json;charset=UTF-8"}
    if len(data) > 1024 and "gzip" in request.headers.get("Accept-Encoding", ""):
        data, headers["Content-Encoding"] = gzip.compress(data, 4), "gzip"
    return web.Response(body=data, headers=headers)


def _dump(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")
