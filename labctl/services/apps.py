"""The proxy of web apps as a part of this machine: its account, the folder with what it may know, its token.

It opens its port and reads its folder, then becomes the account `labctl-apps`, which owns nothing and may gain nothing (`labctl.apps`).
Where apps have no addresses of their own there is no proxy, and pages show `ssh -L` instead.
"""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from labctl import settings as settings_
from labctl import wiring
from labctl.drivers import ssh_ca
from labctl.services import door, node, parts, processes

TOKEN = "apps"  # noqa: S105  (the name of the token, not the token)


def home(settings: settings_.Settings) -> Path:
    """What the proxy may know."""
    return settings.home / "apps"


def wanted(settings: settings_.Settings) -> bool:
    """Whether there is anything to look at, and an address for it."""
    return not node.paper(settings) and bool(settings.apps_site)


def furnish(settings: settings_.Settings, wired: wiring.Wiring) -> None:
    """The guests' authority and a token that is good. Repeatable."""
    folder = home(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    node.private(folder / "host_ca.pub", ssh_ca.Authority(settings.home / "secrets").host_authority() + "\n")
    door.token(folder / "token", wired, TOKEN, "apps")


def part(settings: settings_.Settings, wired: wiring.Wiring) -> processes.Part:
    """The process."""
    words = ["--home", str(home(settings)), "--listen", f"{settings.apps_host}:{settings.apps_own_port}", "--site", settings.apps_site]
    words += ["--api", f"http://{settings.api_host}:{settings.api_port}", "--account", wiring.APPS_ACCOUNT]
    for origin in origins(wired.origin):
        words += ["--labctl", origin]
    return processes.Part(
        "apps",
        [sys.executable, "-m", "labctl.apps", *words],
        ready=lambda: parts.answers("127.0.0.1" if settings.apps_host == "0.0.0.0" else settings.apps_host, settings.apps_own_port),
        env={"PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"},
        grace=parts.GRACE["apps"],
    )


def origins(own: str) -> tuple[str, ...]:
    """Of labctl's own pages; on this machine browsers know them by two names."""
    found = urlsplit(own)
    if found.hostname not in {"localhost", "127.0.0.1"}:
        return (own,)
    port = f":{found.port}" if found.port else ""
    return (own, *(other for name in ("localhost", "127.0.0.1") if (other := f"{found.scheme}://{name}{port}") != own))
