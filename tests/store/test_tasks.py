"""How seats stand with their tasks is kept, counted in one transaction, and one look a seat goes on at a time."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from labctl import errors
from labctl.drivers import liveness
from labctl.model import tasks
from tests import fakes


def opened(store):
    room = fakes.classroom(3)
    store.open(room, fakes.plans_for(room), range(1, 6))


def test_what_is_known_of_a_task_is_kept_as_it_was_written(store, clock):
    opened(store)
    whole = tasks.Standing("fix", clock.now(), True, 4, 3, 1, tasks.Outcome.FAILED, "Not yet.", clock.now(), "e/1", "e/2")
    assert store.mark_task("monday", 1, "fix", lambda before: whole if before == tasks.Standing("fix") else before) == whole
    store.mark_task("monday", 1, "find", lambda before: replace(before, tries=1))
    assert store.standings("monday", 1) == (tasks.Standing("find", tries=1), whole)
    assert store.standings("monday", 2) == store.standings("tuesday", 1) == ()


def test_scores_count_what_is_done_and_earned(store, clock):
    opened(store)
    for seat, task, earned in ((2, "a", 3), (1, "a", 5), (1, "b", 7)):
        store.mark_task("monday", seat, task, lambda before, earned=earned: replace(before, done=clock.now(), earned=earned))
    clock.pass_(minutes=1)
    store.mark_task("monday", 2, "c", lambda before: replace(before, tries=1))
    assert store.sight("monday").scores == {
        1: tasks.Score(1, 2, 12, clock.now() - timedelta(minutes=1)),
        2: tasks.Score(2, 1, 3, clock.now()),
    }


def test_a_change_that_raises_changes_nothing_and_a_class_that_is_not_there_has_no_tasks(store):
    opened(store)

    def refuse(before):
        raise errors.Conflict("no more tries.")

    with pytest.raises(errors.Conflict):
        store.mark_task("monday", 1, "a", refuse)
    assert store.standings("monday", 1) == ()
    with pytest.raises(errors.NotFound):
        store.mark_task("tuesday", 1, "a", lambda before: before)


def test_tries_of_many_at_once_are_all_counted(store):
    opened(store)

    def press():
        store.mark_task("monday", 1, "a", lambda before: replace(before, tries=before.tries + 1))

    threads = [threading.Thread(target=press) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one.tries for one in store.standings("monday", 1)] == [12]


def test_one_look_a_seat_goes_on_until_it_ends_or_runs_out(store, clock):
    opened(store)
    until = clock.now() + timedelta(minutes=1)
    mine, other = f"{liveness.myself()}/a", f"{liveness.myself()}/b"
    assert store.begin_look("monday", 1, "fix", mine, until)
    assert not store.begin_look("monday", 1, "find", other, until)
    assert store.begin_look("monday", 2, "find", other, until)
    assert (store.looking("monday", 1), store.looking("monday", 2), store.looking("monday", 3)) == ("fix", "find", "")
    store.end_look("monday", 1, other)
    assert store.looking("monday", 1) == "fix"
    store.end_look("monday", 1, mine)
    assert store.looking("monday", 1) == ""
    clock.pass_(minutes=2)
    assert store.looking("monday", 2) == ""
    assert store.begin_look("monday", 2, "fix", mine, clock.now() + timedelta(minutes=1))


def test_the_look_of_a_process_that_died_holds_nobody_up(store, clock):
    opened(store)
    until = clock.now() + timedelta(minutes=10)
    machine = liveness.myself().partition("/")[0]
    assert store.begin_look("monday", 1, "fix", f"{machine}/999999999/1/a", until)
    assert store.looking("monday", 1) == ""
    assert store.begin_look("monday", 1, "find", liveness.myself(), until)
