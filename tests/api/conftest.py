"""A real app on a real database, shelf, planner, desk and runner; only what is outside labctl is a fake."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from api import app
from labctl import ports, settings, wiring
from labctl.drivers import ssh_ca
from labctl.model import site
from tests import fakes

BLUEPRINT = """\
labctl: 1
about: {title: First steps in a shell, area: systems}
machines:
  box: {image: debian-12, kind: container}
variables: {word: {value: lighthouse}}
ready:
  - {run: "test -d /home/learner"}
tasks:
  - id: look
    title: What is the word?
    points: 5
    answer: ${lab.word}
    attempts: 3
    explain: It shines.
    hints: [{text: Look at the sea, cost: 2}]
  - {id: file, title: Make the file, points: 10, checks: [{file: /home/learner/hello}], solve: [{run: touch hello, as: learner}]}
  - {id: quiz, title: Which are ports?, choices: [{text: 22, right: true}, {text: 443, right: true}, {text: 70000}], requires: [look]}
  - {id: read, title: I read it, confirm: true, optional: true, points: 0}
"""
GUIDE = """\
---
title: Look around
minutes: 10
---
Hello **${lab.seat.login}**.

![A tree](img/tree.svg)

```run box
ls <home>
```

:::hint Where am I?
Ask `pwd`.
:::

:::task look
:::

:::task file
:::
"""
TREE = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M4 8V0"/></svg>'
ROSTER = "name,email\nAda Lovelace,ada@example.org\nGrace Hopper,grace@example.org\n"


class House:
    """The app, a client for each role, and a hand that turns the runner."""

    def __init__(self, tmp_path):
        folder = tmp_path / "blueprints" / "hello"
        folder.mkdir(parents=True)
        (folder / "blueprint.yaml").write_text(BLUEPRINT)
        (folder / "guide" / "img").mkdir(parents=True)
        (folder / "guide" / "img" / "tree.svg").write_text(TREE)
        (folder / "guide" / "01-begin.md").write_text(GUIDE)
        (folder / "guide" / "02-end.md").write_text("# The end\n\nWell done, ${lab.seat.name}.\n")
        broken = tmp_path / "blueprints" / "broken"
        broken.mkdir()
        (broken / "blueprint.yaml").write_text("labctl: 1\nabout: {title: No machines, area: cooking}\n")
        template = site.Template(node="sandbox", vmid=9001)
        place = site.Site(
            # The fake wire reads a plot from a VMID, as if the range began at 0.
            cluster=site.Cluster(secret_file="/nowhere", ca_file="/nowhere"),
            vmid_base=0,
            images={"debian-12": site.Image(vm=(template,), container=(template,))},
        )
        self.clock = fakes.SetClock()
        self.bell = fakes.CountingBell()
        self.script = fakes.Script()
        self.cluster = fakes.Cluster()
        self.examiner = fakes.FakeExaminer()
        outside = {
            "provisioner": fakes.FakeProvisioner(self.cluster, self.script),
            "wire": fakes.FakeWire(self.cluster, self.script),
            "configurator": fakes.FakeConfigurator(self.cluster, self.script),
            "prober": fakes.FakeProber(self.cluster, self.script),
            "examiner": self.examiner,
            "hands": fakes.OwnHands(),
        }
        chosen = settings.Settings(home=tmp_path / "home", blueprints=[tmp_path / "blueprints"])
        self.wiring = wiring.Wiring(
            chosen, clock=self.clock, bell=self.bell, site=place, keys=ssh_ca.Authority(tmp_path / "home" / "secrets"), **outside
        )
        self.app = app.create(self.wiring)
        self.secrets = {role: self.wiring.tokens.create(ports.Token(role, role)) for role in ("trainer", "it")}

    def client(self, role=None):
        """A client with that role's token. Errors of the app come back as answers, as they do over a socket."""
        headers = {"Authorization": f"Bearer {self.secrets[role]}"} if role else {}
        return TestClient(self.app, headers=headers, raise_server_exceptions=False)

    def open(self, slug="monday"):
        """A class of two."""
        answer = self.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": slug, "roster": ROSTER})
        assert answer.status_code == 202, answer.text
        return answer

    def learner(self, slug="monday", seat=1):
        """A client for the learner on that seat."""
        env = self.wiring.desk.seat(slug, seat)[1].id
        self.secrets[f"learner-{slug}-{seat}"] = self.wiring.tokens.create(ports.Token(f"learner-{slug}-{seat}", "learner", env))
        return self.client(f"learner-{slug}-{seat}")

    def settle(self):
        """Do what is due until nothing is."""
        while due := [env.id for env in self.wiring.environments.environments() if self.wiring.runner.turn(env.id)]:
            assert due

    def pass_(self, **span):
        self.clock.pass_(**span)


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.wiring.database.dispose()


HOUR = timedelta(hours=1)
