"""The API as the command line uses it: one token, problem documents turned back into our errors.

By the standard library's HTTP client: a person waits for each command, and a richer one takes longer to import than the API to answer.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

from labctl import errors
from labctl import settings as settings_

_NOT_RUNNING = "labctl is not running"
_START = "Start it with `labctl up`."
_BELOW = "/api/v1"
_PATIENCE = 180.0
"""Seconds for an answer: opening a class looks through the whole cluster first."""
_SILENCE = 60.0
"""Seconds without an event; the API sends signs of life more often."""

_KINDS: dict[str, type[errors.LabctlError]] = {
    "bad-input": errors.BadInput,
    "bad-request": errors.BadInput,
    "not-found": errors.NotFound,
    "unauthenticated": errors.Unauthenticated,
    "forbidden": errors.Forbidden,
    "conflict": errors.Conflict,
    "unreachable": errors.Unreachable,
    "busy": errors.Busy,
    "temporary": errors.TemporaryError,
}


class Client:
    """The running labctl of these settings. The token is `LABCTL_TOKEN`, else the one `labctl up` left in the home."""

    def __init__(self, settings: settings_.Settings) -> None:
        self._file = settings.home / "secrets" / "cli-token"
        self._url = f"http://{settings.api_host}:{settings.api_port}"
        self._address = (settings.api_host, settings.api_port)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON at a path."""
        return self._ask("GET", path + _query(params))

    def post(self, path: str, body: Any = None) -> Any:
        """What the API answered; None for an empty answer."""
        return self._ask("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        """Replace what is there; what the API answered."""
        return self._ask("PUT", path, body)

    def delete(self, path: str) -> Any:
        """Take something away; what the API answered, None for an empty answer."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        more = {} if content is None else {"Content-Type": "application/json"}
        headers = self._headers() | more
        with self._translated(), self._connected(_PATIENCE) as connection:
            connection.request(method, _quoted(path), content, headers)
            answer = connection.getresponse()
            text = answer.read()
        _raise_problem(answer.status, text, self._url + _BELOW + path)
        return json.loads(text) if text else None

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (name, data), until the stream ends. A lost connection is an Unreachable."""
        headers = self._headers() | {"Accept": "text/event-stream"}
        with self._translated(), self._connected(_SILENCE) as connection:
            connection.request("GET", _quoted(path), headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                _raise_problem(answer.status, answer.read(), self._url + _BELOW + path)
            name, text = "message", ""
            for raw in answer:
                line = raw.decode().rstrip("\r\n")
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    text += line[5:].strip()
                elif not line and text:
                    yield name, json.loads(text)
                    name, text = "message", ""

    @contextmanager
    def _connected(self, patience: float) -> Iterator[http.client.HTTPConnection]:
        """Straight to labctl: proxies of the environment are for the outside. `patience`: seconds without a sign."""
        connection = http.client.HTTPConnection(*self._address, timeout=patience)
        try:
            try:
                connection.connect()
            except OSError:
                raise errors.Unreachable(f"{_NOT_RUNNING} (nothing answers at {self._url}).", hint=_START) from None
            yield connection
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        secret = os.environ.get("LABCTL_TOKEN")
        if not secret:
            try:
                secret = self._file.read_text().strip()
            except FileNotFoundError:
                raise errors.Unreachable(f"{_NOT_RUNNING} ({self._url} is not set up yet).", hint=_START) from None
            except PermissionError:
                raise errors.Forbidden(
                    f"You may not read labctl's token in {self._file}.",
                    hint="Run this as root, or put a token of your own (`labctl token create`) into LABCTL_TOKEN.",
                ) from None
        return {"Authorization": f"Bearer {secret}"}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as problem:
            raise errors.Unreachable(f"labctl's API at {self._url} did not answer ({type(problem).__name__}).", hint="Try again.") from None


def _quoted(path: str) -> str:
    """People write names with any signs in them; what is quoted already stays as it is."""
    return _BELOW + quote(path, safe="/?=&%:,+~@!$'()*;-._")


def _query(params: dict[str, Any]) -> str:
    """As the API's routes read it: true and false, lists as repetitions, nothing where there is None."""
    named = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items() if value is not None}
    return f"?{urlencode(named, doseq=True)}" if named else ""


def _raise_problem(status: int, text: bytes, url: str) -> None:
    if status < 400:
        return
    try:
        problem = json.loads(text)
        kind = str(problem["type"]).rpartition(":")[2]
        detail, hint = str(problem["detail"]), str(problem.get("hint", ""))
        complaints = tuple(errors.Complaint(**one) for one in problem.get("complaints", []))
    except (ValueError, KeyError, TypeError):
        raise errors.PermanentError(
            f"what answers at {url} is not labctl's API (HTTP {status}).", hint="Is another program on that port?"
        ) from None
    error = _KINDS.get(kind, errors.PermanentError)
    if error is errors.BadInput:
        raise errors.BadInput(detail, hint=hint, complaints=complaints)
    raise error(detail, hint=hint)
