"""Sets of golden machines in the store: one living set per digest, nobody stands on what goes, nothing goes under somebody."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from labctl import errors
from labctl.drivers.database import connection
from labctl.model import lifecycle
from labctl.model.environment import State, Step, Trouble, Wanted
from tests import fakes

HOLD = timedelta(seconds=60)
PLOTS = range(1, 20)


def golden(store, digest: str = "abc") -> str:
    """A set with this digest; its environment."""
    room = replace(fakes.classroom(slug=f"golden.{digest}"), golden=True, digest=f"sha256:{digest}")
    room = replace(room, seats=(replace(room.seats[0], learner=None),))
    store.open(room, fakes.plans_for(room), PLOTS)
    return room.seats[0].environment


def class_on(store, ground: str | None, slug: str = "monday", seats: int = 2) -> list[str]:
    room = fakes.classroom(seats, slug=slug)
    plain = fakes.plans_for(room)
    store.open(room, lambda plots: [plan.model_copy(update={"stands_on": ground}) for plan in plain(plots)], PLOTS)
    return [seat.environment for seat in room.seats]


def settle(store, environment: str, state: State, trouble: Trouble | None = None) -> None:
    claim = store.claim(environment, "w", HOLD)
    store.settle(claim, replace(store.environment(environment).facts, state=state, trouble=trouble))
    store.release(claim)


def test_a_set_is_no_class(store):
    env = store.environment(golden(store))
    assert env.golden
    assert env.ground is None
    assert store.classrooms(closed=True) == ()
    assert [room.slug for room in store.goldens()] == ["golden.abc"]
    assert store.goldens()[0].seats[0].learner is None
    assert env in store.environments()


def test_no_clock_ends_golden_machines(store, clock):
    env = store.environment(golden(store))
    clock.pass_(days=10_000)
    assert not lifecycle.leaving(env, clock.now())


def test_of_one_digest_there_is_one_living_set(store):
    first = golden(store)
    with pytest.raises(errors.Conflict):
        golden(store)
    golden(store, "other")
    assert store.retire(first)
    with pytest.raises(errors.Conflict):
        golden(store)
    settle(store, first, State.GONE)
    assert golden(store) != first


def test_many_who_open_the_same_set_at_once_open_one(store):
    store.migrate()
    made, refused = [], []

    def one() -> None:
        try:
            made.append(golden(store))
        except errors.Conflict:
            refused.append(1)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (1, 5)
    assert len(store.goldens()) == 1


def test_an_environment_sees_the_facts_of_what_it_stands_on(store):
    ground = golden(store)
    seat, _ = class_on(store, ground)
    assert store.environment(seat).ground.state is State.NEW
    assert store.plan(seat).stands_on == ground
    trouble = Trouble(Step.CONFIGURE, "the play said no.", 1, fakes.NOON, None)
    settle(store, ground, State.BUILT, trouble)
    assert store.environment(seat).ground.trouble == trouble
    settle(store, ground, State.READY)
    assert (store.environment(seat).ground.environment, store.environment(seat).ground.state) == (ground, State.READY)
    assert all(env.ground is not None for env in store.environments(classroom="monday"))


def test_why_a_bake_failed_is_kept(store):
    ground = golden(store)
    kept = Trouble(Step.REMOVE, "the node is away.", 2, fakes.NOON, fakes.NOON, cause="configure: the play said no.")
    settle(store, ground, State.GONE, kept)
    assert store.environment(ground).facts.trouble == kept


def test_a_set_somebody_stands_on_is_not_retired(store):
    ground = golden(store)
    seats = class_on(store, ground)
    assert not store.retire(ground)
    assert store.environment(ground).wishes.wanted is Wanted.READY
    assert [env.id for env in store.standing(ground)] == seats
    settle(store, seats[0], State.GONE)
    assert not store.retire(ground)
    settle(store, seats[1], State.GONE)
    assert store.standing(ground) == ()
    assert store.retire(ground)
    assert store.environment(ground).wishes.wanted is Wanted.GONE


def test_nobody_comes_to_stand_on_a_set_that_goes(store):
    ground = golden(store)
    store.retire(ground)
    with pytest.raises(errors.Conflict):
        class_on(store, ground)
    assert store.classrooms(closed=True) == ()
    seat = class_on(store, None)[0]
    with pytest.raises(errors.Conflict, match="being removed"):
        store.stand(seat, lambda plan: plan.model_copy(update={"stands_on": ground}))
    assert store.environment(seat).ground is None


def test_a_set_whose_machines_are_gone_is_closed(store):
    ground = golden(store)
    settle(store, ground, State.GONE)
    assert store.goldens() == ()
    assert store.classroom("golden.abc").closed is not None


def test_an_environment_not_yet_built_may_stand_on_others(store):
    old, new = golden(store), golden(store, "new")
    seat = class_on(store, old)[0]
    store.stand(seat, lambda plan: plan.model_copy(update={"stands_on": new}))
    assert store.plan(seat).stands_on == new
    assert store.environment(seat).ground.environment == new
    settle(store, seat, State.BUILT)
    with pytest.raises(errors.Conflict, match="built already"):
        store.stand(seat, lambda plan: plan)
    with pytest.raises(errors.NotFound):
        store.stand("nobody", lambda plan: plan)


def test_a_database_of_the_first_version_is_brought_up_with_what_is_in_it(store, url):
    engine = sa.create_engine(url)
    config = connection.alembic_config()
    with engine.begin() as opened:
        config.attributes["connection"] = opened
        command.upgrade(config, "0001")
        moment = fakes.NOON.replace(tzinfo=None) if engine.dialect.name == "sqlite" else fakes.NOON
        opened.execute(
            sa.text(
                "INSERT INTO classrooms (id, slug, title, blueprint, digest, starts, ends, opened, trainer, living)"
                " VALUES (1, 'old', 'Old', 'b', 'd', :m, :m, :m, 't', true)"
            ),
            {"m": moment},
        )
        opened.execute(
            sa.text(
                "INSERT INTO environments (id, classroom, seat, plot, wanted, starts, ends, wanted_round, state, round, machines, fence)"
                " VALUES ('e1', 1, 1, 4, 'ready', :m, :m, 1, 'ready', 1, '[]', 0)"
            ),
            {"m": moment},
        )
    engine.dispose()
    env = store.environment("e1")
    assert (env.golden, env.ground, env.classroom) == (False, None, "old")
    assert [room.slug for room in store.classrooms()] == ["old"]
    assert golden(store)
