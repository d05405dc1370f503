"""The API as the command line uses it: httpx2, one token, problem documents turned back into our errors."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from labctl import errors
from labctl import settings as settings_

_NOT_RUNNING = "labctl is not running"
_START = "Start it with `labctl up`."

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
        # Proxies of the environment are for the outside, not for loopback.
        self._http = httpx2.Client(base_url=self._url + "/api/v1", timeout=180, trust_env=False)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON at a path."""
        return self._ask("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Any:
        """What the API answered; None for an empty answer."""
        return self._ask("POST", path, json=body)

    def delete(self, path: str) -> Any:
        """Take something away; what the API answered, None for an empty answer."""
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        with self._translated():
            answer = self._http.request(method, path, headers=self._headers(), **more)
        _raise_problem(answer)
        return answer.json() if answer.content else None

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Server-sent events as (name, data), until the stream ends. A lost connection is an Unreachable."""
        timeout = httpx2.Timeout(10, read=60)
        with (
            self._translated(),
            self._http.stream("GET", path, headers={**self._headers(), "Accept": "text/event-stream"}, timeout=timeout) as answer,
        ):
            if answer.status_code != 200:
                answer.read()
                _raise_problem(answer)
            name, text = "message", ""
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    text += line[5:].strip()
                elif not line and text:
                    yield name, json.loads(text)
                    name, text = "message", ""

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
        except httpx2.ConnectError:
            raise errors.Unreachable(f"{_NOT_RUNNING} (nothing answers at {self._url}).", hint=_START) from None
        except httpx2.TransportError as problem:
            raise errors.Unreachable(f"labctl's API at {self._url} did not answer ({type(problem).__name__}).", hint="Try again.") from None


def _raise_problem(answer: httpx2.Response) -> None:
    if answer.status_code < 400:
        return
    try:
        problem = answer.json()
        kind = str(problem["type"]).rpartition(":")[2]
        detail, hint = str(problem["detail"]), str(problem.get("hint", ""))
        complaints = tuple(errors.Complaint(**one) for one in problem.get("complaints", []))
    except (ValueError, KeyError, TypeError):
        raise errors.PermanentError(
            f"what answers at {answer.url} is not labctl's API (HTTP {answer.status_code}).", hint="Is another program on that port?"
        ) from None
    error = _KINDS.get(kind, errors.PermanentError)
    if error is errors.BadInput:
        raise errors.BadInput(detail, hint=hint, complaints=complaints)
    raise error(detail, hint=hint)
