"""Classrooms, seats, plots and wishes: all or nothing, and no two environments on one plot."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from labctl import errors
from labctl.drivers.database.classrooms import REST
from labctl.model.environment import Facts, Lease, State, Wanted
from tests import fakes

PLOTS = range(1, 6)


def remove_all(store, slug):
    for env in store.environments(classroom=slug):
        claim = store.claim(env.id, "remover", timedelta(seconds=60))
        store.settle(claim, Facts(state=State.GONE))
        store.release(claim)


def test_a_class_comes_back_as_it_was_written(store):
    room = fakes.classroom(3)
    store.open(room, fakes.plans_for(room), PLOTS)
    assert store.classroom("monday") == room
    assert store.classrooms() == (room,)
    environments = store.environments(classroom="monday")
    assert [env.seat for env in environments] == [1, 2, 3]
    assert [env.plot for env in environments] == [1, 2, 3]
    assert all(env.facts == Facts() and env.wishes.wanted is Wanted.READY and env.wishes.lease == room.lease for env in environments)
    assert store.plan(room.seats[1].environment) == fakes.plan(room.seats[1].environment, 2, seat=2)


def test_what_stands_on_seats_is_found_by_their_numbers_and_nothing_where_there_are_none(store):
    room = fakes.classroom(3)
    store.open(room, fakes.plans_for(room), PLOTS)
    assert {env.id for env in store.seated("monday", {1, 3, 9})} == {room.seats[0].environment, room.seats[2].environment}
    assert store.seated("nowhere", {1}) == ()


def test_of_two_classes_of_one_name_the_newest_is_looked_at(store):
    first = fakes.classroom(1)
    store.open(first, fakes.plans_for(first), PLOTS)
    store.close("monday", first.opened)
    remove_all(store, "monday")
    second = fakes.classroom(1)
    store.open(second, fakes.plans_for(second), PLOTS)
    assert [env.id for env in store.seated("monday", {1})] == [second.seats[0].environment]


def test_a_name_that_is_taken_is_refused_and_nothing_is_planned(store):
    room = fakes.classroom()
    store.open(room, fakes.plans_for(room), PLOTS)
    with pytest.raises(errors.Conflict, match="already a class 'monday'"):
        store.open(fakes.classroom(), lambda plots: pytest.fail("planned for nothing"), PLOTS)
    assert len(store.environments()) == 1


def test_too_few_plots_are_refused_with_the_numbers_and_nothing_is_written(store):
    room = fakes.classroom(6)
    with pytest.raises(errors.Conflict, match="6 seats are wanted, but only 5 of the site's 5 plots are free"):
        store.open(room, fakes.plans_for(room), PLOTS)
    assert store.classrooms(closed=True) == ()


def test_when_planning_fails_nothing_is_written(store):
    def refused(plots):
        raise errors.Unreachable("the node does not answer.")

    with pytest.raises(errors.Unreachable):
        store.open(fakes.classroom(), refused, PLOTS)
    assert store.classrooms(closed=True) == ()
    assert store.environments(gone=True) == ()


def test_a_plan_too_few_writes_nothing(store):
    room = fakes.classroom(2)
    with pytest.raises(ValueError, match="shorter"):
        store.open(room, lambda plots: fakes.plans_for(room)(plots)[:1], PLOTS)
    assert store.classrooms(closed=True) == ()
    assert store.environments(gone=True) == ()


def test_two_classes_opened_at_once_never_share_a_plot(store):
    store.migrate()
    meet = threading.Barrier(2, timeout=60)
    failures = []

    def open_one(slug):
        room = fakes.classroom(2, slug=slug)
        waited = []

        def plans(plots):
            if not waited:
                waited.append(True)
                meet.wait()  # both have drawn the same plots now
            return fakes.plans_for(room)(plots)

        try:
            store.open(room, plans, PLOTS)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_one, args=(slug,)) for slug in ("monday", "tuesday")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(env.plot for env in store.environments()) == [1, 2, 3, 4]
    for env in store.environments():
        assert store.plan(env.id).plot == env.plot


def test_a_freed_plot_rests_before_it_is_used_again(store, clock):
    first = fakes.classroom(5)
    store.open(first, fakes.plans_for(first), PLOTS)
    store.close("monday", clock.now())
    remove_all(store, "monday")
    second = fakes.classroom(1, slug="tuesday")
    with pytest.raises(errors.Conflict, match="5 more rest"):
        store.open(second, fakes.plans_for(second), PLOTS)
    clock.pass_(seconds=REST.total_seconds())
    store.open(second, fakes.plans_for(second), PLOTS)


def test_plots_used_longest_ago_are_drawn_first(store, clock):
    used = {}
    for slug, seats in (("a", 1), ("b", 1), ("c", 1)):
        room = fakes.classroom(seats, slug=slug)
        store.open(room, fakes.plans_for(room), range(1, 4))
        used[slug] = store.environments(classroom=slug)[0].plot
    for slug in ("b", "a", "c"):
        store.close(slug, clock.now())
        remove_all(store, slug)
        clock.pass_(minutes=10)
    for slug in ("b", "a", "c"):
        room = fakes.classroom(1, slug=slug)
        store.open(room, fakes.plans_for(room), range(1, 4))
        assert store.environments(classroom=slug)[0].plot == used[slug]


def test_a_name_is_free_again_when_everything_of_a_closed_class_is_gone(store, clock):
    old = fakes.classroom(2)
    store.open(old, fakes.plans_for(old), PLOTS)
    store.close("monday", clock.now())
    new = fakes.classroom(1)
    with pytest.raises(errors.Conflict, match="still being removed"):
        store.open(new, fakes.plans_for(new), PLOTS)
    assert [room.slug for room in store.classrooms()] == ["monday"]
    remove_all(store, "monday")
    assert store.classrooms() == ()
    store.open(new, fakes.plans_for(new), PLOTS)
    assert store.classroom("monday") == new
    assert [env.id for env in store.environments(classroom="monday", gone=True)] == [new.seats[0].environment]
    assert len(store.classrooms(closed=True)) == 2


def test_closing_wants_everything_gone_and_may_be_repeated(store, clock):
    room = fakes.classroom(2)
    store.open(room, fakes.plans_for(room), PLOTS)
    store.close("monday", clock.now())
    closed_at = clock.now()
    clock.pass_(hours=1)
    store.close("monday", clock.now())
    assert store.classroom("monday").closed == closed_at
    assert {env.wishes.wanted for env in store.environments()} == {Wanted.GONE}


def test_extending_moves_the_class_and_everything_in_it(store):
    room = fakes.classroom(2)
    store.open(room, fakes.plans_for(room), PLOTS)
    until = room.lease.ends + timedelta(hours=2)
    assert store.extend("monday", until).lease == Lease(room.lease.starts, until)
    assert {env.wishes.lease.ends for env in store.environments()} == {until}


def test_a_wish_that_is_refused_changes_nothing(store):
    room = fakes.classroom()
    store.open(room, fakes.plans_for(room), PLOTS)
    env = room.seats[0].environment

    def refuse(wishes):
        raise errors.Conflict("no.")

    with pytest.raises(errors.Conflict):
        store.wish(env, refuse)
    assert store.environment(env).wishes.round == 1
    assert store.wish(env, lambda wishes: replace(wishes, round=wishes.round + 1)).wishes.round == 2


def test_wishes_made_at_once_are_all_kept(store):
    room = fakes.classroom()
    store.open(room, fakes.plans_for(room), PLOTS)
    env = room.seats[0].environment

    def many():
        for _ in range(10):
            store.wish(env, lambda wishes: replace(wishes, round=wishes.round + 1))

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.environment(env).wishes.round == 41


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.classroom("friday"),
        lambda store: store.close("friday", fakes.NOON),
        lambda store: store.extend("friday", fakes.NOON),
        lambda store: store.wish("nobody", lambda wishes: wishes),
        lambda store: store.environment("nobody"),
        lambda store: store.plan("nobody"),
        lambda store: store.claim("nobody", "w", timedelta(seconds=1)),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(store, ask):
    with pytest.raises(errors.NotFound, match=r"there is no (class 'friday'|environment 'nobody')"):
        ask(store)
