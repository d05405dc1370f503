"""Proxmox and SSH with nothing of labctl around them: what floors and other people's ways are made of.

Plain requests with the site's own token, plain OpenSSH with the deploy key. A guest's host key is read once with `ssh-keyscan` on the
management network, where nobody else can answer, and is checked from then on.
"""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from labctl.drivers import shelf
from labctl.model import planning
from labctl.model.plan import Plan, SeatRef
from labctl.model.site import Site
from tests.bench.house import REPOSITORY, House

BOOT_SECONDS = 120.0
"""How long a started guest may take until it lets somebody in."""

IDLE_SECONDS = 4.0
"""Proxmox ends a connection that was idle for 5 s (`proxmox-truth.md` 3.1), just when the next call may be on its way."""


class Api:
    """The Proxmox API by plain requests; one session a thread."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._local = threading.local()

    def call(self, method: str, path: str, **parameters: object) -> Any:
        """The answer's `data`. Raises RuntimeError with what Proxmox said."""
        url = f"{self._site.cluster.url}/api2/json{path}"
        form: dict[str, Any] = {"data": parameters} if method in ("POST", "PUT") else {"params": parameters}
        answer = self._session().request(method, url, timeout=60, **form)
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.reason} {answer.text}")
        return answer.json()["data"]

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None or time.monotonic() - self._local.used > IDLE_SECONDS:
            session = self._local.session = requests.Session()
            session.trust_env = False  # else REQUESTS_CA_BUNDLE would win over the node's own CA
            session.verify = self._site.cluster.ca_file
            secret = Path(self._site.cluster.secret_file).read_text().strip()
            session.headers["Authorization"] = f"PVEAPIToken={self._site.cluster.user}!{self._site.cluster.token}={secret}"
        self._local.used = time.monotonic()
        return session

    def finish(self, upid: Any) -> None:
        """Wait for a task. Raises RuntimeError unless it ended well."""
        node = str(upid).split(":")[1]
        path = f"/nodes/{node}/tasks/{urllib.parse.quote(str(upid), safe=':')}/status"
        while (status := self.call("GET", path))["status"] != "stopped":
            time.sleep(0.03)
        if status["exitstatus"] != "OK":
            raise RuntimeError(f"{upid}: {status['exitstatus']}")


def banner(address: str, deadline: float = BOOT_SECONDS) -> None:
    """Until sshd says its name."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        # A short time-out: a dial before the card is up would otherwise cost a whole retransmission second (`access.md` 1.1).
        with contextlib.suppress(OSError), socket.create_connection((address, 22), timeout=0.2) as dialled:
            dialled.settimeout(5)
            if dialled.recv(4) == b"SSH-":
                return
        time.sleep(0.02)
    raise RuntimeError(f"no SSH banner from {address}")


def know(addresses: Sequence[str], known_hosts: Path) -> None:
    """Read the host keys of running guests into a known_hosts file."""
    scanned = subprocess.run(["ssh-keyscan", "-t", "ed25519", *addresses], capture_output=True, text=True, check=True, timeout=60)
    lines = [line for line in scanned.stdout.splitlines() if line and not line.startswith("#")]
    if len(lines) < len(addresses):
        raise RuntimeError(f"{len(addresses) - len(lines)} of {len(addresses)} guests showed no host key")
    known_hosts.write_text("\n".join(lines) + "\n")


def login(address: str, key: Path, known_hosts: Path, deadline: float = BOOT_SECONDS) -> None:
    """Until `ssh labctl@address true` ends well."""
    end = time.monotonic() + deadline
    options = ("-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known_hosts}", "-o", "StrictHostKeyChecking=yes")
    said = "it never answered"
    while time.monotonic() < end:
        banner(address, max(0.1, end - time.monotonic()))
        command = ["ssh", *options, "-i", str(key), f"labctl@{address}", "true"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            return
        said = done.stderr.strip()[-200:]
        time.sleep(0.1)
    raise RuntimeError(f"no login at {address}: {said}")


def plans(house: House, site: Site, blueprint: str, learners: int, word: str) -> list[Plan]:
    """The plans of a class of that many learners, on plots that labctl does not use meanwhile; `word` (at most five letters) marks them."""
    book, _ = shelf.Shelf((REPOSITORY / "blueprints",), house.home / "shelf").read(blueprint)
    return [
        planning.plan(
            book,
            site,
            environment=f"{word}{plot:05d}",
            plot=plot,
            classroom=word,
            seat=SeatRef(number=number, name=f"Learner {number}", login=f"learner{number}"),
            source=f"{blueprint}@{word}",
            values=planning.draw(book, {}, random.SystemRandom()),
        )
        for number, plot in enumerate(site.plots[-learners:], 1)
    ]
