"""Class `monday` with two ready seats, their machines (OpenSSH servers on loopback addresses of the management range) and a real API on
a real database. Only the cluster is a fake: what it says it made are those servers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import uvicorn

from api import __main__ as api_main
from api import app
from labctl import settings, wiring
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


class World:
    """See the module. Worlds of more than that say so in `blueprint` and `settings`."""

    settings: Mapping[str, object] = MappingProxyType({})

    def __init__(self, tmp_path: Path, blueprint: str = BLUEPRINT) -> None:
        folder = tmp_path / "blueprints" / "hello"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "blueprint.yaml").write_text(blueprint)
        template = site.Template(node="sandbox", vmid=9001)
        place = site.Site(
            cluster=site.Cluster(secret_file="/nowhere", ca_file="/nowhere"),
            vmid_base=0,
            management="127.64.0.0/16",
            images={"debian-12": site.Image(vm=(template,), container=(template,))},
        )
        self.folder = tmp_path
        self.guest_port = sshd_here.free_port()
        self.clock = fakes.SetClock(datetime.now(UTC))
        script, cluster = fakes.Script(), fakes.Cluster()
        self.authority = ssh_ca.Authority(tmp_path / "home" / "secrets")
        self.wiring = wiring.Wiring(
            settings.Settings(home=tmp_path / "home", blueprints=[tmp_path / "blueprints"], **self.settings),
            clock=self.clock,
            bell=fakes.CountingBell(),
            site=place,
            keys=self.authority,
            provisioner=fakes.FakeProvisioner(cluster, script),
            wire=fakes.FakeWire(cluster, script),
            configurator=fakes.FakeConfigurator(cluster, script),
            prober=fakes.FakeProber(cluster, script),
            guest_port=self.guest_port,
            **self.given(),
        )
        self.wiring.desk.open("hello", ROSTER.encode(), slug="monday", trainer="eva")
        self.settle()
        # Sshd reads its files as the learner, who cannot search pytest's own folder.
        self.ground = Path(tempfile.mkdtemp(prefix="labctl-door-", dir="/var/tmp"))
        self.ground.chmod(0o755)
        self.sshd = self._machine(1)
        self.other = self._machine(2)
        self.api = Api(app.create(self.wiring))

    def given(self) -> dict[str, Any]:
        """What else stands for the outside."""
        return {}

    def settle(self) -> None:
        while [env for env in self.wiring.environments.environments() if self.wiring.runner.turn(env.id)]:
            pass

    def way(self, seat: int = 1) -> passage.Way:
        _, env = self.wiring.desk.seat("monday", seat)
        return self.wiring.entering.way(self.wiring.environments.plan(env.id).principal)

    def imposter(self, seat: int) -> None:
        """Somebody else's sshd at a seat's address: its host certificate is by another authority."""
        stranger = ssh_ca.Authority(self.folder / "stranger")
        _, env = self.wiring.desk.seat("monday", seat)
        plan = self.wiring.environments.plan(env.id)
        self.sshd = sshd_here.SshdHere(self.ground / "imposter", self.authority, plan=plan, port=self.guest_port, certify_by=stranger)

    @contextlib.contextmanager
    def greeting(self, seat: int, says: bytes) -> Iterator[None]:
        """Something at a seat's address that says this to whoever comes, and nothing more."""
        _, env = self.wiring.desk.seat("monday", seat)
        kept = []

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])
                    with contextlib.suppress(OSError):
                        kept[-1].sendall(says)

        with socket.create_server((env.facts.machines[0].address, self.guest_port)) as listener:
            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            yield
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)
        for one in kept:
            one.close()

    def without_tmux(self, seat: int) -> None:
        """The seat's machine begins anew as one that has a shell and a few programs only."""
        programs = self.ground / "bin"
        programs.mkdir()
        for name in ("sh", "bash", "id", "stty", "cat", "seq", "head", "yes"):
            (programs / name).symlink_to(shutil.which(name) or name)
        self.other.close()
        self.other = self._machine(seat, f"PATH={programs}")

    def _machine(self, seat: int, more: str = "") -> sshd_here.SshdHere:
        _, env = self.wiring.desk.seat("monday", seat)
        # Both machines are this one, so what their tmux keeps stands in folders of their own.
        sockets = self.ground / f"tmux{seat}"
        sockets.mkdir(mode=0o700, exist_ok=True)
        os.chown(sockets, 2201, 2201)
        plan = self.wiring.environments.plan(env.id)
        lines = [f"SetEnv TMUX_TMPDIR={sockets} {more}"]
        # As is what their desktops keep below /run.
        desktops = self.ground / f"desktops{seat}"
        desktops.mkdir(exist_ok=True)
        return sshd_here.SshdHere(
            self.ground / f"box{seat}", self.authority, plan=plan, port=self.guest_port, lines=lines, desktops=desktops
        )

    def stop_tmux(self) -> None:
        """Of both machines; what ran in it ends too."""
        for sockets in self.ground.glob("tmux*/tmux-2201/labctl"):
            subprocess.run(["tmux", "-S", sockets, "kill-server"], check=False, capture_output=True)
            # On its way out it still takes connections, and ends them: the next terminal would be over before it began.
            wait_for(lambda sockets=sockets: not _listened_at(sockets))

    def close(self) -> None:
        self.api.close()
        self.sshd.close()
        self.other.close()
        self.stop_tmux()
        self.wiring.database.dispose()
        # Shells of learners who were in just now end on their own time, and take their files with them.
        wait_for(lambda: _gone(self.ground))


def _gone(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


class Api:
    """The app behind a real listener."""

    def __init__(self, made, port: int = 0) -> None:
        self.made = made
        self.port = port or sshd_here.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            made,
            host="127.0.0.1",
            port=self.port,
            log_level="error",
            lifespan="off",
            timeout_graceful_shutdown=1,
            **api_main.SOCKETS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(60)


def wait_for(look, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.02)


def _listened_at(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(place)) == 0


def fixtures(make: Callable[[Path], Any]) -> tuple[Any, Any, Any]:
    """`shared_world` (for a module), `world` (the same, tidied after each test), and `own_world`, for tests that end leases, reset seats
    or stop what the others need. `make` is given a folder; what it makes has `tidy` and `close`.
    """

    @pytest.fixture(scope="module")
    def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
        made = make(tmp_path_factory.mktemp("world"))
        yield made
        made.close()

    @pytest.fixture
    def world(shared_world: Any) -> Iterator[Any]:
        yield shared_world
        shared_world.tidy()

    @pytest.fixture
    def own_world(tmp_path: Path) -> Iterator[Any]:
        made = make(tmp_path)
        yield made
        made.close()

    return shared_world, world, own_world
