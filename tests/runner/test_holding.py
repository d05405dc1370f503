"""A claim is kept alive while a step runs, for as long as it runs, and a step nobody wants any more is cut short."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from labctl import errors, runner
from labctl.drivers import clock
from labctl.model.environment import State, Step, Wanted
from tests import fakes
from tests.runner.conftest import World, fake_outside

HOLD = timedelta(seconds=0.4)


def until(true, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def quick(tmp_path):
    """A world whose clock runs and whose claims are short."""
    from labctl import settings, wiring

    cluster, script, bell = fakes.Cluster(), fakes.Script(), fakes.CountingBell()
    wired = wiring.Wiring(settings.Settings(home=tmp_path), bell=bell, **fake_outside(cluster, script))
    kit, journal, timings = wired.kit, wired.journal, wired.timings
    wired.__dict__["runner"] = runner.Runner(
        kit=kit,
        journal=journal,
        bell=bell,
        clock=wired.clock,
        holder="me",
        hold=HOLD,
        goldens=wired.golden_rows,
        timings=timings,
        backlog=wired.backlog,
    )
    return World(wired, clock.SystemClock(), bell, cluster, script)


def test_a_step_longer_than_its_claim_keeps_the_claim(quick):
    (env,) = quick.open()
    others = []

    def slow():
        quick.script.during.clear()
        began = time.monotonic()
        while time.monotonic() - began < 4 * HOLD.total_seconds():
            others.append(quick.wired.environments.claim(env, "vulture", HOLD))
            time.sleep(0.02)

    quick.script.during["build"] = slow
    assert quick.turn(env) is Step.BUILD
    assert len(others) > 10
    assert set(others) == {None}
    assert quick.env(env).facts.state is State.BUILT


def test_ansible_is_cut_short_when_the_environment_is_to_be_gone(quick):
    (env,) = quick.open()
    quick.turn(env)
    seen = []

    def wished_away():
        quick.wired.classrooms.wish(env, lambda wishes: replace(wishes, wanted=Wanted.GONE))
        began = quick.wired.environments.environment(env)
        assert began.facts.doing is Step.CONFIGURE
        time.sleep(HOLD.total_seconds())  # the next renewal sees it; the play goes on meanwhile
        seen.append(True)

    quick.script.during["configure"] = wished_away
    quick.turn(env)
    assert seen
    assert quick.env(env).facts.trouble is None
    assert quick.env(env).facts.state is State.BUILT
    assert "configure: stopped: it is to be removed" in quick.journal(env)
    assert not [verb for verb, _ in quick.script.calls if verb == "mark_ready"]
    assert quick.bell.rung[-1] == env
    assert quick.run(env) is State.GONE
    assert quick.cluster.crumbs() == []


def test_a_step_that_lost_its_claim_stops_at_the_next_line(quick):
    (env,) = quick.open()

    def stolen():
        quick.script.during.clear()
        taken = threading.Event()
        environments = quick.wired.environments
        # What a long stand-still of this process leads to: the claim ran out and somebody else took it.
        claim = environments.claim(env, environments_holder(quick, env), HOLD)
        assert claim is not None
        taken.wait(HOLD.total_seconds())

    quick.script.during["build"] = stolen
    assert quick.turn(env) is None
    assert [verb for verb, _ in quick.script.calls] == ["build"], "the second machine was begun after the claim was lost"


def environments_holder(world, env):
    """The name under which the running turn holds its claim, so that the store lets us supersede it."""
    import sqlalchemy as sa

    from labctl.drivers.database.tables import environments

    with world.wired.database._connection.reading() as connection:
        return connection.execute(sa.select(environments.c.holder).where(environments.c.id == env)).scalar_one()


def test_a_store_that_is_away_for_a_moment_does_not_lose_the_claim(quick):
    from labctl import holding

    (env,) = quick.open()
    environments = quick.wired.environments
    claim = environments.claim(env, "me", HOLD)
    away = [errors.Unreachable("the database does not answer.")] * 2

    class Shaky:
        def renew(self, *of):
            if away:
                raise away.pop()
            return environments.renew(*of)

        def environment(self, of):
            return environments.environment(of)

    with holding.Holding(Shaky(), claim, HOLD, clock.SystemClock()) as held:
        until(lambda: not away)
        time.sleep(HOLD.total_seconds())
        held.check()
        assert environments.claim(env, "vulture", HOLD) is None


def test_a_turn_that_hangs_is_not_held_on_to_for_ever(quick):
    from labctl import holding

    (env,) = quick.open()
    environments = quick.wired.environments
    claim = environments.claim(env, "hangs", HOLD)
    with holding.Holding(environments, claim, HOLD, clock.SystemClock(), longest=2 * HOLD) as held:
        until(lambda: environments.claim(env, "next", HOLD) is not None)
        with pytest.raises(errors.ClaimLost):
            environments.renew(claim, HOLD)
        held.check()
