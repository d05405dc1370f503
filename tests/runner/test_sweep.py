"""The sweep rings if and only if something is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from labctl import errors
from labctl.model import lifecycle
from labctl.model.environment import State, Step, Wanted


def test_it_rings_for_what_is_due_and_for_nothing_else(world):
    one, two, three = world.open(3)
    world.run(one)
    world.script.failures["build"] = [errors.PermanentError("no.")]
    world.turn(two)
    assert world.wired.sweep() == (three,)


def test_a_lost_ring_is_made_good(world):
    (env,) = world.open()
    world.bell.rung.clear()
    assert world.wired.sweep() == (env,)
    assert world.bell.rung == [env]


def test_trouble_is_rung_for_when_its_wait_is_over_and_not_before(world):
    (env,) = world.open()
    world.script.failures["build"] = [errors.Busy("a lock is held.")]
    world.turn(env)
    assert world.wired.sweep() == ()
    world.clock.pass_(seconds=10)
    assert world.wired.sweep() == (env,)


def test_a_dead_workers_environment_is_taken_up_after_its_claim(world):
    (env,) = world.open()
    environments = world.wired.environments
    claim = environments.claim(env, "dead", timedelta(seconds=60))
    environments.settle(claim, lifecycle.begin(world.env(env), Step.BUILD, world.clock.now()))
    assert world.wired.sweep() == ()
    assert world.turn(env) is None
    world.clock.pass_(seconds=60)
    assert world.wired.sweep() == (env,)
    assert world.turn(env) is Step.BUILD
    assert world.run(env) is State.READY


def test_a_lease_that_ended_is_rung_for_and_its_class_closed_when_all_is_gone(world):
    envs = world.open(2)
    for env in envs:
        world.run(env)
    world.clock.pass_(hours=9)
    assert set(world.wired.sweep()) == set(envs)
    assert world.wired.classrooms.classroom("monday").closed is None
    for env in envs:
        assert world.run(env) is State.GONE
    assert world.wired.sweep() == ()
    assert world.wired.classrooms.classroom("monday").closed == world.clock.now()
    assert world.wired.classrooms.classrooms() == ()


def test_a_class_whose_time_is_not_over_is_never_closed_by_the_sweep(world):
    (env,) = world.open()
    world.wired.classrooms.wish(env, lambda wishes: replace(wishes, wanted=Wanted.GONE))
    assert world.run(env) is State.GONE
    world.wired.sweep()
    assert world.wired.classrooms.classroom("monday").closed is None


def test_before_a_lease_begins_nothing_is_rung_for(world):
    world.clock.pass_(hours=1)
    (env,) = world.open()
    world.clock.pass_(hours=-1)
    assert world.wired.sweep() == ()
    world.clock.pass_(hours=1)
    assert world.wired.sweep() == (env,)


def test_without_a_broker_the_sweep_ends_quietly(world):
    world.open(2)
    world.bell.broken = True
    assert world.wired.sweep() == ()
