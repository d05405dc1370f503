"""A runner on a real store (SQLite), with the outside world faked."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from labctl import settings, wiring
from labctl.model import lifecycle
from labctl.model.environment import Environment, State, Step
from labctl.ports import Line
from tests import fakes


@dataclass
class World:
    """Everything a test looks at."""

    wired: wiring.Wiring
    clock: fakes.SetClock
    bell: fakes.CountingBell
    cluster: fakes.Cluster
    script: fakes.Script

    def open(self, seats: int = 1, **kind: object) -> list[str]:
        room = fakes.classroom(seats, now=self.clock.now(), **kind)  # type: ignore[arg-type]
        self.wired.classrooms.open(room, fakes.plans_for(room, ("web", "box")), range(1, 100))
        return [seat.environment for seat in room.seats]

    def env(self, environment: str) -> Environment:
        return self.wired.environments.environment(environment)

    def status(self, environment: str) -> lifecycle.Status:
        return lifecycle.status(self.env(environment), self.clock.now())

    def turn(self, environment: str) -> Step | None:
        return self.wired.runner.turn(environment)

    def run(self, environment: str, turns: int = 40) -> State:
        """Turn by turn, waiting out every retry, until nothing is due and nothing will be."""
        for _ in range(turns):
            if self.turn(environment) is None:
                trouble = self.env(environment).facts.trouble
                if trouble is None or trouble.retry_at is None:
                    return self.env(environment).facts.state
                self.clock.pass_(seconds=max(1.0, (trouble.retry_at - self.clock.now()).total_seconds()))
        raise AssertionError(f"no rest after {turns} turns: {self.env(environment).facts}")

    def journal(self, environment: str) -> list[str]:
        return [f"{line.step}: {line.text}" for line in self.lines(environment)]

    def lines(self, environment: str) -> tuple[Line, ...]:
        return self.wired.journal.read(environment=environment, limit=1000)


def fake_outside(cluster: fakes.Cluster, script: fakes.Script) -> dict[str, object]:
    """What stands for the outside world in a wiring."""
    return {
        "provisioner": fakes.FakeProvisioner(cluster, script),
        "wire": fakes.FakeWire(cluster, script),
        "configurator": fakes.FakeConfigurator(cluster, script),
        "prober": fakes.FakeProber(cluster, script),
        "shelf": fakes.FakeShelf(),
        "keys": fakes.FakeKeys(),
    }


@pytest.fixture
def world(tmp_path):
    clock, bell, cluster, script = fakes.SetClock(), fakes.CountingBell(), fakes.Cluster(), fakes.Script()
    chosen = settings.Settings(home=tmp_path)
    return World(wiring.Wiring(chosen, clock=clock, bell=bell, **fake_outside(cluster, script)), clock, bell, cluster, script)
