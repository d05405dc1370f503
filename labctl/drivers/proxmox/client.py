"""One labctl's connection to one Proxmox: sessions, TLS against the cluster's own CA, retries, tasks.

A call is repeated here only when that is certainly harmless: a read, or a write that Proxmox said it did not do (a lock it
did not get). A write whose outcome is unknown is raised as `answers.UnknownOutcome`, and the verb that made it looks first.
The token's secret is read from its file, is sent in a header only, and never enters a message.
"""

from __future__ import annotations

import contextlib
import json
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib import parse

import proxmoxer.core
import requests
import stamina
import urllib3
from proxmoxer.backends import https

from labctl import errors
from labctl.drivers.proxmox import answers
from labctl.model import site as site_

# What is tried again goes to Python's own logging: with structlog it would be printed among what a command prints.
stamina.instrumentation.set_on_retry_hooks([stamina.instrumentation.LoggingOnRetryHook])

TIMEOUT = 60.0
"""Seconds for one call. Proxmox itself waits up to 30 s for a node (`proxmox-truth.md` 3.1, 6)."""

PATIENCE = 90.0
"""Seconds for which a refused or read call is repeated before the error goes up."""

NODE_PATIENCE = 20.0
"""The same while one node does not answer the others: a blip of the network is over by then, and a node that starts again takes minutes,
in which its seats are better built elsewhere."""


class _WholeBody(https.JsonSerializer):  # type: ignore[misc]
    """proxmoxer keeps only the first line of a refusal; this keeps the body's `message` too (`client-sequence.md` 6). And it takes an
    answer that is cut off, or some proxy's page, for data; here that is a connection that broke: nobody knows what was done.
    """

    def loads(self, response: requests.Response) -> Any:
        try:
            return json.loads(response.content)["data"]
        except (ValueError, KeyError, TypeError):
            raise requests.exceptions.InvalidJSONError("the answer is not Proxmox's") from None

    def loads_errors(self, response: requests.Response) -> dict[str, Any]:
        try:
            body = json.loads(response.text)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}


class Client:
    """Thread-safe: each call takes an idle session of its own and puts it back."""

    def __init__(self, cluster: site_.Cluster, *, timeout: float = TIMEOUT, patience: float = PATIENCE) -> None:
        self._cluster = cluster
        self._patience = patience
        address = parse.urlsplit(cluster.url)
        if address.scheme != "https" or not address.hostname:
            raise errors.BadInput(f"the cluster's url must be https://HOST:PORT, not {cluster.url!r}")
        try:
            secret = Path(cluster.secret_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise errors.NotFound(f"cannot read the API token's secret: {error.strerror}: {cluster.secret_file}") from error
        if not Path(cluster.ca_file).is_file():
            raise errors.NotFound(f"there is no CA certificate at {cluster.ca_file}", hint="It is /etc/pve/pve-root-ca.pem on any node.")
        self._backend = https.Backend(
            host=address.hostname,
            port=address.port or 8006,
            user=cluster.user,
            token_name=cluster.token,
            token_value=secret,
            verify_ssl=cluster.ca_file,
            timeout=timeout,
        )
        self._idle: queue.LifoQueue[requests.Session] = queue.LifoQueue()
        self._version: tuple[int, int] | None = None
        self.known: dict[str, Any] = {}
        """What was asked once and does not change while labctl runs, or not soon."""

    def get(self, path: str, /, **parameters: Any) -> Any:
        """Read. Raises errors of `labctl.errors`."""
        return self.call("GET", path, parameters)

    def post(self, path: str, /, **parameters: Any) -> Any:
        """Write; a UPID comes back where Proxmox starts a task."""
        return self.call("POST", path, parameters)

    def put(self, path: str, /, **parameters: Any) -> Any:
        """Write; a UPID comes back where Proxmox starts a task."""
        return self.call("PUT", path, parameters)

    def delete(self, path: str, /, **parameters: Any) -> Any:
        """Parameters travel in the query: a body is 501 here (`proxmox-truth.md` 3.1)."""
        return self.call("DELETE", path, parameters)

    def call(self, method: str, path: str, parameters: dict[str, Any]) -> Any:
        """One call with its retries. None values are left out, booleans become 1 and 0 (`proxmox-truth.md` 3.2)."""
        return self._repeated(method, path, parameters, _repeatable(reading=method == "GET"))

    def once(self, method: str, path: str, /, **parameters: Any) -> Any:
        """One write that goes up when Proxmox is busy, so that whoever takes turns (`Cluster.gate`) steps back and learns from it. Only
        a connection that never was is tried again.
        """
        return self._repeated(method, path, parameters, _never_began)

    def _repeated(self, method: str, path: str, parameters: dict[str, Any], on: Callable[[Exception], bool]) -> Any:
        clean = {name: _plain(value) for name, value in parameters.items() if value is not None}
        for attempt in self.patiently(_not_for_long(on)):
            with attempt:
                return self._once(method, path, clean)
        raise AssertionError("unreachable: the last attempt raises")

    def patiently(self, on: Callable[[Exception], bool]) -> Iterator[Any]:
        """Attempts with growing, jittered pauses until `patience` seconds are over; the last error goes up."""
        return iter(
            stamina.retry_context(on=on, attempts=None, timeout=self._patience, wait_initial=0.2, wait_max=8.0, wait_jitter=0.5),
        )

    def version(self) -> tuple[int, int]:
        """(8, 4), (9, 2), ...: decides which privileges exist (`proxmox-truth.md` 1.3)."""
        if self._version is None:
            words = str(self.get("/version")["version"]).replace("-", ".").split(".")
            self._version = (int(words[0]), int(words[1]) if len(words) > 1 and words[1].isdigit() else 0)
        return self._version

    def _once(self, method: str, path: str, parameters: dict[str, Any]) -> Any:
        doing = f"{method} {path}"
        with self._session() as session:
            resource = proxmoxer.core.ProxmoxResource(
                base_url=self._backend.get_base_url() + parse.quote(path, safe="/:@!"),
                session=session,
                serializer=_WholeBody(),
            )
            try:
                return getattr(resource, method.lower())(**parameters)
            except proxmoxer.core.ResourceException as refusal:
                raise answers.judge(_answer(refusal), doing) from None
            except requests.RequestException as error:
                raise _unreachable(error, doing, self._cluster.url) from error

    @contextlib.contextmanager
    def _session(self) -> Iterator[requests.Session]:
        try:
            session = self._idle.get_nowait()
        except queue.Empty:
            session = self._backend.get_session()
            session.trust_env = False  # neither a proxy nor a CA bundle of the environment may come between
        try:
            yield session
        finally:
            self._idle.put(session)

    def close(self) -> None:
        """Close idle connections."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _not_for_long(on: Callable[[Exception], bool]) -> Callable[[Exception], bool]:
    """The same, but for a node that the others do not reach, which is given less time."""
    began = time.monotonic()

    def still(error: Exception) -> bool:
        silent = isinstance(error, errors.Unreachable) and not isinstance(error, answers.UnknownOutcome) and bool(error.node)
        return on(error) and not (silent and time.monotonic() - began > NODE_PATIENCE)

    return still


def _never_began(error: Exception) -> bool:
    return isinstance(error, errors.Unreachable) and not isinstance(error, answers.UnknownOutcome)


def _repeatable(*, reading: bool) -> Callable[[Exception], bool]:
    def harmless(error: Exception) -> bool:
        if isinstance(error, answers.UnknownOutcome):
            return reading
        return isinstance(error, errors.TemporaryError) and not isinstance(error, errors.Full)

    return harmless


def _answer(refusal: proxmoxer.core.ResourceException) -> answers.Answer:
    body = refusal.errors if isinstance(refusal.errors, dict) else {}
    parameters = body.get("errors") or {}
    pairs = tuple((str(name), str(text)) for name, text in parameters.items()) if isinstance(parameters, dict) else ()
    return answers.Answer(refusal.status_code, str(body.get("message") or refusal.content or "").strip(), pairs)


def _unreachable(error: requests.RequestException, doing: str, url: str) -> errors.LabctlError:
    """A connection that never was is harmless to repeat; one that broke is not."""
    if isinstance(error, requests.exceptions.SSLError):
        return errors.PermanentError(
            f"the certificate of {url} is not signed by the site's CA for that name",
            hint="Give site.yaml the node's /etc/pve/pve-root-ca.pem and a host name or address that is in its certificate.",
        )
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.exceptions.ConnectTimeout) or isinstance(reason, urllib3.exceptions.NewConnectionError):
        return errors.Unreachable(
            f"the Proxmox node does not answer: nothing listens at {url} ({doing})",
            hint="Is it up, and is the address in site.yaml right? On the sandbox node, `labctl up` starts it again.",
        )
    lost = answers.UnknownOutcome(f"the connection to {url} broke during {doing}: {type(error).__name__}")
    lost.overloaded = isinstance(error, requests.exceptions.ReadTimeout)
    return lost
