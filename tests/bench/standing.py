"""A class that stands, for benches of what people do in it: its rows are written through the stores, as labctl's own parts write them, and
labctl's real API runs on them as a process. What a seat's machine would be is an OpenSSH server on a loopback address.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import psutil

from labctl import ports, settings, wiring
from labctl.model import people
from labctl.model.environment import Machine, State
from tests import fakes
from tests.bench.house import REPOSITORY
from tests.free_ports import free_port

HOLD = timedelta(minutes=5)


@dataclass
class Seat:
    """One that stands. `secret` is the session of the learner who sits there, where asked for."""

    number: int
    environment: str
    principal: str
    address: str = "127.0.0.1"
    secret: str = ""


class Standing:
    """A home with its API process. Use as a context manager."""

    def __init__(self, name: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix=f"labctl-{name}-", dir="/var/tmp"))
        self.home.chmod(0o755)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        chosen = settings.Settings(home=self.home, api_port=self.port, door_port=free_port(), blueprints=[self.home / "blueprints"])
        self.wired = wiring.Wiring(chosen)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("LABCTL_")} | {
            "LABCTL_HOME": str(self.home),
            "LABCTL_API_PORT": str(self.port),
        }
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def seats(self, slug: str, number: int, *, addresses: Sequence[str] = ("127.0.0.1",), sitting: bool = False) -> list[Seat]:
        """A class of that many ready seats, spread over these addresses; with `sitting`, each learner is signed in."""
        store, now = self.wired.database, datetime.now(UTC)
        room = fakes.classroom(number, slug=slug, now=now - timedelta(minutes=10))
        made = fakes.plans_for(room)

        def plans(plots: Sequence[int]):
            return [
                replace_model(one, principal=f"seat-{slug}-{one.seat.number}-{one.environment}", access=("terminal",))
                for one in made(plots)
            ]

        store.open(room, plans, range(1, 20_000))
        found = []
        for place, seat in enumerate(room.seats):
            address = addresses[place % len(addresses)]
            self._stand(seat.environment, address)
            found.append(Seat(seat.number, seat.environment, f"seat-{slug}-{seat.number}-{seat.environment}", address))
            if sitting:
                sits = people.Sitting(slug, seat.number, f"Learner {seat.number}")
                store.sit(sits)
                found[-1].secret = store.begin_session(now + timedelta(hours=8), sitting=sits)
        return found

    def _stand(self, environment: str, address: str) -> None:
        store = self.wired.database
        claim = store.claim(environment, "bench", HOLD)
        assert claim is not None
        before = store.environment(environment)
        machine = Machine(name="box", vmid=100_000 + before.plot * 32 + 1, node="sandbox", kind="container", address=address, mac="")
        store.settle(claim, replace(before.facts, state=State.READY, round=before.wishes.round, machines=(machine,)))
        store.release(claim)
        store.write(environment, "prove", "done after 3.1 s", "labctl")

    def token(self, name: str, role: str) -> str:
        """A bearer token's secret."""
        return self.wired.tokens.create(ports.Token(name, role))

    def start(self, what: str, *words: str, ready: str | int) -> psutil.Process:
        """One of labctl's processes (`python -m what`), once `ready` answers: an address, or a port on loopback."""
        command = [sys.executable, "-m", what, *words]
        with (self.home / f"{what}.log").open("a") as log:
            child = subprocess.Popen(command, env=self.environment, cwd=REPOSITORY, stdout=log, stderr=log)
        self._children[child.pid] = child
        end = time.monotonic() + 120
        while not _answers(ready):
            if child.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.home / f"{what}.log").read_text()[-2000:])
            time.sleep(0.1)
        return psutil.Process(child.pid)

    def __enter__(self) -> Self:
        return self

    def begin(self) -> psutil.Process:
        """Start the API."""
        return self.start("api", ready=f"{self.url}/api/v1/health")

    def stop(self, process: psutil.Process) -> None:
        """End it before its time."""
        _end(self._children.pop(process.pid))

    def __exit__(self, *_: object) -> None:
        for child in self._children.values():
            _end(child)
        self.wired.database.dispose()
        shutil.rmtree(self.home, ignore_errors=True)


def replace_model(plan, *, principal: str, access: tuple[str, ...]):
    """The plan with that principal, and machines that may be entered so."""
    machines = tuple(one.model_copy(update={"access": access}) for one in plan.machines)
    return plan.model_copy(update={"principal": principal, "machines": machines})


def cpu(process: psutil.Process) -> float:
    """CPU seconds of that process and its living children."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def memory(process: psutil.Process) -> float:
    """MiB (PSS) of that process and its children."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += one.memory_full_info().pss
    return total / 2**20


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def load() -> str:
    """How busy this machine is, to stand beside each figure."""
    return "load " + " ".join(f"{one:.1f}" for one in os.getloadavg())


def listens(host: str, port: int) -> bool:
    """Whether somebody answers there at all."""
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def _answers(ready: str | int) -> bool:
    if isinstance(ready, int):
        return listens("127.0.0.1", ready)
    try:
        with urllib.request.urlopen(ready, timeout=2):
            return True
    except OSError:
        return False


def _end(child: subprocess.Popen) -> None:
    child.terminate()
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
