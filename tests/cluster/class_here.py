"""A class on a paper cluster: the real desk, runner, store, engine and provisioner, in this process, with a clock that is moved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from infra.provisioner import Provisioner
from labctl import settings, wiring
from labctl.drivers import paper
from labctl.model import lifecycle
from labctl.model.environment import Environment, State
from labctl.model.site import Site
from tests import fakes
from tests.infra import node_plans

PLAIN = """labctl: 1
about: {title: A box each, area: systems}
machines:
  box: {image: debian-12, kind: container}
"""
BAKED = (
    PLAIN
    + """configure:
  - {packages: [nginx]}
  - {write: /root/hello, content: "hello ${seat.name}", bake: false}
"""
)
SPEED = 400.0
_TURNS = 40


@dataclass
class ClassHere:
    """`go` does what is due until all is at rest."""

    wired: wiring.Wiring
    clock: fakes.SetClock
    bell: fakes.CountingBell

    def open(self, learners: int, **more: object) -> list[str]:
        """Ids of the seats' environments."""
        roster = "name,email\n" + "".join(f"Learner {one},l{one}@example.org\n" for one in range(1, learners + 1))
        room = self.wired.desk.open("course", roster.encode(), slug="monday", trainer="tess", **more)
        return [seat.environment for seat in room.seats]

    def env(self, environment: str) -> Environment:
        return self.wired.environments.environment(environment)

    def nodes(self, *environments: str) -> list[set[str]]:
        return [{machine.node for machine in self.env(one).facts.machines} for one in environments]

    def said(self, environment: str) -> str:
        return "\n".join(line.text for line in self.wired.journal.read(environment=environment, limit=1000))

    def turn(self, environment: str) -> None:
        """One step, if one is due."""
        self.wired.runner.turn(environment)

    def go(self, *environments: str, to: State = State.READY) -> None:
        """Until each of them is there; waits after trouble pass at once. Fails where one does not come to it."""
        for _ in range(_TURNS):
            left = [one for one in environments if not self._rests(one, to)]
            if not left:
                return
            for one in left:
                if lifecycle.next_step(self.env(one), self.clock.now()) is None:
                    self.clock.pass_(seconds=301)
                self.turn(one)
        raise AssertionError({one: (self.env(one).facts.state, self.said(one)[-600:]) for one in left})

    def _rests(self, environment: str, to: State) -> bool:
        env = self.env(environment)
        return env.facts.state is to and lifecycle.next_step(env, self.clock.now()) is None


def make(folder: Path, site: Site, blueprint: str) -> ClassHere:
    """One labctl for the cluster of that site, with one course on its shelf."""
    (folder / "blueprints" / "course").mkdir(parents=True)
    (folder / "blueprints" / "course" / "blueprint.yaml").write_text(blueprint)
    home = folder / "home"
    (home / "secrets").mkdir(parents=True)
    clock, bell = fakes.SetClock(), fakes.CountingBell()
    wired = wiring.Wiring(
        settings.Settings(home=home, blueprints=[folder / "blueprints"]),
        clock=clock,
        bell=bell,
        site=site,
        provisioner=Provisioner(site, home / "state", "embedded", home / "secrets" / "passphrase", node_plans.KEY, patience=1),
        wire=paper.Wire(),
        prober=paper.Prober(site, SPEED),
        configurator=paper.Configurator(SPEED),
        keys=paper.Keys(),
    )
    return ClassHere(wired, clock, bell)
