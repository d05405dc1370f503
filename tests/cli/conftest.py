"""The command line as people run it: a process of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.free_ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
GOOD = """\
labctl: 1
about: {title: First steps in a shell, area: systems}
machines:
  box: {image: debian-12, kind: container}
ready:
  - {run: "test -d /home/learner"}
"""
ROSTER = "name,email\nAda Lovelace,ada@example.org\nGrace Hopper,grace@example.org\n"


def until(true, seconds=600):
    """Wait for what comes by itself; the limit is for the case that it never does."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.3)


class Shell:
    """A home, and `labctl` in it."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.api_port = free_port()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LABCTL_")}
        self.environment = clean | {
            "LABCTL_HOME": str(self.home),
            "LABCTL_API_PORT": str(self.api_port),
            "LABCTL_DOOR_PORT": str(free_port()),
            "LABCTL_APPS_PORT": str(free_port()),
            "LABCTL_SANDBOX_PORT": str(free_port()),
            "LABCTL_INSTALLATION": "clitests",
            "LABCTL_BLUEPRINTS": json.dumps([str(folder / "blueprints")]),
            "NO_COLOR": "1",
            "COLUMNS": "250",
        }
        self.write("blueprints/hello/blueprint.yaml", GOOD)
        self.roster = self.write("roster.csv", ROSTER)

    def write(self, path, text):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return str(file)

    def __call__(self, *words, **environment):
        return subprocess.run(
            [sys.executable, "-m", "labctl.cli", *words],
            env=self.environment | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def labctl(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def served(labctl):
    """With the API running on a store, but neither node nor worker: what does not need them works, the rest says so."""
    from labctl import ports, settings, wiring
    from labctl.drivers import shelf
    from labctl.model import site

    secret, ca = labctl.write("home/secrets/proxmox-token", "x"), labctl.write("home/ca.pem", "no certificate")
    template = site.Template(node="sandbox", vmid=9001)
    cluster = site.Cluster(url=f"https://127.0.0.1:{free_port()}", secret_file=secret, ca_file=ca)
    shelf.write_site(labctl.home / "site.yaml", site.Site(cluster=cluster, images={"debian-12": site.Image(container=(template,))}))
    wired = wiring.Wiring(settings.Settings(home=labctl.home))
    labctl.write("home/secrets/cli-token", wired.tokens.create(ports.Token("cli", "it")))
    wired.database.dispose()
    with (labctl.folder / "api.log").open("wb") as log:
        child = subprocess.Popen([sys.executable, "-m", "api"], env=labctl.environment, cwd=REPOSITORY, stdout=log, stderr=log)
    deadline = time.monotonic() + 300
    while True:
        try:
            socket.create_connection(("127.0.0.1", labctl.api_port), timeout=1).close()
            break
        except OSError:
            assert child.poll() is None, (labctl.folder / "api.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
    yield labctl
    child.terminate()
    child.wait(300)
