"""The SSH door as a part of this machine: its account, the folder with what it may know, its token.

The door opens its port and reads its folder, then becomes the account `labctl-door`, which owns nothing and may gain nothing
(`labctl.door`). Real guests only: nobody can log in to paper.
"""

from __future__ import annotations

import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from labctl import errors, ports, wiring
from labctl import settings as settings_
from labctl.drivers import ssh_ca
from labctl.services import node, parts, processes

TOKEN = "door"  # noqa: S105  (the name of the token, not the token)


def home(settings: settings_.Settings) -> Path:
    """What the door may know."""
    return settings.home / "door"


def wanted(settings: settings_.Settings) -> bool:
    """Whether there is anything to enter."""
    return not node.paper(settings)


def account(name: str = wiring.DOOR_ACCOUNT) -> pwd.struct_passwd:
    """Of a process that faces the outside; made where it is missing. Raises PermanentError."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pass
    words = ["--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", "--user-group"]
    program = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if program is None:
        raise errors.PermanentError(
            "there is no `useradd` to make the account of a process that faces the outside.", hint=f"Make a system account {name}."
        )
    done = subprocess.run([program, *words, name], capture_output=True, text=True, check=False)
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise errors.PermanentError(f"the account {name} could not be made: {done.stderr.strip()}") from None


def furnish(settings: settings_.Settings, wired: wiring.Wiring) -> None:
    """Host key, certificate, both authorities' public keys and a token that is good. Repeatable."""
    account()
    ssh_ca.Authority(settings.home / "secrets").furnish_door(home(settings), wired.door_address.name)
    token(home(settings) / "token", wired, TOKEN, "door")


def token(path: Path, wired: wiring.Wiring, name: str, role: str) -> None:
    """A token of that role in that file; a new one only where the old one is not good any more."""
    try:
        known = wired.tokens.check(path.read_text().strip())
    except FileNotFoundError:
        known = None
    if known is None or known.role != role:
        wired.tokens.revoke(name)
        node.private(path, wired.tokens.create(ports.Token(name, role)) + "\n")


def part(settings: settings_.Settings) -> processes.Part:
    """The process."""
    words = ["--home", str(home(settings)), "--listen", f"{settings.door_host}:{settings.door_port}"]
    words += ["--api", f"http://{settings.api_host}:{settings.api_port}", "--account", wiring.DOOR_ACCOUNT]
    return processes.Part(
        "door",
        [sys.executable, "-m", "labctl.door", *words],
        ready=lambda: parts.answers("127.0.0.1" if settings.door_host == "0.0.0.0" else settings.door_host, settings.door_port),
        env={"PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"},
        grace=parts.GRACE["door"],
    )
