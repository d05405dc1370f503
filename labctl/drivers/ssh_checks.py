"""Readiness checks (`blueprint.md` 11): what to send to a guest, and what its answer means.

A look has three outcomes: passed, failed (a `Verdict` with the reason), or *could not look*, which is an Unreachable error
and never counts as a failure. A failing look is repeated until the check's own timeout has passed, because a service may
need a moment after a start. `http` and `tcp` are opened *from* the machine through SSH, so no tool is needed there.
"""

from __future__ import annotations

import base64
import http.client
import re
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from labctl import errors
from labctl.drivers import ssh_connection, ssh_tls
from labctl.model.plan import Plan, PlannedCheck, PlannedMachine

if TYPE_CHECKING:
    import paramiko

BODY_LIMIT = 1024 * 1024
"""Bytes of a page or file that are searched."""

WHOLE = 5.0
"""Seconds. A look that had less and did not end was cut short by the end of the check's time: a login and a fork may take as long on a
machine that is busy."""

SHOWN = 400
"""Characters of a failing check's output that people see."""


@dataclass(frozen=True)
class Verdict:
    """Whether the check passed; else why not, in words for a person, and the last line that a program printed, if one did."""

    passed: bool
    reason: str = ""
    said: str = ""


@dataclass(frozen=True)
class Place:
    """Where a check looks: labctl's own connection to the machine, and the frozen blueprint folder for scripts. `sparing`: the learner is
    in the machine, so a program gets only those secret values that it names.
    """

    plan: Plan
    machine: PlannedMachine
    connection: ssh_connection.Connection
    folder: Path
    sparing: bool = False


def prove(check: PlannedCheck, place: Place) -> None:
    """Look until the check passes or its timeout is over. Raises CheckFailed or Unreachable."""
    deadline = time.monotonic() + check.timeout
    pause = 0.2
    verdict: Verdict | None = None
    while True:
        left = max(0.5, deadline - time.monotonic())
        try:
            verdict = look(check, place, left)
        except ssh_connection.TookTooLong:
            # A last look that the end of our time cuts short says less than the whole one before it.
            if verdict is None or left > WHOLE:
                raise
        if verdict.passed:
            return
        if time.monotonic() + pause >= deadline:
            shown = mask(f"{check.kind} {check.what}", place.plan)
            said = f"{check.message} " if check.message else ""
            raise errors.CheckFailed(
                f"{check.machine}: check '{shown}' failed: {said}({mask(verdict.reason, place.plan)})",
                hint="Look on the machine; then `labctl class reset` proves the seat anew.",
            )
        time.sleep(pause)  # the pause between two looks at something that is still starting
        pause = min(pause * 2, 2.0)


def look(check: PlannedCheck, place: Place, timeout: float) -> Verdict:
    """One look. Raises Unreachable when it could not look."""
    match check.kind:
        case "run" | "script":
            return _command(check, place, timeout)
        case "http":
            return _http(check, place.connection, timeout)
        case "tcp":
            return _tcp(check, place.connection, timeout)
        case "file":
            return _file(check, place.connection, timeout)


def mask(text: str, plan: Plan) -> str:
    """Text without the values of variables that learners may not see, and without passwords."""
    hidden = [str(variable.value) for variable in plan.variables if not variable.shown]
    hidden += [machine.password for machine in plan.machines if machine.password]
    # In patterns a value stands escaped.
    hidden += [re.escape(value) for value in hidden]
    for value in sorted((value for value in hidden if len(value) >= 4), key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def environment(plan: Plan, values: dict[str, Any] | None = None) -> dict[str, str]:
    """`LAB_<NAME>` for scripts: the plan's variables, or the `vars` of one step."""
    named = {variable.name: variable.value for variable in plan.variables} if values is None else values
    found = {f"LAB_{name.upper()}": str(value) for name, value in named.items() if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)}
    return found | {"LAB_SEAT_LOGIN": plan.seat.login, "LAB_SEAT_NUMBER": str(plan.seat.number)}


def program(content: bytes, variables: dict[str, str], *, seconds: float, login: str | None, by_shell: bool) -> str:
    """A script for root's shell that runs `content` with `variables` set and removes it again.

    The content and the values travel on stdin only. With `login` it runs in that user's login shell, else as root. With
    `by_shell` it is shell text (`run`), else a program with its own first line (`script`).
    """
    names = ",".join(variables)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    limit = f"timeout -k 2 {max(1, round(seconds))}"
    if login is not None:
        inner = ". $dir/check" if by_shell else "$dir/check"
        start = f'{limit} runuser -l {shlex.quote(login)} -w {names} -c "{inner}"'
    elif by_shell:
        start = f'shell=/bin/sh; [ -x /bin/bash ] && shell=/bin/bash; {limit} $shell "$dir/check"'
    else:
        start = f'{limit} "$dir/check"'
    mode = "755" if login is not None else "700"
    return (
        "{\n"
        f"{exports}"
        "dir=$(mktemp -d /tmp/labctl-XXXXXXXX) || exit 97\n"
        "trap 'rm -rf \"$dir\"' EXIT\n"
        f'chmod {mode} "$dir"\n'
        f'echo {base64.b64encode(content).decode()} | base64 -d > "$dir/check" || exit 97\n'
        f'chmod {mode} "$dir/check"\n'
        f"cd /\n{start} </dev/null\n"
        "exit $?\n}\n"
    )


def tail(outcome: ssh_connection.Outcome) -> str:
    """The end of what a command printed, fit for one line of a journal."""
    text = " / ".join(part for part in (outcome.stdout.strip(), outcome.stderr.strip()) if part)
    clean = "".join(sign if sign.isprintable() else " " for sign in text)
    clean = re.sub(r" {2,}", " ", clean).strip()
    return clean if len(clean) <= SHOWN else f"...{clean[-SHOWN:]}"


def _last(outcome: ssh_connection.Outcome) -> str:
    """The last line of what it printed."""
    lines = [line for line in (outcome.stdout.strip() or outcome.stderr.strip()).splitlines() if line.strip()]
    return "".join(sign for sign in lines[-1].strip() if sign.isprintable())[:SHOWN] if lines else ""


def _command(check: PlannedCheck, place: Place, timeout: float) -> Verdict:
    by_shell = check.kind == "run"
    content = check.what.encode() + b"\n" if by_shell else (place.folder / check.what).read_bytes()
    login = place.machine.login if check.as_user == "learner" else None
    values = environment(place.plan)
    if place.sparing:
        secret = {f"LAB_{variable.name.upper()}" for variable in place.plan.variables if not variable.shown}
        values = {name: value for name, value in values.items() if name not in secret or name.encode() in content}
    script = program(content, values, seconds=timeout, login=login, by_shell=by_shell)
    begun = time.monotonic()
    outcome = place.connection.root(script, timeout=timeout + 5)
    if outcome.exit in (124, 137) and time.monotonic() - begun >= timeout - 0.6:
        raise ssh_connection.TookTooLong(f"{check.machine}: {check.kind} did not finish within {timeout:.0f} s")
    if outcome.exit != check.exit:
        reason = f"exit {outcome.exit}, expected {check.exit}; it printed: {tail(outcome) or 'nothing'}"
        return Verdict(passed=False, reason=reason, said=_last(outcome))
    if check.output is not None and not re.search(check.output, outcome.stdout, re.MULTILINE):
        return Verdict(passed=False, reason=f"its output does not match '{check.output}'; it printed: {tail(outcome) or 'nothing'}")
    return Verdict(passed=True)


class _Socket:
    """What http.client needs of a socket. It closes its socket once it has the headers, and counts on the file keeping the
    connection open; a channel would really close and cut the page off.
    """

    def __init__(self, channel: paramiko.Channel, *, sealed: bool) -> None:
        speaks: Any = ssh_tls.Sealed(channel) if sealed else channel
        self.sendall, self.makefile = speaks.sendall, speaks.makefile

    def close(self) -> None:
        """Not yet."""


@contextmanager
def through(
    connection: ssh_connection.Connection, host: str, port: int, timeout: float, *, sealed: bool = False
) -> Iterator[http.client.HTTPConnection]:
    """http.client over a channel that the guest opened; `sealed`: by TLS. A guest that drips one byte a second must not hold a worker:
    the channel is closed when the time is over.
    """
    channel = connection.dial(host, port, timeout)
    timer = threading.Timer(timeout, channel.close)
    timer.daemon = True
    timer.start()
    try:
        client = http.client.HTTPConnection(host, port)
        client.sock = cast("Any", _Socket(channel, sealed=sealed))
        yield client
    finally:
        timer.cancel()
        channel.close()


def _http(check: PlannedCheck, connection: ssh_connection.Connection, timeout: float) -> Verdict:
    url = urlsplit(check.what)
    if url.scheme != "http" or not url.hostname:
        raise errors.PermanentError(f"{check.machine}: only http:// addresses can be checked, not {url.scheme}://")
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    begun = time.monotonic()
    try:
        with through(connection, url.hostname, url.port or 80, timeout) as client:
            client.request("GET", target, headers={"User-Agent": "labctl", "Connection": "close"})
            answer = client.getresponse()
            body = answer.read(BODY_LIMIT).decode(errors="replace")
        if time.monotonic() - begun >= timeout:
            raise TimeoutError  # the page was cut off, not read
    except ssh_connection.PortClosed as error:
        return Verdict(passed=False, reason=error.message)
    except (http.client.HTTPException, OSError, EOFError, ValueError) as error:
        if time.monotonic() - begun >= timeout:
            raise ssh_connection.TookTooLong(f"{check.machine}: {check.what} did not answer within {timeout:.0f} s") from error
        return Verdict(passed=False, reason=f"it does not answer as a web server ({type(error).__name__})")
    if answer.status != check.status if check.status is not None else answer.status >= 400:
        return Verdict(passed=False, reason=f"status {answer.status}, expected {check.status or 'below 400'}")
    if check.body is not None and not re.search(check.body, body, re.MULTILINE):
        return Verdict(passed=False, reason=f"the page does not match '{check.body}'")
    return Verdict(passed=True)


def _tcp(check: PlannedCheck, connection: ssh_connection.Connection, timeout: float) -> Verdict:
    host, _, port = check.what.rpartition(":")
    try:
        connection.dial(host.strip("[]"), int(port), timeout).close()
    except ssh_connection.PortClosed as error:
        return Verdict(passed=False, reason=error.message)
    return Verdict(passed=True)


def _file(check: PlannedCheck, connection: ssh_connection.Connection, timeout: float) -> Verdict:
    path = shlex.quote(check.what)
    script = (
        f"if [ -e {path} ] || [ -L {path} ]; then stat -L -c 'found %a %U' -- {path} || echo 'found 0 ?'; "
        f"[ -f {path} ] && head -c {ssh_connection.OUTPUT_LIMIT - 100} -- {path}; else echo absent; fi; exit 0\n"
    )
    outcome = connection.root(script, timeout=timeout)
    head, _, content = outcome.stdout.partition("\n")
    if outcome.exit != 0 or not head:
        raise errors.Unreachable(f"{check.machine}: could not look at {check.what}: {tail(outcome)}")
    if (head == "absent") != check.absent:
        return Verdict(passed=False, reason=f"{check.what} {'is not there' if head == 'absent' else 'is there'}")
    if check.absent:
        return Verdict(passed=True)
    _, mode, owner = head.split()
    if check.mode is not None and int(mode, 8) != int(check.mode, 8):
        return Verdict(passed=False, reason=f"{check.what} has mode {mode}, expected {check.mode}")
    if check.owner is not None and owner != check.owner:
        return Verdict(passed=False, reason=f"{check.what} belongs to {owner}, expected {check.owner}")
    if check.contains is not None and not re.search(check.contains, content, re.MULTILINE):
        return Verdict(passed=False, reason=f"{check.what} does not contain '{check.contains}'")
    return Verdict(passed=True)
