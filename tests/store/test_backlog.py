"""What is due is found by index, the most urgent is taken, and no kind of work and no class takes all places."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from labctl.drivers import liveness
from labctl.drivers.database import tables
from labctl.model import lifecycle, urgency
from labctl.model.environment import Facts, State, Wanted
from tests import fakes

HOLD = timedelta(seconds=60)


class Store:
    """A store with classes, and a worker that takes from it."""

    def __init__(self, store, clock) -> None:
        self.store, self.clock = store, clock
        self.turns = 0

    def open(self, slug: str, seats: int, *, golden: bool = False, ground: str | None = None) -> list[str]:
        room = replace(fakes.classroom(seats, slug=slug, now=self.clock.now()), golden=golden)
        plain = fakes.plans_for(room)
        self.store.open(room, lambda plots: [plan.model_copy(update={"stands_on": ground}) for plan in plain(plots)], range(1, 1000))
        return [seat.environment for seat in room.seats]

    def take(self, places: int = 100, process: str = "elsewhere/1/1"):
        self.turns += 1
        return self.store.take(f"{process}/{self.turns}", HOLD, places)

    def take_all(self, places: int, **kind) -> list:
        taken = []
        while (one := self.take(places, **kind)) is not None:
            taken.append(one.claim)
        return taken

    def settle(self, environment: str, state: State, **facts) -> None:
        claim = self.store.claim(environment, "test", HOLD)
        self.store.settle(claim, Facts(state, **facts))
        self.store.release(claim)

    def due(self, environment: str):
        with self.store._connection.reading() as connection:
            c = tables.environments.c
            return connection.execute(sa.select(c.due_at, c.leaves_at).where(c.id == environment)).one()

    def check(self) -> None:
        """What is stored is what the lifecycle says of each environment there is."""
        now = self.clock.now()
        for env in self.store.environments(gone=True):
            for moment, kept, true in zip(
                ("due_at", "leaves_at"),
                self.due(env.id),
                (lambda env: lifecycle.next_step(env, now) is not None, lambda env: lifecycle.leaving(env, now)),
                strict=True,
            ):
                if env.facts.state is not State.GONE:
                    assert (kept is not None and kept <= now) == true(env), (moment, env)
                    asked = urgency.due_at(env, now) if moment == "due_at" else urgency.leaves_at(env, now)
                    assert max(kept, now) == asked if kept else asked is None


@pytest.fixture
def made(store, clock):
    return Store(store, clock)


def by_class(made, claims) -> Counter:
    return Counter(made.store.environment(claim.environment).classroom for claim in claims)


def test_a_large_class_leaves_room_for_a_small_one(made):
    made.open("large", 40)
    made.clock.pass_(seconds=5)
    made.open("small", 4)
    taken = [made.take(20).claim for _ in range(8)]
    assert by_class(made, taken) == {"large": 4, "small": 4}


def test_of_two_classes_alike_the_one_that_started_first_goes_first(made):
    first = made.open("first", 3)
    made.clock.pass_(seconds=5)
    second = made.open("second", 3)
    taken = [made.take().claim.environment for _ in range(6)]
    assert taken == [first[0], second[0], first[1], second[1], first[2], second[2]]


def test_golden_machines_go_before_all_classes(made):
    made.open("monday", 3)
    made.take()
    (ground,) = made.open("golden.abc", 1, golden=True)
    assert made.take().claim.environment == ground


def test_of_a_class_what_is_begun_goes_before_what_is_not(made):
    seats = made.open("monday", 5)
    made.settle(seats[3], State.BUILT)
    made.settle(seats[4], State.READY, round=1)
    made.store.wish(seats[4], lambda wishes: replace(wishes, round=2))
    assert {made.take().claim.environment for _ in range(2)} == {seats[3], seats[4]}
    assert made.take().claim.environment == seats[0]


def test_places_are_kept_for_removals_whatever_else_is_queued(made):
    made.open("large", 60)
    assert len(made.take_all(16)) == 14
    leaving = made.open("old", 10)
    made.store.close("old", made.clock.now())
    taken = made.take_all(16)
    assert {claim.environment for claim in taken} <= set(leaving)
    assert len(taken) == 2


def test_places_are_kept_for_the_rest_while_many_removals_run(made):
    made.open("old", 60)
    made.store.close("old", made.clock.now())
    assert len(made.take_all(16)) == 14
    fresh = made.open("fresh", 3)
    assert {claim.environment for claim in made.take_all(16)} == set(fresh[:2])


def test_places_are_counted_by_process(made):
    made.open("large", 30)
    assert len(made.take_all(4, process="elsewhere/1/1")) == 3
    assert len(made.take_all(4, process="elsewhere/2/1")) == 3


def test_more_says_whether_something_is_left_for_another_worker(made):
    made.open("monday", 2)
    assert made.take().more
    assert not made.take().more
    assert made.take() is None


def test_who_is_troubled_is_taken_when_its_wait_is_over_and_not_before(made):
    (env,) = made.open("monday", 1)
    claim = made.take().claim
    before = made.store.environment(env)
    facts = lifecycle.fail(before, lifecycle.Step.BUILD, lifecycle.Failure("no.", timedelta(seconds=30)), made.clock.now())
    made.store.settle(claim, facts)
    made.store.release(claim)
    assert made.take() is None
    assert made.store.due(9) == ()
    made.clock.pass_(seconds=(facts.trouble.retry_at - made.clock.now()).total_seconds())
    assert made.store.due(9) == (env,)
    assert made.take().claim.environment == env


def test_what_the_dead_held_is_taken_at_once_and_rung_for(made):
    (env,) = made.open("monday", 1)
    child = subprocess.Popen(
        [sys.executable, "-c", "from labctl.drivers import liveness; print(liveness.myself(), flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    old = made.take(process=child.stdout.readline().strip())
    assert old.claim.environment == env
    assert made.take(process=liveness.myself()) is None
    assert made.store.due(9) == ()
    child.kill()
    child.wait()
    assert made.store.due(9) == (env,)
    new = made.take(process=liveness.myself())
    assert new.claim.fence > old.claim.fence
    child.stdin.close()
    child.stdout.close()


def test_a_claim_that_ran_out_is_taken_by_the_next(made):
    (env,) = made.open("monday", 1)
    made.take()
    made.clock.pass_(seconds=60)
    assert made.take().claim.environment == env


def test_one_that_was_taken_and_had_nothing_to_do_is_not_taken_again_and_again(made):
    (env,) = made.open("monday", 1)
    made.settle(env, State.READY, round=1)
    with made.store._connection.writing() as connection:
        connection.execute(sa.update(tables.environments).values(due_at=made.clock.now()))
    made.store.release(made.take().claim)
    assert made.take() is None
    made.check()


def test_many_who_take_at_once_never_take_the_same(made):
    seats = made.open("monday", 30)
    taken, guard = [], threading.Lock()

    def worker(number: int) -> None:
        while (one := made.store.take(f"elsewhere/{number}/1/{threading.get_ident()}", HOLD, 8)) is not None:
            with guard:
                taken.append(one.claim.environment)

    threads = [threading.Thread(target=worker, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(seats)


def test_whatever_is_written_what_is_due_is_kept_true(made):
    (ground,) = made.open("golden.abc", 1, golden=True)
    seats = made.open("monday", 4, ground=ground)
    made.check()
    assert made.store.due(9) == (ground,)
    made.settle(ground, State.READY, round=1)
    assert made.store.due(9) == tuple(seats)
    for seat in seats:
        made.settle(seat, State.READY, round=1)
    made.check()
    assert made.store.due(9) == ()
    made.store.wish(seats[0], lambda wishes: replace(wishes, round=2))
    made.check()
    assert made.store.due(9) == (seats[0],)
    made.store.extend("monday", made.clock.now() + timedelta(hours=20))
    made.clock.pass_(hours=19)
    made.check()
    assert made.store.due(9) == (seats[0],)
    room = made.store.classroom("monday")
    made.store.exchange(
        room.seats[1],
        room.seats[2],
        lambda _old, new: new,
        lambda old, new: (replace(old.wishes, wanted=Wanted.GONE), replace(new.wishes, hand=1)),
    )
    made.check()
    assert set(made.store.due(9)) == {seats[0], seats[1], seats[2]}
    made.store.close("monday", made.clock.now())
    made.check()
    assert set(made.store.due(9)) == set(seats)
    for seat in seats:
        made.settle(seat, State.GONE)
    assert made.store.due(9) == ()
    assert made.store.retire(ground)
    assert made.store.due(9) == (ground,)
    made.check()


def test_a_class_has_ended_when_its_lease_is_over_and_nothing_is_left_of_it(made):
    seats = made.open("monday", 2)
    made.open("tuesday", 1)
    made.settle(seats[0], State.GONE)
    made.clock.pass_(hours=9)
    assert made.store.ended() == ()
    made.settle(seats[1], State.GONE)
    assert made.store.ended() == ("monday",)
    made.store.close("monday", made.clock.now())
    assert made.store.ended() == ()


def test_no_question_of_a_worker_looks_through_all_environments(made):
    # The costs of a turn must not grow with the number of environments, so SQLite is asked how it answers.
    made.open("monday", 3)
    made.open("old", 2)
    made.store.close("old", made.clock.now())
    engine = made.store._connection._ready()
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL chooses by the number of rows, and here are few")
    asked = []
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _cu, statement, values, _x, _m: asked.append((statement, values)))
    claim = made.take().claim
    made.store.environment(claim.environment)
    made.store.settle(claim, Facts(State.BUILT))
    made.store.renew(claim, HOLD)
    made.store.release(claim)
    made.store.due(9)
    made.store.ended()
    seen = 0
    with made.store._connection.reading() as connection:
        for statement, values in [one for one in asked if one[0].startswith(("SELECT", "UPDATE"))]:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()]
            scans = [line for line in plan if re.match(r"SCAN (environments|here|ground|seats)\b(?!.*USING (COVERING )?INDEX)", line)]
            assert scans == [], (statement, plan)
            seen += 1
    assert seen > 8
