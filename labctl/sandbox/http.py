"""The wire: TLS, authentication, bodies, status lines (`proxmox-truth.md` 3.1).

Answers are `{"data": ...}`; a refusal's first line is the reason phrase; every answer of 400 and more closes the connection; a
401 comes late and empty. Handlers are plain blocking functions: three at a time for the daemon's methods, three for the
proxy's own, on each node, as in Proxmox, and 596 when the daemon has not answered within 30 seconds (it works on).
Not done: extjs format, HTML, the limits on header size (they are aiohttp's here).
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
from collections.abc import Callable
from typing import Any

from aiohttp import web

from labctl.sandbox import answers, bodies, calls, catalogue, faults, websocket
from labctl.sandbox import node as node_
from labctl.sandbox.faults import ends, wording

PREFIX = "/api2/json"
WORKERS = 3
PROXY_TIMEOUT = 30.0
PROXY_CODES = {"proxy-595": (595, "No route to host"), "proxy-596": (596, "Connection timed out"), "proxy-599": (599, "Connection reset")}
"""How a fault of the proxy reads (`proxmox-truth.md` 3.1)."""

HEADERS, HEADER_BYTES = 64, 8192
"""More than that and Proxmox closes the connection without an answer (section 0, 8)."""

_log = logging.getLogger(__name__)


class Wire:
    """Serves one node."""

    def __init__(self, node: node_.Node) -> None:
        self.node = node
        self._pools: dict[tuple[str, bool], concurrent.futures.ThreadPoolExecutor] = {}

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
        if websocket.wanted(request, path):
            return await self._console(request, who, path, params)
        return await self._perform(request, who, verb, path, params)

    async def _console(self, request: web.BaseRequest, who: str, path: str, params: bodies.Params) -> web.StreamResponse:
        """Asked for and allowed as any other call; then it is no call any more."""
        work = functools.partial(calls.perform, self.node, who, "GET", path, params)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._pool("", protected=False), work)
        except answers.Refused as refusal:
            if refusal.status == 401:
                await asyncio.sleep(self.node.settings.refusal_delay)
            return _refusal(refusal)
        vmid = int(path.split("/")[4])
        return await websocket.serve(request, self.node, int(found["port"]), vmid) or _silence(request)

    async def _perform(self, request: web.BaseRequest, who: str, verb: str, path: str, params: bodies.Params) -> web.StreamResponse:
        found = catalogue.load().find(verb, path)
        call = faults.Call(found[0], path, found[1], params) if found else None
        struck = self.node.faults.strike(call) if call else None
        if struck and (early := await self._meet(request, struck)):
            return early
        work = functools.partial(calls.perform, self.node, who, verb, path, params)
        pool = self._pool(found[1].get("node", ""), protected=found[0].protected) if found else self._pool("", protected=False)
        doing = asyncio.ensure_future(self._do(pool, work, call, struck))
        doing.add_done_callback(_seen)
        frozen = call is not None and self.node.conditions.frozen(call.node) > 0
        within = PROXY_TIMEOUT * (self.node.settings.pace if frozen else 1.0)
        response = await self._outcome(request, doing, within, f"{verb} {path}")
        return self._spoilt(request, struck, response) if struck and struck.answer else response

    async def _do(
        self, pool: concurrent.futures.Executor, work: Callable[[], Any], call: faults.Call | None, struck: faults.Struck | None
    ) -> Any:
        """The work itself, once the node it is for is there and awake."""
        if call and call.method.proxyto == "node":
            if self.node.conditions.offline(call.node):
                raise answers.Refused(595, "No route to host")
            await asyncio.sleep(self.node.conditions.frozen(call.node))

        def carried() -> Any:
            with ends.carrying(struck):
                return work()

        return await asyncio.get_running_loop().run_in_executor(pool, carried)

    async def _meet(self, request: web.BaseRequest, struck: faults.Struck) -> web.StreamResponse | None:
        """What strikes before the work: conditions begin, time passes; an answer where the work is not to be done at all."""
        for lasting in struck.begins:
            self.node.conditions.begin(lasting, struck.call)
        if struck.slow:
            await asyncio.sleep(struck.slow * self.node.settings.pace)
        rule = struck.answer
        if rule is None or rule.after or rule.kind.name in {"lost-answer", "garbled"}:
            return None
        if rule.kind.name == "drop":
            return _silence(request)
        if rule.kind.name in PROXY_CODES:
            return _text(*PROXY_CODES[rule.kind.name])
        refusal = wording.refusal(rule, struck.call)
        return await self._unauthorised(refusal.message) if refusal.status == 401 else _refusal(refusal)

    @staticmethod
    def _spoilt(request: web.BaseRequest, struck: faults.Struck, response: web.StreamResponse) -> web.StreamResponse:
        """What strikes when the work is done. A call that was refused anyway is told so."""
        rule = struck.answer
        if rule is None or response.status != 200:
            return response
        if rule.kind.name == "lost-answer":
            return _silence(request)
        if rule.kind.name == "garbled":
            return web.Response(body=b'{"data":', headers=_headers() | {"Content-Type": "application/json;charset=UTF-8"})
        return _text(*PROXY_CODES[rule.kind.name]) if rule.kind.name in PROXY_CODES else _refusal(wording.refusal(rule, struck.call))

    async def _outcome(self, request: web.BaseRequest, doing: asyncio.Future[Any], within: float, what: str) -> web.StreamResponse:
        """The answer to work that is under way; 596 when it takes too long, and it goes on."""
        try:
            data = await asyncio.wait_for(asyncio.shield(doing), within)
        except answers.Refused as refusal:
            if refusal.status == 401:
                await asyncio.sleep(self.node.settings.refusal_delay)
            return _refusal(refusal)
        except TimeoutError:
            return _text(596, "Connection timed out")
        except Exception as failure:
            _log.exception("%s failed in a way it should not", what)
            return _refusal(answers.Refused(500, f"internal error of the sandbox node: {type(failure).__name__}\n"))
        body: dict[str, Any] = {"data": data}
        if isinstance(data, calls.Listing):
            body = {"data": data.data, "total": data.total}
        return _json(request, body)

    def _pool(self, name: str, *, protected: bool) -> concurrent.futures.ThreadPoolExecutor:
        """The workers of the daemon or the proxy of the node that a call is for; who is no node here is answered by the first."""
        key = (name if name in self.node.peers else self.node.name, protected)
        if key not in self._pools:
            self._pools[key] = concurrent.futures.ThreadPoolExecutor(WORKERS, "pvedaemon" if protected else "pveproxy")
        return self._pools[key]

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


def _seen(doing: asyncio.Future[Any]) -> None:
    """Work that goes on after a 596 may fail with nobody listening any more."""
    if not doing.cancelled():
        doing.exception()


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
