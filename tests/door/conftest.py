"""A real door before a real API on a real database, with OpenSSH as clients and OpenSSH servers as the seats' machines.

Only the cluster is a fake: what it says it made are those servers, on loopback addresses of the management range.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from api import app
from labctl import ports, settings, wiring
from labctl.door import __main__ as main
from labctl.door import asking, limits, server, watching
from labctl.drivers import ssh_ca
from labctl.model import passage, site
from tests import fakes
from tests.drivers import sshd_here

BLUEPRINT = """\
labctl: 1
about: {title: First steps in a shell, area: systems}
machines:
  box: {image: debian-12, kind: container, access: [terminal]}
  hidden: {image: debian-12, kind: container, access: []}
ready:
  - {run: "true", machine: box}
"""
ROSTER = "name,email,login\nAda Lovelace,ada@example.org,ada\nGrace Hopper,grace@example.org,grace\n"


class Doorway:
    """Class `monday` with two ready seats, their machines, an API and a door."""

    def __init__(self, tmp_path: Path, **caps) -> None:
        folder = tmp_path / "blueprints" / "hello"
        folder.mkdir(parents=True)
        (folder / "blueprint.yaml").write_text(BLUEPRINT)
        template = site.Template(node="sandbox", vmid=9001)
        place = site.Site(
            cluster=site.Cluster(secret_file="/nowhere", ca_file="/nowhere"),
            vmid_base=0,
            management="127.64.0.0/16",
            images={"debian-12": site.Image(vm=(template,), container=(template,))},
        )
        self.folder = tmp_path
        self.clock = fakes.SetClock(datetime.now(UTC))
        script, cluster = fakes.Script(), fakes.Cluster()
        self.authority = ssh_ca.Authority(tmp_path / "home" / "secrets")
        self.wiring = wiring.Wiring(
            settings.Settings(home=tmp_path / "home", blueprints=[tmp_path / "blueprints"]),
            clock=self.clock,
            bell=fakes.CountingBell(),
            site=place,
            keys=self.authority,
            provisioner=fakes.FakeProvisioner(cluster, script),
            wire=fakes.FakeWire(cluster, script),
            configurator=fakes.FakeConfigurator(cluster, script),
            prober=fakes.FakeProber(cluster, script),
        )
        self.wiring.desk.open("hello", ROSTER.encode(), slug="monday", trainer="eva")
        self.settle()
        # Sshd reads its files as the learner, who cannot search pytest's own folder.
        self.ground = Path(tempfile.mkdtemp(prefix="labctl-door-", dir="/var/tmp"))
        self.ground.chmod(0o755)
        self.sshd = self._machine(1)
        self.other = self._machine(2, port=self.sshd.port)
        self.api = Api(app.create(self.wiring))
        self.secret = self.wiring.tokens.create(ports.Token("door", "door"))
        self.caps = limits.Limits(**caps)
        self.door = Running(self)

    def settle(self) -> None:
        while [env for env in self.wiring.environments.environments() if self.wiring.runner.turn(env.id)]:
            pass

    def way(self, seat: int = 1) -> passage.Way:
        _, env = self.wiring.desk.seat("monday", seat)
        return self.wiring.entering.way(self.wiring.environments.plan(env.id).principal)

    def _machine(self, seat: int, port: int = 0) -> sshd_here.SshdHere:
        _, env = self.wiring.desk.seat("monday", seat)
        return sshd_here.SshdHere(self.ground / f"box{seat}", self.authority, plan=self.wiring.environments.plan(env.id), port=port)

    def code(self, seat: int = 1) -> str:
        return self.wiring.entering.new_code("monday", seat, who="test")[0]

    def config(self, seat: int = 1, *, until: datetime | None = None, authority: Path | None = None) -> Path:
        """What a learner's bundle will be: jump by certificate."""
        _, env = self.wiring.desk.seat("monday", seat)
        plan = self.wiring.environments.plan(env.id)
        folder = self.folder / f"bundle{seat}-{time.monotonic_ns()}"
        secrets = authority or self.folder / "home" / "secrets"
        made = ssh_ca.Authority(secrets, ssh_ca.DoorAddress("127.0.0.1", self.door.port, self.door.host_name))
        bundle = made.bundle(plan, env.facts.machines, until or env.wishes.lease.ends)
        return ssh_ca.write_bundle(bundle, folder)

    def ssh(self, *words: str, config: Path | None = None, stdin: str = "", timeout: float = 30) -> subprocess.CompletedProcess[str]:
        command = ["ssh", "-F", str(config or self.config()), *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)

    def relay(self, *words: str, code: str, user: str = "ada+box", program: str = "ssh", timeout: float = 30):
        """OpenSSH asking for a code; an askpass program types it."""
        folder = self.folder / f"relay-{time.monotonic_ns()}"
        folder.mkdir()
        ask = folder / "ask"
        ask.write_text(f"#!{sys.executable}\nprint(open({str(folder / 'code')!r}).read())\n")
        ask.chmod(0o700)
        (folder / "code").write_text(code)
        known = folder / "known_hosts"
        known.write_text(f"@cert-authority {self.door.host_name} {self.authority.host_authority()}\n")
        options = ["-F", "none", "-o", f"UserKnownHostsFile={known}", "-o", f"HostKeyAlias={self.door.host_name}"]
        options += [
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            f"Port={self.door.port}",
            "-o",
            f"User={user}",
            "-o",
            "NumberOfPasswordPrompts=6",
        ]
        environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none"}
        command = [program, *options, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)

    def close(self) -> None:
        self.door.close()
        self.api.close()
        self.sshd.close()
        self.other.close()
        self.wiring.database.dispose()
        shutil.rmtree(self.ground)


class Api:
    """The app behind a real listener."""

    def __init__(self, made) -> None:
        self.port = sshd_here.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(uvicorn.Config(made, host="127.0.0.1", port=self.port, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)


class Running:
    """The door, in a thread with a loop of its own."""

    def __init__(self, doorway: Doorway) -> None:
        self.port = sshd_here.free_port()
        self.host_name = "door.labctl.lab"
        self.house: server.House | None = None
        self._doorway = doorway
        self._home = doorway.folder / "door"
        doorway.authority.furnish_door(self._home, self.host_name)
        (self._home / "token").write_text(doorway.secret)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        wait_for(lambda: self.house is not None)

    async def _serve(self) -> None:
        doorway = self._doorway
        async with asking.Asking(doorway.api.url, doorway.secret) as asks:
            house = server.House(
                asks, doorway.authority.user_authority(), doorway.authority.host_authority(), doorway.caps, guest_port=doorway.sshd.port
            )
            acceptor = await main.listen(house, self._home, "127.0.0.1", self.port)
            self.house = house
            await watching.watch(house, self._stop)
            acceptor.close()
            for door in list(house.connections):
                door.end()
            await acceptor.wait_closed()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self._loop.close()


def wait_for(look, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def doorway(tmp_path_factory):
    made = Doorway(tmp_path_factory.mktemp("door"))
    yield made
    made.close()


@pytest.fixture
def own_doorway(tmp_path):
    """For tests that end leases, reset seats, or take the API away."""
    made = Doorway(tmp_path, guesses_of_login=4)
    yield made
    made.close()
