"""A real door before a real API, with OpenSSH as clients and OpenSSH servers as the seats' machines (`tests.world_here`)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

from labctl import ports
from labctl.door import __main__ as main
from labctl.door import asking, limits, server, watching
from labctl.drivers import ssh_ca
from tests import world_here
from tests.drivers import sshd_here
from tests.world_here import wait_for


class Doorway(world_here.World):
    """The world, and a door before it."""

    def __init__(self, tmp_path: Path, **caps) -> None:
        super().__init__(tmp_path)
        self.secret = self.wiring.tokens.create(ports.Token("door", "door"))
        self.caps = limits.Limits(**caps)
        self.door = Running(self)

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

    def ssh(self, *words: str, config: Path | None = None, stdin: str = "", timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = ["ssh", "-F", str(config or self.config()), *words]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)

    def relay(self, *words: str, code: str, user: str = "ada+box", program: str = "ssh", timeout: float = 300):
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
        super().close()


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
        self._thread.join(60)
        self._loop.close()


@pytest.fixture(scope="module")
def doorway(tmp_path_factory):
    made = Doorway(tmp_path_factory.mktemp("door"))
    yield made
    made.close()


@pytest.fixture
def own_doorway(tmp_path):
    """For tests that end leases, reset seats, or take the API away."""
    made = Doorway(tmp_path)
    yield made
    made.close()
