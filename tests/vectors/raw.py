"""Requests as bytes, for the vectors of the HTTP layer itself."""

from __future__ import annotations

import gzip
import http.client
import re
import socket
import ssl
import urllib.parse
from typing import TYPE_CHECKING, Any

from labctl.sandbox import situation

if TYPE_CHECKING:
    from tests.vectors import stage


def authorisation(on: stage.Stage, kind: str) -> list[str]:
    """Header lines of a recorded way to say who one is."""
    sessions = on.node.sessions
    ticket = urllib.parse.quote(sessions.ticket("root@pam"), safe="")
    token = f"Authorization: PVEAPIToken=root@pam!full={situation.TOKEN_SECRET}"
    csrf = f"CSRFPreventionToken: {sessions.csrf('root@pam')}"
    return {
        "none": [],
        "token": [token],
        "tokenlower": [f"authorization: pveapitoken=root@pam!full={situation.TOKEN_SECRET}"],
        "tokennoequals": [f"Authorization: PVEAPIToken root@pam!full={situation.TOKEN_SECRET}"],
        "badtoken": ["Authorization: PVEAPIToken=root@pam!full=11111111-1111-4111-8111-111111111111"],
        "nosuchuser": ["Authorization: PVEAPIToken=nosuch@pve!x=11111111-1111-4111-8111-111111111111"],
        "expireduser": [f"Authorization: PVEAPIToken=bob@pve!old={situation.TOKEN_SECRET}"],
        "bearer": ["Authorization: Bearer abc"],
        "ticket": [f"Cookie: PVEAuthCookie={ticket}", csrf],
        "ticket-nocsrf": [f"Cookie: PVEAuthCookie={ticket}"],
        "ticket-badcsrf": [f"Cookie: PVEAuthCookie={ticket}", "CSRFPreventionToken: 6B000000:bad"],
        "badticket": ["Cookie: PVEAuthCookie=PVE:root@pam:6B000000::bad"],
        "authzticket": [f"Authorization: PVEAuthCookie={ticket}", csrf],
        "garbagecookie": ["Cookie: PVEAuthCookie=garbage"],
        "stalecookie+token": ["Cookie: PVEAuthCookie=PVE:root@pam:60000000::bad", token],
    }[kind]


def send(on: stage.Stage, request: dict[str, Any]) -> stage.Answer:
    """One request on its own connection; a body that was too long to record is made up again."""
    body = str(request.get("body") or "")
    long = re.match(r"<(\d+) bytes: ([^…]*)", body)
    if long:
        body = long[2].ljust(int(long[1]), "x")
    data = body.encode()
    lines = [request["raw_line"], *authorisation(on, request["auth"]), *(f"{name}: {value}" for name, value in request["headers"].items())]
    if not any(name.lower() == "host" for name in request["headers"]):
        lines.insert(1, f"Host: 127.0.0.1:{on.port}")
    known = {name.lower() for name in request["headers"]}
    if data and "content-length" not in known and "transfer-encoding" not in known:
        lines.append(f"Content-Length: {len(data)}")
    plain = socket.create_connection(("127.0.0.1", on.port), 20)
    with on.tls.wrap_socket(plain, server_hostname="127.0.0.1") if request.get("tls", True) else plain as wire:
        wire.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        return _answer(wire, request["raw_line"].partition(" ")[0])


def _answer(wire: socket.socket | ssl.SSLSocket, verb: str) -> stage.Answer:
    from tests.vectors import stage

    response = http.client.HTTPResponse(wire, method=verb)
    try:
        response.begin()
        data = response.read()
    except (http.client.HTTPException, OSError):
        return stage.Answer(0)
    if response.headers.get("Content-Encoding") == "gzip":
        data = gzip.decompress(data)
    version = "1.1" if response.version == 11 else "1.0"
    return stage.Answer(response.status, f"HTTP/{version} {response.status} {response.reason}", data)
