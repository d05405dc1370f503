"""The worker's side: one process for one life, which may be ended by kill -9 at any call it makes.

It does turn after turn until nothing is due any more, and lets the clock pass where labctl waits. Where a person must look, a person
asks again, as many times as `asks` allows.
"""

from __future__ import annotations

import json
import os
import signal
import traceback
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from infra.provisioner import Provisioner
from labctl import settings, wiring
from labctl.drivers import paper
from labctl.model.environment import Environment, State, Wishes
from labctl.model.site import Site
from tests import fakes
from tests.infra import node_plans

SPEED = 2000.0
TOO_LONG = 600
"""Seconds for one life."""
TURNS = 24
AT_ONCE = 1e-6
"""Seconds of patience: an error goes up at the first attempt, so that it is the runner that repeats the step."""


@dataclass
class Life:
    """What came of one life of a worker. `wrong` is an error nobody foresaw."""

    state: str = ""
    asked: int = 0
    troubles: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    clock: str = ""
    wrong: str = ""


def wired(home: Path, site: Site, now: datetime, patience: float) -> wiring.Wiring:
    """labctl on that home and cluster."""
    return wiring.Wiring(
        settings.Settings(home=home),
        clock=fakes.SetClock(now),
        bell=fakes.CountingBell(),
        site=site,
        provisioner=Provisioner(site, home / "state", "embedded", home / "passphrase", node_plans.KEY, patience=patience),
        wire=paper.Wire(),
        prober=paper.Prober(site, SPEED),
        configurator=paper.Configurator(SPEED),
        shelf=fakes.FakeShelf(),
        keys=fakes.FakeKeys(),
    )


def only(*arguments: Any) -> NoReturn:
    """The whole of a forked process, with an end of its own: too long a life is ended by the alarm."""
    signal.alarm(TOO_LONG)
    try:
        live(*arguments)
    finally:
        os._exit(0)


def live(home: Path, site: Site, environment: str, now: datetime, patience: float, asks: int, until: str = "") -> None:
    """Work until rest, or until that state ("ready") or step ("after reset") is reached, and write what came of it into `life.json`."""
    life = Life()
    try:
        _work(life, wired(home, site, now, patience), environment, asks, until)
    except Exception:
        life.wrong = traceback.format_exc()
    (home / "life.json").write_text(json.dumps(vars(life)))


def _work(life: Life, here: wiring.Wiring, environment: str, asks: int, until: str) -> None:
    clock: Any = here.clock
    for _ in range(TURNS):
        step = here.runner.turn(environment)
        env = here.environments.environment(environment)
        life.state, life.clock = env.facts.state.value, clock.now().isoformat()
        trouble = env.facts.trouble
        if step is not None:
            life.steps.append(step.value)
        if step is not None and trouble is not None and trouble.step is step:
            life.troubles.append(f"{step.value}: {trouble.reason}")
        if until and trouble is None and until in {life.state, f"after {step.value if step else ''}"}:
            return
        if step is not None:
            continue
        if trouble is not None and trouble.retry_at is not None:
            clock.pass_(seconds=max(1.0, (trouble.retry_at - clock.now()).total_seconds()))
        elif trouble is not None and env.facts.state is not State.GONE:
            if life.asked >= asks:
                return
            life.asked += 1
            here.classrooms.wish(environment, _again)
        else:
            return
    life.wrong = f"no rest after {TURNS} turns: {life.troubles[-3:]}"


def _again(wishes: Wishes) -> Wishes:
    """What retry and reset wish. An undo that failed stays one."""
    undo = wishes.round + 1 if wishes.undo == wishes.round else wishes.undo
    return replace(wishes, round=wishes.round + 1, undo=undo)


def later(moment: str, **span: float) -> datetime:
    """So long after that moment."""
    return datetime.fromisoformat(moment) + timedelta(**span)


def facts(env: Environment) -> dict[str, Any]:
    """What the store says of an environment, without moments and rounds."""
    return {
        "state": env.facts.state.value,
        "trouble": None if env.facts.trouble is None else env.facts.trouble.reason,
        "doing": env.facts.doing,
        "machines": [(one.name, one.vmid, one.node) for one in env.facts.machines],
        "hand": env.facts.hand == env.wishes.hand,
    }
