"""Starts the Ansible process, listens to it, and turns what it says into progress and errors. See `ansible_process`.

The process is the first of a process namespace: the kernel ends everything in it with the first, and the first ends when
this process dies (`setpriv --pdeathsig`, `unshare --kill-child`). So neither a killed worker nor a
killed Ansible leaves anything running, and no SSH connection of Ansible's outlives its run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from labctl import errors, ports
from labctl.drivers import ansible_layout, ssh_checks
from labctl.model.plan import Plan

_KEPT = ("PATH", "TZ", "TMPDIR", "SSL_CERT_FILE")
"""What Ansible gets of our environment. Settings may hold passwords (a database's URL) and stay here."""


@dataclass
class _Heard:
    """What the process has said so far."""

    failed: list[dict[str, Any]] = field(default_factory=list)
    unreachable: list[dict[str, Any]] = field(default_factory=list)
    timeout: int | None = None
    end: dict[str, Any] | None = None


def play(work: Path, plan: Plan, run: ansible_layout.Run, progress: ports.Progress) -> None:
    """Run what lies in `work` to its end. Raises PlayFailed, Unreachable, or TemporaryError when the process itself died."""
    heard = _Heard()
    titles = {number: step.title or step.what for number, step in run.steps}
    with (work / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            _command(work), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=_environment(work), cwd=work
        )
        try:
            assert process.stdout is not None
            for event in _events(process.stdout):
                _note(event, heard, titles, plan, progress)
            process.wait()
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
    _judge(heard, titles, plan, work)


def _command(work: Path) -> list[str]:
    command = [sys.executable, "-m", "labctl.drivers.ansible_process", str(work)]
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    return ["setpriv", "--pdeathsig", "KILL", "unshare", *user, "--pid", "--fork", "--kill-child=KILL", *command]


def _environment(work: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # ansible-playbook is installed beside the Python that runs us.
    path = f"{Path(sys.executable).parent}:{kept.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}"
    ansible = {
        "ANSIBLE_CONFIG": str(work / "ansible.cfg"),
        "ANSIBLE_HOME": str(work / "home"),
        "ANSIBLE_LOCAL_TEMP": str(work / "home" / "tmp"),
        "HOME": str(work / "home"),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    return kept | {"PATH": path} | ansible


def _events(stdout: IO[bytes]) -> Iterator[dict[str, Any]]:
    for line in stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # cut off by a kill; the missing end tells
        if isinstance(event, dict):
            yield event


def _note(event: dict[str, Any], heard: _Heard, titles: dict[int, str], plan: Plan, progress: ports.Progress) -> None:
    match event.get("event"):
        case "step":
            progress(f"step {event['step']}: {titles.get(event['step'], '')}")
        case "task":
            progress(f"{event['host']}: {ssh_checks.mask(str(event['task']), plan)} ({event['seconds']} s)")
        case "failed":
            heard.failed.append(event)
        case "unreachable":
            heard.unreachable.append(event)
        case "timeout":
            heard.timeout = event["step"]
        case "end":
            heard.end = event


LOST_WORKER = "worker was found in a dead state"
"""What ansible-core 2.19 says when one of its own forks was killed (out of memory, say): no fault of the play, so tried again."""


def _judge(heard: _Heard, titles: dict[int, str], plan: Plan, work: Path) -> None:
    """A failure that the play itself rescued is none: Ansible's own status decides."""
    if heard.timeout is not None:
        raise errors.PlayFailed(f"step {heard.timeout} ({titles.get(heard.timeout, '')}) took longer than its timeout")
    if heard.end is None:
        tail = (work / "stderr").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        reason = ssh_checks.mask(tail[0][:300], plan) if tail else "it was killed"
        raise errors.TemporaryError(f"Ansible ended before its work was done ({reason})")
    if heard.end["status"] == "successful":
        return
    if heard.failed:
        first = heard.failed[0]
        more = f" (and {len(heard.failed) - 1} more)" if len(heard.failed) > 1 else ""
        text = " ".join(ssh_checks.mask(str(first["text"]), plan).split())
        failed = errors.PlayFailed(f"{first['host']}: task '{ssh_checks.mask(str(first['task']), plan)}': {text}{more}")
        failed.machine = str(first["host"])
        raise failed
    if heard.unreachable:
        first = heard.unreachable[0]
        text = " ".join(ssh_checks.mask(str(first["text"]), plan).split())
        away = errors.Unreachable(f"{first['host']}: Ansible cannot reach it: {text}")
        away.machine = str(first["host"])
        raise away
    said = " ".join(ssh_checks.mask(str(heard.end.get("text", "")), plan).split())
    if LOST_WORKER in said or heard.end["rc"] is None:
        raise errors.TemporaryError(f"Ansible ended before its work was done ({said or 'it was killed'})")
    raise errors.PlayFailed(f"Ansible could not run the steps: {said or heard.end['status']}")
