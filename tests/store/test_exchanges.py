"""Two seats exchange their environments in one transaction; a class gets one more seat; times of steps are kept, the newest only."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from labctl import errors
from labctl.drivers.database import timings
from labctl.model.classroom import Seat
from labctl.model.environment import Facts, Kept, State, Step, Trouble, Wanted
from labctl.ports import Token
from tests import fakes

PLOTS = range(1, 9)


@pytest.fixture
def room(store):
    made = fakes.classroom(2)
    made = replace(made, seats=(made.seats[0], replace(made.seats[1], learner=None)))
    store.open(made, fakes.plans_for(made), PLOTS)
    return made


def settle(store, environment, facts):
    claim = store.claim(environment, "me", timedelta(seconds=60))
    store.settle(claim, facts)
    store.release(claim)


def plan(old, new):
    return new.model_copy(update={"seat": old.seat, "principal": old.principal})


def change(old, new):
    return replace(old.wishes, wanted=Wanted.GONE, aside=True), replace(new.wishes, hand=new.wishes.hand + 1)


def test_after_an_exchange_seat_token_plan_and_wishes_are_those_of_the_other(store, room):
    seat, spare = room.seats
    secret = store.create(Token("ada", "learner", seat.environment))
    store.exchange(seat, spare, plan, change)
    now = store.classroom("monday").seats
    assert [(one.number, one.environment, one.learner) for one in now] == [
        (1, spare.environment, seat.learner),
        (2, seat.environment, None),
    ]
    assert [env.seat for env in (store.environment(spare.environment), store.environment(seat.environment))] == [1, 2]
    assert store.check(secret).environment == spare.environment
    handed = store.plan(spare.environment)
    assert (handed.plot, handed.principal, handed.seat.number) == (2, "seat-monday-1", 1)
    assert store.plan(seat.environment).principal == "seat-monday-1"
    old, new = store.environment(seat.environment), store.environment(spare.environment)
    assert (old.wishes.wanted, old.wishes.aside, new.wishes.hand, new.wishes.aside) == (Wanted.GONE, True, 1, False)


def test_an_exchange_on_old_knowledge_is_refused_and_nothing_is_written(store, room):
    seat, spare = room.seats
    store.exchange(seat, spare, plan, change)
    before = store.classroom("monday"), store.environments()
    with pytest.raises(errors.Conflict, match="seat 1 has other machines by now"):
        store.exchange(seat, spare, plan, change)

    def refused(old, new):
        raise errors.Conflict("no.")

    with pytest.raises(errors.Conflict, match=r"no\."):
        store.exchange(*store.classroom("monday").seats, plan, refused)
    assert (store.classroom("monday"), store.environments()) == before


def test_what_is_gone_cannot_be_exchanged(store, room):
    settle(store, room.seats[1].environment, Facts(state=State.GONE))
    with pytest.raises(errors.Conflict, match="machines of seat 2 are gone"):
        store.exchange(*room.seats, plan, change)


def test_a_seat_is_added_with_a_plot_of_its_own(store, room):
    drawn = []

    def made(plot):
        drawn.append(plot)
        return fakes.plan("extra00001", plot, seat=3)

    store.add_seat("monday", Seat("monday", 3, None, "extra00001"), made, PLOTS)
    env = store.environment("extra00001")
    assert drawn == [env.plot] == [3]
    assert (env.seat, env.wishes.lease, env.facts) == (3, room.lease, Facts())
    assert [seat.number for seat in store.classroom("monday").seats] == [1, 2, 3]
    with pytest.raises(errors.Conflict, match="only 0 of the site's 3 plots are free"):
        store.add_seat("monday", Seat("monday", 4, None, "extra00002"), made, range(1, 4))
    with pytest.raises(errors.NotFound, match="no open class 'friday'"):
        store.add_seat("friday", Seat("friday", 1, None, "extra00003"), made, PLOTS)


def test_free_plots_are_those_that_would_be_drawn(store, room, clock):
    assert store.free_plots(PLOTS) == tuple(range(3, 9))
    settle(store, room.seats[0].environment, Facts(state=State.GONE))
    assert store.free_plots(PLOTS) == tuple(range(3, 9)), "a freed plot rests"
    clock.pass_(seconds=61)
    assert store.free_plots(PLOTS) == (*range(3, 9), 1)


def test_new_wishes_and_facts_come_back_as_they_were_written(store, room):
    env = room.seats[0].environment
    trouble = Trouble(Step.BUILD, "no.", 2, fakes.NOON, None, 1, "web")
    facts = Facts(State.READY, 1, trouble=trouble, hand=2, kept=Kept(1, fakes.NOON))
    settle(store, env, facts)
    changed = store.wish(env, lambda wishes: replace(wishes, undo=3, hand=2, aside=True))
    assert store.environment(env) == changed
    assert changed.facts == facts
    assert (changed.wishes.undo, changed.wishes.hand, changed.wishes.aside) == (3, 2, True)


def test_times_are_kept_by_blueprint_and_step_newest_first(store, room):
    env = room.seats[0].environment
    for seconds in (1.0, 2.0, 3.0):
        store.measured(env, Step.BUILD, seconds)
    store.measured(env, Step.PROVE, 9.0)
    store.measured("nobody0000", Step.BUILD, 99.0)
    assert store.times("first-steps") == {Step.BUILD: (3.0, 2.0, 1.0), Step.PROVE: (9.0,)}
    assert store.times("another") == {}


def test_old_times_go(store, room):
    env = room.seats[0].environment
    for seconds in range(timings.NEWEST + 5):
        store.measured(env, Step.BUILD, float(seconds))
    store.measured(env, Step.PROVE, 1.0)
    times = store.times("first-steps")
    assert len(times[Step.BUILD]) == timings.NEWEST
    assert times[Step.BUILD][0] == timings.NEWEST + 4
    assert times[Step.PROVE] == (1.0,)


def given_up(old):
    return replace(old.wishes, wanted=Wanted.GONE, aside=True)


def test_a_seat_gets_a_new_environment_and_the_old_one_is_wanted_gone(store, room):
    seat = room.seats[0]
    secret = store.create(Token("ada", "learner", seat.environment))
    fresh = replace(seat, environment="fresh00001")
    store.replace(seat, fresh, lambda plot: fakes.plan("fresh00001", plot), given_up, PLOTS)
    assert store.classroom("monday").seats[0] == fresh
    assert store.check(secret).environment == "fresh00001"
    old, new = store.environment(seat.environment), store.environment("fresh00001")
    assert (old.wishes.wanted, old.wishes.aside) == (Wanted.GONE, True)
    assert [(one.number, one.environment, one.learner) for one in store.classroom("monday").seats][2:] == [(3, seat.environment, None)]
    assert old.seat == 3
    assert (new.wishes.wanted, new.wishes.lease, new.seat, new.facts) == (Wanted.READY, room.lease, 1, Facts())
    assert new.plot not in {1, 2}, "the old one keeps its plot while anything may stand there"
    assert store.plan("fresh00001").plot == new.plot
    assert set(store.due(9)) >= {seat.environment, "fresh00001"}


def test_a_seat_with_other_machines_by_now_or_a_class_that_ends_keeps_what_it_has(store, room):
    seat = room.seats[0]
    fresh = replace(seat, environment="fresh00001")

    def refused(old):
        raise errors.Conflict("its class is over.")

    before = store.classroom("monday"), store.environments()
    with pytest.raises(errors.Conflict, match="its class is over"):
        store.replace(seat, fresh, lambda plot: fakes.plan("fresh00001", plot), refused, PLOTS)
    other = replace(seat, environment=room.seats[1].environment)
    with pytest.raises(errors.Conflict, match="has other machines by now"):
        store.replace(other, fresh, lambda plot: fakes.plan("fresh00001", plot), given_up, PLOTS)
    assert (store.classroom("monday"), store.environments()) == before


def test_a_new_plan_is_saved_with_the_facts_and_only_under_the_newest_claim(store, room):
    environment = room.seats[0].environment
    claim = store.claim(environment, "me", timedelta(seconds=60))
    moved = store.plan(environment).model_copy(update={"avoid": ("pve1",)})
    store.settle(claim, Facts(), moved)
    assert store.plan(environment) == moved
    store.release(claim)
    store.claim(environment, "another", timedelta(seconds=60))
    with pytest.raises(errors.ClaimLost):
        store.settle(claim, Facts(), moved.model_copy(update={"avoid": ("pve1", "pve2")}))
    assert store.plan(environment).avoid == ("pve1",)
