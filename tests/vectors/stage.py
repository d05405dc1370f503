"""Where vectors are played: one node on paper guests in this process, behind its real TLS listener, reset before each vector.

Waits are scaled (`pace`), the 401 delay is short: both are data of the node's settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import shutil
import ssl
import tempfile
import threading
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from labctl.sandbox import certificates, server, situation
from labctl.sandbox import node as node_
from labctl.sandbox.guests import paper

PACE = 0.02
NAME = "pve1"


@dataclass
class Answer:
    """One answer; status 0 is none."""

    status: int
    line: str = ""
    body: bytes = b""

    def _json(self) -> dict[str, Any]:
        try:
            known = json.loads(self.body)
        except ValueError:
            return {}
        return known if isinstance(known, dict) else {}

    @property
    def data(self) -> Any:
        """The body's data."""
        return self._json().get("data")

    @property
    def errors(self) -> dict[str, str] | None:
        """The body's errors by parameter."""
        return self._json().get("errors")

    @property
    def message(self) -> str:
        """The body's message; the reason phrase of an empty body; a plain body itself."""
        if not self.body:
            return self.line.partition(" ")[2].partition(" ")[2]
        return str(self._json().get("message") or (self.body.decode("utf-8", "replace") if not self.body.startswith(b"{") else ""))

    def shown(self) -> dict[str, Any]:
        """For a person."""
        return {"line": self.line, "body": self.body.decode("utf-8", "replace")[:2500]}


class Stage:
    """Use as a context manager."""

    def __init__(self, fixtures: dict[str, Any]) -> None:
        self._fixtures = fixtures
        self._home = Path(tempfile.mkdtemp(prefix="vectors-"))
        certificates.make(self._home, NAME)
        settings = node_.Settings(name="vectors", node=NAME, runtime="paper", pace=PACE, refusal_delay=0.01)
        self.node = node_.Node(self._home, settings, paper.PaperRuntime(None))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connection: http.client.HTTPSConnection | None = None
        self.tls = ssl.create_default_context(cafile=str(self._home / "ca.pem"))

    def __enter__(self) -> Self:
        self._thread.start()
        self._runner = asyncio.run_coroutine_threadsafe(server.listen(self.node, "127.0.0.1", 0), self._loop).result(60)
        self.port = int(self._runner.addresses[0][1])
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._drop()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self.node.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def play(self, vector: dict[str, Any]) -> tuple[Answer, dict[str, Any] | None, dict[str, Any]]:
        """(answer, its task's status, the GETs afterwards)."""
        given = self._situation(vector["given"])
        for step in given.get("steps", []):
            self._await(self._ask(step))
        self._hold(vector["given"])
        answer = self._raw(vector["request"]) if "raw_line" in vector["request"] else self._ask(vector["request"])
        task = self._await(answer)
        after = {}
        for path in vector["expect"].get("after") or {}:
            seen = self._ask({"method": "GET", "path": path, "params": None, "as_user": "root@pam"})
            after[path] = seen.data if seen.status == 200 else {"status": seen.status, "message": seen.message}
        return answer, task, after

    def _situation(self, given: dict[str, Any]) -> dict[str, Any]:
        merged = dict(self._fixtures[f"fixture-{given['fixture']}"])
        for overlay in given.get("overlays", []):
            merged = situation.merge(merged, self._fixtures[f"overlay-{overlay}"])
        merged = situation.merge(merged, given.get("set", {}))
        merged |= {key: given[key] for key in ("nodes", "quorate", "steps") if key in given}
        situation.load(self.node, merged)
        return merged

    def _hold(self, given: dict[str, Any]) -> None:
        held = {given[key] if key == "held_flock" else f"cfs:{given[key]}" for key in ("held_flock", "held_cluster_lock") if key in given}
        self.node.locks.held_elsewhere = set() if "released_after_s" in given else held
        if "released_after_s" in given:
            for name in held:
                self.node.locks.hold(name, given["released_after_s"])

    def _await(self, answer: Answer) -> dict[str, Any] | None:
        upid = answer.data
        if not isinstance(upid, str) or not upid.startswith("UPID:"):
            for name in list(self.node.tasks.known()):
                self.node.tasks.wait(name, 300)
            return None
        self.node.tasks.wait(upid, 300)
        return {"exitstatus": self.node.tasks.exit_status(upid), "log": self.node.tasks.lines(upid)}

    def _ask(self, request: dict[str, Any]) -> Answer:
        verb, path, params = request["method"], request["path"], request.get("params") or {}
        headers = self._credentials(request.get("as_user") or "root@pam")
        body = None
        encoding = request.get("encoding", "form")
        path = urllib.parse.quote(path, safe="/:@!?=&%;,")
        if encoding == "json":
            body, headers["Content-Type"] = json.dumps(params), "application/json"
        elif params:
            form = urllib.parse.urlencode(params, doseq=True)
            if verb in {"GET", "DELETE"} or encoding == "query":
                path += ("&" if "?" in path else "?") + form
            else:
                body, headers["Content-Type"] = form, "application/x-www-form-urlencoded"
        return self._send(verb, f"/api2/json{path}", body, headers)

    def _credentials(self, user: str) -> dict[str, str]:
        if "!" in user:
            return {"Authorization": f"PVEAPIToken={user}={situation.TOKEN_SECRET}"}
        sessions = self.node.sessions
        return {"Cookie": f"PVEAuthCookie={urllib.parse.quote(sessions.ticket(user), safe='')}", "CSRFPreventionToken": sessions.csrf(user)}

    def _send(self, verb: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        for _ in range(2):
            connection = self._connection or http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=60)
            self._connection = connection
            try:
                connection.request(verb, path, body, headers)
                response = connection.getresponse()
                answer = Answer(response.status, f"HTTP/1.1 {response.status} {response.reason}", response.read())
            except (http.client.HTTPException, OSError):
                self._drop()  # the node closes idle connections: once more on a new one
                continue
            if response.will_close:
                self._drop()
            return answer
        return Answer(0)

    def _drop(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _raw(self, request: dict[str, Any]) -> Answer:
        """Bytes as recorded, on a connection of its own."""
        from tests.vectors import raw

        with contextlib.suppress(OSError):
            return raw.send(self, request)
        return Answer(0)
