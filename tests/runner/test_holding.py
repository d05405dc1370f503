"""A claim is kept alive while a step runs, for as long as it runs, and a step nobody wants any more is cut short."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from labctl import errors, runner
from labctl.drivers.database.tables import environments as rows
from labctl.model.environment import State, Step, Wanted
from tests import fakes
from tests.runner.conftest import World, fake_outside

HOLD = timedelta(seconds=0.4)


def until(true, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def held_now(world, env):
    """Who holds the claim, and until when."""
    with world.wired.database._connection.reading() as connection:
        return connection.execute(sa.select(rows.c.holder, rows.c.claimed_until).where(rows.c.id == env)).one()


def renewed(world, env):
    """Time goes on by almost a claim's life; then it is waited for that the claim is kept for longer."""
    world.clock.pass_(seconds=0.9 * HOLD.total_seconds())
    until(lambda: held_now(world, env).claimed_until == world.clock.now() + HOLD)


def left_alone(env):
    """Nobody renews the claim any more."""
    return all(thread.name != f"claim {env}" for thread in threading.enumerate())


@pytest.fixture
def quick(tmp_path):
    """A world whose claims are short, so that they are looked at often. Its clock is moved by hand: how soon this machine wakes the thread
    that renews decides nothing.
    """
    from labctl import settings, wiring

    clock, cluster, script, bell = fakes.SetClock(), fakes.Cluster(), fakes.Script(), fakes.CountingBell()
    wired = wiring.Wiring(settings.Settings(home=tmp_path), clock=clock, bell=bell, **fake_outside(cluster, script))
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
    return World(wired, clock, bell, cluster, script)


def test_a_step_longer_than_its_claim_keeps_the_claim(quick):
    (env,) = quick.open()
    others = []

    def slow():
        quick.script.during.clear()
        for _ in range(4):
            renewed(quick, env)
            others.append(quick.wired.environments.claim(env, "vulture", HOLD))

    quick.script.during["build"] = slow
    assert quick.turn(env) is Step.BUILD
    assert others == [None] * 4
    assert quick.env(env).facts.state is State.BUILT


def test_ansible_is_cut_short_when_the_environment_is_to_be_gone(quick):
    (env,) = quick.open()
    quick.turn(env)
    seen = []

    def wished_away():
        quick.wired.classrooms.wish(env, lambda wishes: replace(wishes, wanted=Wanted.GONE))
        began = quick.wired.environments.environment(env)
        assert began.facts.doing is Step.CONFIGURE
        # The next renewal sees it, and is over when there was another; the play goes on meanwhile.
        renewed(quick, env)
        renewed(quick, env)
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
        # What a long stand-still of this process leads to: the claim ran out and somebody else took it. The store lets the same holder.
        assert quick.wired.environments.claim(env, held_now(quick, env).holder, HOLD) is not None
        until(lambda: left_alone(env))

    quick.script.during["build"] = stolen
    assert quick.turn(env) is None
    assert [verb for verb, _ in quick.script.calls] == ["build"], "the second machine was begun after the claim was lost"


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

    with holding.Holding(Shaky(), claim, HOLD, quick.clock) as held:
        until(lambda: not away)
        renewed(quick, env)
        renewed(quick, env)
        held.check()
        assert environments.claim(env, "vulture", HOLD) is None


def test_a_turn_that_hangs_is_not_held_on_to_for_ever(quick):
    from labctl import holding

    (env,) = quick.open()
    environments = quick.wired.environments
    claim = environments.claim(env, "hangs", HOLD)
    with holding.Holding(environments, claim, HOLD, quick.clock, longest=2 * HOLD) as held:
        until(lambda: left_alone(env))
        assert environments.claim(env, "next", HOLD) is None
        quick.clock.pass_(seconds=HOLD.total_seconds())
        assert environments.claim(env, "next", HOLD) is not None
        with pytest.raises(errors.ClaimLost):
            environments.renew(claim, HOLD)
        held.check()
