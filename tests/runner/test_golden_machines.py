"""Bakes by a real runner on a real store: once, whatever fails or is cut off, and never half of one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl import errors
from labctl.model import lifecycle
from labctl.model.environment import State, Step
from labctl.model.lifecycle import Status
from tests import fakes

VERBS = ("build", "open", "enrol", "configure", "seal", "freeze", "close")


@pytest.fixture
def ground(world) -> str:
    room = replace(fakes.classroom(slug="golden.abc", now=world.clock.now()), golden=True)
    world.wired.classrooms.open(room, fakes.plans_for(room, ("web", "box")), range(1, 100))
    return room.seats[0].environment


def seats(world, ground: str, count: int = 2) -> list[str]:
    room = fakes.classroom(count, now=world.clock.now())
    plain = fakes.plans_for(room, ("web", "box"))
    plans = lambda plots: [plan.model_copy(update={"stands_on": ground}) for plan in plain(plots)]  # noqa: E731
    world.wired.classrooms.open(room, plans, range(1, 100))
    return [seat.environment for seat in room.seats]


def test_a_bake_ends_with_templates_and_no_snapshot_and_no_wire(world, ground):
    assert world.run(ground) is State.READY
    things = world.cluster.read()
    assert set(things["templates"]) == set(things["sealed"]) == {f"{ground}-web", f"{ground}-box"}
    assert things["snapshots"] == {}
    assert things["wires"] == {}
    assert world.status(ground) is Status.READY


def test_seats_wait_and_are_rung_for_when_the_bake_is_done(world, ground):
    waiting = seats(world, ground)
    for seat in waiting:
        assert world.turn(seat) is None
        assert world.status(seat) is Status.WAITING
    assert world.wired.sweep() == (ground,)
    while world.turn(ground) is not Step.BAKE:
        world.bell.rung.clear()
    assert world.bell.rung == waiting
    assert all(world.run(seat) is State.READY for seat in waiting)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("error", [errors.Busy("a lock is held."), errors.Unreachable("the node is away.")])
def test_a_bake_that_meets_something_temporary_anywhere_goes_on(world, ground, verb, error):
    world.script.failures[verb] = [error, None, error]
    assert world.run(ground) is State.READY
    assert world.run(seats(world, ground, 1)[0]) is State.READY


@pytest.mark.parametrize("verb", VERBS)
def test_a_bake_that_fails_for_good_leaves_nothing_and_says_why_on_each_seat(world, ground, verb):
    waiting = seats(world, ground)
    world.script.failures[verb] = [errors.PlayFailed("web: task 'Install' failed: no such package.")]
    assert world.run(ground) is State.GONE
    assert world.cluster.crumbs() == []
    for seat in waiting:
        assert world.turn(seat) is None
        env = world.env(seat)
        assert world.status(seat) is Status.FAILED
        assert "web: task 'Install' failed: no such package." in lifecycle.shown_trouble(env).reason
    assert world.wired.goldens.list() == ()


def test_why_it_failed_is_still_said_when_taking_it_away_fails_too(world, ground):
    seat = seats(world, ground, 1)[0]
    world.script.failures["configure"] = [errors.PlayFailed("task 'Install' failed.")]
    world.script.failures["remove"] = [errors.Busy("a lock is held."), errors.PermanentError("who knows.")]
    assert world.run(ground) is State.GONE
    assert world.cluster.crumbs() == []
    assert "task 'Install' failed." in lifecycle.shown_trouble(world.env(seat)).reason


class Killed(BaseException):
    """The process ends here: nothing of what follows is run."""


@pytest.mark.parametrize("verb", VERBS)
def test_a_bake_that_is_killed_anywhere_is_taken_up_by_the_next_worker(world, ground, verb):
    def die() -> None:
        del world.script.during[verb]
        raise Killed

    world.script.during[verb] = die
    with pytest.raises(Killed):
        world.run(ground)
    world.clock.pass_(seconds=120)
    assert world.run(ground) is State.READY
    assert len(world.cluster.read()["templates"]) == 2


def test_golden_machines_stay_between_classes_and_go_when_they_are_old(world, ground):
    assert world.run(ground) is State.READY
    seat = seats(world, ground, 1)[0]
    assert world.run(seat) is State.READY
    room = next(iter(world.wired.goldens.list())).room
    world.clock.pass_(seconds=(room.lease.ends - world.clock.now()).total_seconds())
    # Old, but its class stands on it (the class's lease is over too, so it goes first).
    assert world.wired.goldens.expire() == ()
    assert world.run(seat) is State.GONE
    assert world.env(ground).facts.state is State.READY
    assert world.wired.goldens.expire() == ("golden.abc",)
    assert world.run(ground) is State.GONE
    assert world.cluster.crumbs() == []


def test_a_set_goes_when_a_newer_one_of_the_same_blueprint_is_ready_and_nobody_stands_on_it(world, ground):
    world.run(ground)
    seat = seats(world, ground, 1)[0]
    world.clock.pass_(minutes=1)
    room = replace(fakes.classroom(slug="golden.new", now=world.clock.now()), golden=True)
    world.wired.classrooms.open(room, fakes.plans_for(room), range(1, 100))
    assert world.wired.goldens.expire() == ()
    world.run(room.seats[0].environment)
    assert world.wired.goldens.expire() == ()
    world.wired.classrooms.close("monday", world.clock.now())
    world.run(seat)
    assert world.wired.goldens.expire() == ("golden.abc",)
    assert world.run(ground) is State.GONE
    assert [held.room.slug for held in world.wired.goldens.list()] == ["golden.new"]
    assert world.wired.goldens.expire() == ()
