"""Rows are made into values once, and never shown as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from labctl.model.environment import State, Step, Trouble
from tests import fakes

HOLD = timedelta(minutes=5)


def test_what_did_not_change_is_the_same_object_and_what_changed_is_new(store, clock):
    room = fakes.classroom(3)
    store.open(room, fakes.plans_for(room), range(1, 10))
    before = store.environments(classroom="monday")
    assert [one.id for one in before] == [seat.environment for seat in store.classroom("monday").seats]
    now = clock.now()
    claim = store.claim(before[1].id, "w", HOLD)
    trouble = Trouble(Step.BUILD, "no room", 1, now, now + HOLD)
    store.settle(claim, replace(before[1].facts, state=State.BUILT, trouble=trouble))
    after = store.environments(classroom="monday")
    assert after[0] is before[0]
    assert after[2] is before[2]
    assert after[1] == store.environment(before[1].id)
    assert after[1].facts.trouble == trouble
    assert [one.facts.trouble for one in store.environments(classroom="monday", bare=True)] == [None, trouble, None]


def test_a_class_that_takes_the_name_of_an_older_one_has_its_own_seats(store, clock):
    for learners in (2, 3):
        room = fakes.classroom(learners, now=clock.now())
        store.open(room, fakes.plans_for(room), range(1, 20))
        assert store.classroom("monday").seats == room.seats
        assert len(store.environments(classroom="monday")) == learners
        store.close("monday", clock.now())
        for env in store.environments(classroom="monday"):
            claim = store.claim(env.id, "w", HOLD)
            store.settle(claim, replace(env.facts, state=State.GONE, machines=()))


def test_whether_anything_was_written_is_known_without_reading(store):
    first = store.written()
    if first is None:  # PostgreSQL has no such number
        return
    assert store.written() == first
    store.write("e1", "build", "begins")
    second = store.written()
    assert second != first
    store.read()
    assert store.written() == second
