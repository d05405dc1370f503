"""A worker killed -9 at any moment: a real process, a real database file. Whoever comes next finishes the work, and nothing is left."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from labctl import settings, wiring
from labctl.drivers import liveness
from labctl.model.environment import State, Step, Wanted
from labctl.model.lifecycle import Status
from tests import fakes
from tests.runner.conftest import World, fake_outside


@pytest.fixture
def lasting(tmp_path):
    """A world whose outside lasts when processes die."""
    clock, bell, script = fakes.SetClock(), fakes.CountingBell(), fakes.Script()
    cluster = fakes.Cluster(tmp_path / "cluster.json")
    wired = wiring.Wiring(settings.Settings(home=tmp_path), clock=clock, bell=bell, **fake_outside(cluster, script))
    world = World(wired, clock, bell, cluster, script)
    # Named before any fork: a killed child holds its claims as a worker of another machine would.
    assert world.wired.runner.holder == liveness.myself()
    return world


def in_a_child(act):
    """Do it in a process of its own. True when that process killed itself, False when it came to the end."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, -signal.SIGKILL), f"the child failed ({code})"
    return code != 0


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def gone(wishes):
    return replace(wishes, wanted=Wanted.GONE)


@pytest.mark.parametrize("verb", ["build", "open", "enrol", "configure", "mark_ready", "prove"])
def test_killed_in_the_middle_of_a_verb_it_is_finished_by_the_next(lasting, verb):
    (env,) = lasting.open()

    def until_it_dies():
        lasting.script.during[verb] = die
        lasting.run(env)

    assert in_a_child(until_it_dies)
    assert lasting.turn(env) is None, "the dead worker's claim still holds"
    assert lasting.wired.sweep() == ()
    lasting.clock.pass_(seconds=61)
    assert lasting.wired.sweep() == (env,)
    assert lasting.run(env) is State.READY
    assert lasting.status(env) is Status.READY


@pytest.mark.parametrize("verb", ["remove", "close"])
def test_killed_while_removing_everything_still_goes(lasting, verb):
    (env,) = lasting.open()
    lasting.run(env)
    lasting.wired.classrooms.wish(env, gone)

    def until_it_dies():
        lasting.script.during[verb] = die
        lasting.run(env)

    assert in_a_child(until_it_dies)
    lasting.clock.pass_(seconds=61)
    assert lasting.status(env) is Status.REMOVING
    assert lasting.run(env) is State.GONE
    assert lasting.cluster.crumbs() == []


def test_a_worker_seen_to_be_dead_is_not_waited_for(lasting):
    (env,) = lasting.open()
    here = lasting.wired.runner

    def until_it_dies():
        lasting.script.during["build"] = die
        replace(here, holder=liveness.myself()).turn(env)

    assert in_a_child(until_it_dies)
    assert lasting.env(env).facts.doing is Step.BUILD
    assert here.turn(env) is Step.BUILD


class Mortal:
    """The store, in a process that dies before or after its nth call."""

    def __init__(self, store, nth, *, after):
        self._store, self._left, self._after = store, nth, after

    def __getattr__(self, name):
        verb = getattr(self._store, name)

        def call(*args, **kwargs):
            self._left -= 1
            if self._left == 0 and not self._after:
                die()
            result = verb(*args, **kwargs)
            if self._left == 0:
                die()
            return result

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_touch_of_the_store_it_is_finished_by_the_next(lasting, after):
    store = lasting.wired.database
    deaths = 0
    for nth in range(1, 200):
        (env,) = lasting.open(slug=f"class{nth}")

        def whole_life(env=env, nth=nth):
            mortal = Mortal(store, nth, after=after)
            runner = lasting.wired.runner
            mine = replace(runner, kit=replace(runner.kit, environments=mortal), journal=mortal)
            while mine.turn(env) is not None:
                pass
            lasting.wired.classrooms.wish(env, gone)
            while mine.turn(env) is not None:
                pass

        died = in_a_child(whole_life)
        deaths += died
        lasting.clock.pass_(seconds=61)
        if lasting.env(env).wishes.wanted is Wanted.READY:
            assert lasting.run(env) is State.READY, f"call {nth}"
            assert lasting.status(env) is Status.READY
        lasting.wired.classrooms.wish(env, gone)
        assert lasting.run(env) is State.GONE, f"call {nth}"
        assert lasting.cluster.crumbs() == [], f"call {nth}"
        if not died:
            break
    assert deaths > 40
    assert not died, "it never came to the end"
