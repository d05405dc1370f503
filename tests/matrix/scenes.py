"""Where each step begins: a frozen world in which it is due, and what people wished so that it is.

One seat with a VM and a container on one network of its own: every kind of call that labctl makes occurs. `bake` is a set of golden
machines. Scenes that end GONE have to end as the world was before the class was opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from labctl.model import readiness
from labctl.model.environment import State, Wanted
from tests import fakes
from tests.infra import node_plans
from tests.matrix import child, forking
from tests.matrix.house import Frozen, House

ENVIRONMENT = "e000000003"
PLOT = 3


@dataclass(frozen=True)
class Scene:
    """`step` is the one that is tried; `until` the state before it; `prepare` what people and time do then; `rests` how it ends."""

    step: str
    until: str
    prepare: Callable[[House], None] | None = None
    rests: str = State.READY
    golden: bool = False


def _round(house: House, **more: object) -> None:
    house.wish(round=house.environment_().wishes.round + 1, **more)


def _reset(house: House) -> None:
    _round(house)


def _was_reset(house: House) -> None:
    """Reset once to the end, with what was there before kept."""
    _reset(house)
    _well(house)


def _undo(house: House) -> None:
    _was_reset(house)
    _round(house, undo=house.environment_().wishes.round + 1)


def _tidy(house: House) -> None:
    _was_reset(house)
    house.now = child.later(house.now.isoformat(), hours=2)


def _hand_over(house: House) -> None:
    _round(house, hand=house.environment_().wishes.hand + 1)


def _anew(house: House) -> None:
    """A reset of a machine that has no state to go back to: somebody deleted its snapshot."""
    guest = house.here.node.content["guests"][str(house.site.vmid_base + PLOT * 32 + 2)]
    with house.here.node.state.change():
        guest["snapshots"].clear()
        guest["config"].pop("parent", None)
    _reset(house)


def _resume(house: House) -> None:
    """A machine was found to be off."""
    env = house.environment_()
    house.here.node.runtime.stop(env.facts.machines[0].vmid)
    environments = house.wired().environments
    claim = environments.claim(env.id, "the watch", timedelta(minutes=1))
    assert claim is not None
    environments.settle(claim, readiness.noticed(env, env.facts.machines[0].name, "is switched off", house.now))
    environments.release(claim)


def _remove(house: House) -> None:
    house.wish(wanted=Wanted.GONE)


def _half_built(house: House) -> None:
    """To be removed while the build has come half-way: the clone of one machine failed."""
    house.here.wrong("{call: 'POST /nodes/*', do: refuse, nth: 2}")
    house.live(until=State.BUILT)
    house.here.follow()
    _remove(house)


SCENES: Mapping[str, Scene] = {
    "build": Scene("build", State.NEW),
    "configure": Scene("configure", State.BUILT),
    "prove": Scene("prove", State.CONFIGURED),
    "bake": Scene("bake", State.CONFIGURED, golden=True),
    "reset": Scene("reset", State.READY, _reset),
    "anew": Scene("reset", State.READY, _anew),
    "undo": Scene("reset", State.READY, _undo),
    "tidy": Scene("tidy", State.READY, _tidy),
    "resume": Scene("resume", State.READY, _resume),
    "hand_over": Scene("hand_over", State.READY, _hand_over),
    "remove": Scene("remove", State.READY, _remove, rests=State.GONE),
    "remove_half": Scene("remove", State.NEW, _half_built, rests=State.GONE),
    "remove_golden": Scene("remove", State.READY, _remove, rests=State.GONE, golden=True),
}


def _well(house: House, until: str = "") -> None:
    life = house.live(until=until)
    assert not life.wrong, life.wrong
    assert not life.troubles, life.troubles


def pristine(forks: forking.Forks) -> Frozen:
    """The world before anybody opened a class."""
    with House(forks) as house:
        house.wired().database.migrate()
        return house.freeze()


def begin(forks: forking.Forks, scene: Scene, before: Frozen) -> Frozen:
    """The world in which the scene's step is due."""
    with House(forks, before) as house:
        room = fakes.classroom(1, now=house.now, hours=1000)
        room = replace(room, golden=scene.golden, seats=(replace(room.seats[0], environment=ENVIRONMENT),))
        plan = node_plans.plan(house.site, PLOT, environment=ENVIRONMENT)
        house.wired().classrooms.open(room, lambda _plots: (plan,), range(PLOT, PLOT + 1))
        house.environment = ENVIRONMENT
        if scene.until != State.NEW:
            _well(house, scene.until)
        if scene.prepare is not None:
            scene.prepare(house)
        return house.freeze()
