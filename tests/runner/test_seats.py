"""Swap, undo and fresh guests by the real runner on a real store: whoever is killed, the next one finishes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl import errors
from labctl.model.environment import State, Step
from labctl.model.lifecycle import Status
from tests.runner.test_killed import die, in_a_child, lasting  # noqa: F401


def again(world, env, **more):
    world.wired.classrooms.wish(env, lambda wishes: replace(wishes, round=wishes.round + 1, **more))


def dirty(world, env, what="work"):
    world.cluster.change(lambda things: things["dirty"].update({env: what}))


def work(world, env):
    return world.cluster.read()["dirty"].get(env)


def before(world, env):
    return [name for name in world.cluster.read()["snapshots"] if name.startswith(f"{env} before")]


def undo(world, env):
    world.wired.classrooms.wish(env, lambda wishes: replace(wishes, round=wishes.round + 1, undo=wishes.round + 1))


def test_a_reset_keeps_what_was_there_and_an_undo_brings_it_back_once(world):
    (env,) = world.open()
    world.run(env)
    dirty(world, env)
    again(world, env)
    assert world.run(env) is State.READY
    assert work(world, env) is None
    assert world.env(env).facts.kept.until == world.clock.now() + world.wired.runner.undo_for
    undo(world, env)
    assert world.run(env) is State.READY
    assert work(world, env) == "work"
    assert world.env(env).facts.kept is None
    assert before(world, env) == [], "what was gone back to is tidied away"


def test_what_is_kept_goes_after_its_time_and_the_sweep_sees_to_it(world):
    (env,) = world.open()
    world.run(env)
    again(world, env)
    world.run(env)
    assert world.wired.sweep() == ()
    assert before(world, env)
    world.clock.pass_(minutes=61)
    assert world.wired.sweep() == (env,)
    assert world.turn(env) is Step.TIDY
    assert before(world, env) == []
    assert world.status(env) is Status.READY


def test_the_next_reset_replaces_what_was_kept(world):
    (env,) = world.open()
    world.run(env)
    for word in ("first", "second"):
        dirty(world, env, word)
        again(world, env)
        world.run(env)
    assert len(before(world, env)) == 1
    undo(world, env)
    world.run(env)
    assert work(world, env) == "second"


def test_an_undo_that_comes_too_late_changes_nothing(world):
    (env,) = world.open()
    world.run(env)
    dirty(world, env)
    undo(world, env)
    assert world.run(env) is State.READY
    assert work(world, env) == "work"
    assert any("not kept any more" in line for line in world.journal(env))


@pytest.mark.parametrize("verb", ["reset", "prove"])
def test_killed_within_a_reset_the_first_state_is_the_one_that_comes_back(lasting, verb):  # noqa: F811
    (env,) = lasting.open()
    lasting.run(env)
    dirty(lasting, env)
    again(lasting, env)

    def until_it_dies():
        lasting.script.during[verb] = die
        lasting.run(env)

    assert in_a_child(until_it_dies)
    lasting.clock.pass_(seconds=61)
    assert lasting.run(env) is State.READY
    undo(lasting, env)
    assert lasting.run(env) is State.READY
    assert work(lasting, env) == "work"


@pytest.mark.parametrize("verb", ["build", "open", "enrol", "mark_ready", "prove"])
def test_killed_within_a_handing_over_it_is_finished_by_the_next(lasting, verb):  # noqa: F811
    (env,) = lasting.open()
    lasting.run(env)
    again(lasting, env, hand=1)

    def until_it_dies():
        lasting.script.during[verb] = die
        lasting.run(env)

    assert in_a_child(until_it_dies)
    lasting.clock.pass_(seconds=61)
    assert lasting.status(env) is not Status.READY
    assert lasting.run(env) is State.READY
    assert lasting.env(env).facts.hand == 1


def test_a_guest_without_a_state_to_go_back_to_is_made_anew(world):
    (env,) = world.open()
    world.run(env)
    world.cluster.change(lambda things: things["snapshots"].pop(env))
    again(world, env)
    assert world.run(env) is State.READY
    assert ("discard", env) in world.script.calls
    assert env in world.cluster.read()["snapshots"]


def to_blame(error, machine):
    error.machine = machine
    return error


@pytest.mark.parametrize(("verb", "step"), [("build", Step.BUILD), ("configure", Step.CONFIGURE)])
def test_a_guest_that_fails_twice_is_cloned_afresh_and_the_seat_ends_ready(world, verb, step):
    (env,) = world.open()
    world.script.failures[verb] = [to_blame(errors.Unreachable("box: no answer."), "box") for _ in range(2)]
    assert world.run(env) is State.READY
    assert [what for what, _ in world.script.calls if what == "discard"] == ["discard"]
    assert any(line == f"{step.value}: taking away box" for line in world.journal(env))


def test_a_bad_seat_neither_stops_nor_hides_the_others(world):
    seats = world.open(3)
    bad = seats[1]
    world.script.failures["configure"] = [errors.PlayFailed("box: task 'x': no.")]
    world.turn(bad)
    world.turn(bad)
    for env in (seats[0], seats[2]):
        assert world.run(env) is State.READY
    assert [world.status(env) for env in seats] == [Status.READY, Status.FAILED, Status.READY]
    assert "task 'x'" in world.env(bad).facts.trouble.reason


def test_times_of_steps_are_written_down_but_not_those_of_steps_that_were_begun_before(world):
    (env,) = world.open()
    world.script.failures["build"] = [errors.Unreachable("no.")]
    world.run(env)
    times = world.wired.timings.times("first-steps")
    assert set(times) == {Step.CONFIGURE, Step.PROVE}
    assert all(seconds >= 0 for found in times.values() for seconds in found)
