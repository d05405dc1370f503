"""A small client for tests: one request, its status, data, message and errors. TLS verified against the node's own CA."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import requests

from tests import sandbox_node


@dataclass
class Reply:
    status: int
    data: Any
    message: str
    errors: dict[str, str]
    reason: str


class Api:
    """As the labctl token unless `headers` say otherwise."""

    def __init__(self, node: sandbox_node.SandboxNode, headers: dict[str, str] | None = None) -> None:
        facts = node.credentials
        token = f"PVEAPIToken={facts['user']}!{facts['token']}={node.secret}"
        self.url = facts["url"]
        self.ca = facts["ca_file"]
        self.headers = {"Authorization": token} if headers is None else headers

    def __call__(self, verb: str, path: str, /, **params: Any) -> Reply:
        params = {name.replace("__", "-"): value for name, value in params.items()}
        where = {"params": params} if verb in {"GET", "DELETE"} else {"data": params}
        response = requests.request(
            verb, f"{self.url}/api2/json{path}", headers=self.headers, verify=self.ca, timeout=60, **(where if params else {})
        )
        try:
            body = response.json()
        except ValueError:
            body = {}
        return Reply(response.status_code, body.get("data"), body.get("message", ""), body.get("errors") or {}, response.reason)

    def ok(self, verb: str, path: str, /, **params: Any) -> Any:
        reply = self(verb, path, **params)
        assert reply.status == 200, f"{verb} {path}: {reply}"
        return reply.data

    def task(self, verb: str, path: str, /, **params: Any) -> str:
        """How the task of that call ended."""
        return self.ended(self.ok(verb, path, **params))

    def ended(self, upid: str) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status = self.ok("GET", f"/nodes/sandbox/tasks/{upid}/status")
            if status["status"] == "stopped":
                return str(status["exitstatus"])
            time.sleep(0.02)
        raise AssertionError(f"{upid} still runs")
