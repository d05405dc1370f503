"""A worker that looks for itself: what is most urgent first, all of its steps at once, and room for everybody."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from labctl import errors
from labctl.model.environment import State, Step, Wanted
from labctl.model.lifecycle import Status
from tests import fakes


def steps(world, env) -> list[str]:
    return [line.step for line in world.lines(env) if line.text.startswith("done")]


def gone(wishes):
    return replace(wishes, wanted=Wanted.GONE)


def test_one_look_brings_an_environment_as_far_as_it_goes(world):
    one, two = world.open(2)
    assert world.wired.runner.look() == one
    assert steps(world, one) == ["build", "configure", "prove"]
    assert world.status(one) is Status.READY
    assert world.status(two) is Status.WAITING


def test_whoever_takes_one_wakes_the_next_and_the_last_wakes_nobody(world):
    world.open(2)
    world.wired.runner.look()
    assert len(world.bell.rung) == 1
    world.wired.runner.look()
    assert len(world.bell.rung) == 1
    assert world.wired.runner.look() is None


def test_one_who_works_ends_when_nothing_is_due_whatever_goes_wrong(world):
    envs = world.open(5)
    world.script.failures["configure"] = [errors.Busy("a lock is held."), errors.PermanentError("no."), None, KeyError("bug")]
    assert world.wired.runner.work() == 5
    found = [world.status(env) for env in envs]
    assert found.count(Status.READY) == 2
    assert found.count(Status.FAILED) == 2
    world.clock.pass_(seconds=30)
    assert world.wired.runner.work() == 1
    assert [world.status(env) for env in envs].count(Status.READY) == 3


def test_a_step_that_has_to_wait_lets_go_of_its_environment(world):
    one, two = world.open(2)
    world.script.failures["build"] = [errors.Busy("a lock is held.")]
    assert world.wired.runner.look() == one
    assert world.wired.runner.look() == two
    assert world.wired.environments.claim(one, "test", world.wired.runner.hold) is not None


def test_golden_machines_are_baked_first_and_the_seats_follow_without_a_ring(world):
    room = replace(fakes.classroom(slug="golden.abc", now=world.clock.now()), golden=True)
    world.wired.classrooms.open(room, fakes.plans_for(room, ("web", "box")), range(1, 100))
    ground = room.seats[0].environment
    seats = fakes.classroom(3, now=world.clock.now())
    plain = fakes.plans_for(seats, ("web", "box"))
    world.wired.classrooms.open(
        seats, lambda plots: [plan.model_copy(update={"stands_on": ground}) for plan in plain(plots)], range(1, 100)
    )
    assert world.wired.runner.work() == 4
    assert steps(world, ground) == ["build", "configure", "bake"]
    assert all(world.status(seat.environment) is Status.READY for seat in seats.seats)


def test_a_process_that_is_to_end_finishes_its_step_and_begins_no_other(world):
    (env,) = world.open()
    stopping = threading.Event()
    world.script.during["build"] = stopping.set
    mine = replace(world.wired.runner, stopping=stopping.is_set)
    assert mine.work() == 1
    assert steps(world, env) == ["build"]
    assert mine.work() == 0
    assert world.wired.runner.work() == 1
    assert world.status(env) is Status.READY


def test_who_has_worked_for_long_lets_others_have_the_thread_and_rings_for_the_rest(world):
    world.open(3)
    assert replace(world.wired.runner, spell=0.0).work() == 1
    # One ring because more was due when it was taken, one because it stopped.
    assert len(world.bell.rung) == 2


def test_a_wish_made_while_it_is_at_work_is_done_too(world):
    (env,) = world.open()
    runner = world.wired.runner

    def once() -> None:
        world.script.during.clear()
        world.wired.classrooms.wish(env, gone)

    world.script.during["prove"] = once
    runner.work()
    assert world.env(env).facts.state is State.GONE
    assert world.cluster.crumbs() == []


def test_while_many_removals_run_a_class_that_is_opened_still_begins(world):
    world.open(20, slug="old")
    world.wired.classrooms.close("old", world.clock.now())
    standing, release = threading.Semaphore(0), threading.Event()

    def stand() -> None:
        standing.release()
        release.wait(300)

    world.script.during["remove"] = stand
    runner = replace(world.wired.runner, places=4)
    threads = [threading.Thread(target=runner.look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert standing.acquire(timeout=120)
    assert runner.look() is None, "the last place is not for removals"
    (new,) = world.open(slug="new")
    assert runner.look() == new
    assert world.status(new) is Status.READY
    release.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("places", [1, 2, 5])
def test_no_more_than_its_places_are_at_work_in_a_process_at_once(world, places):
    world.open(12)
    guard, now, most = threading.Lock(), [0], [0]
    entered = threading.Event()

    def busy() -> None:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        entered.wait(0.05)
        with guard:
            now[0] -= 1

    world.script.during["build"] = busy
    runner = replace(world.wired.runner, places=places)
    threads = [threading.Thread(target=runner.work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while runner.work():
        pass
    assert most[0] <= places
    assert all(env.facts.state is State.READY for env in world.wired.environments.environments())
    assert Step.BUILD.value in steps(world, world.wired.environments.environments()[0].id)
