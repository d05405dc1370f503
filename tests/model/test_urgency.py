"""When an environment is due: held to `next_step` over every situation there is, and over drawn ones."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from labctl.model import lifecycle, urgency
from labctl.model.environment import Environment, Facts, Ground, Kept, Lease, State, Step, Trouble, Wanted, Wishes
from tests.model.test_lifecycle import ENDS, NOW, STARTS, moments

MINUTE = timedelta(minutes=1)
times = st.integers(-300, 900).map(lambda minutes: STARTS + minutes * MINUTE)


@st.composite
def troubles(draw) -> Trouble:
    retry = draw(st.none() | times)
    return Trouble(
        draw(st.sampled_from(Step)), "why", draw(st.integers(1, 7)), NOW, retry, draw(st.integers(1, 3)), draw(st.sampled_from(["", "no"]))
    )


@st.composite
def environments(draw) -> Environment:
    starts = draw(times)
    lease = Lease(starts, starts + draw(st.integers(0, 600)) * MINUTE)
    round_ = draw(st.integers(1, 3))
    wishes = Wishes(draw(st.sampled_from(Wanted)), lease, round_, draw(st.integers(0, 3)), draw(st.integers(0, 2)), draw(st.booleans()))
    trouble, busy = draw(st.none() | troubles()), draw(st.none() | st.sampled_from(Step))
    kept = draw(st.none() | st.builds(Kept, st.integers(1, 3), times))
    facts = Facts(draw(st.sampled_from(State)), draw(st.integers(0, round_)), busy, None, trouble, (), draw(st.integers(0, 2)), kept)
    ground = draw(st.none() | st.builds(Ground, st.just("g"), st.sampled_from(State), st.none() | troubles()))
    return Environment("e1", "monday", 1, draw(st.integers(0, 20)), wishes, facts, golden=draw(st.booleans()), ground=ground)


def holds(env: Environment, now: datetime, others) -> None:
    """Before its moment nothing is due, from its moment on something always is; the same for being on its way out."""
    gone = env.facts.state is State.GONE
    for first, true in (
        (urgency.due_at(env, now), lambda moment: lifecycle.next_step(env, moment) is not None),
        (urgency.leaves_at(env, now), lambda moment: lifecycle.leaving(env, moment) and not gone),
    ):
        assert first is None or first >= now
        for moment in others:
            if moment >= now:
                assert true(moment) == (first is not None and moment >= first), (env, moment, first)


def around(*of: datetime | None) -> list[datetime]:
    tick = timedelta(microseconds=1)
    return [moment + off for moment in of if moment for off in (-tick, timedelta(0))]


def test_in_every_situation_it_is_due_from_its_moment_on_and_never_before():
    edges = around(STARTS, ENDS, NOW + MINUTE)
    for env, now in moments():
        holds(env, now, edges)


@settings(max_examples=1000, deadline=None)
@given(environments(), times, st.lists(times, max_size=5))
def test_it_is_due_from_its_moment_on_and_never_before(env, now, others):
    trouble, kept = env.facts.trouble, env.facts.kept
    edges = (env.wishes.lease.starts, env.wishes.lease.ends, trouble and trouble.retry_at, kept and kept.until)
    holds(env, now, [now, *others, *around(*edges)])


def test_a_seat_that_waits_for_its_golden_machines_is_due_when_they_are_ready_and_not_before():
    seat = Environment("e1", "monday", 1, 3, Wishes(Wanted.READY, Lease(STARTS, ENDS)), Facts(), ground=Ground("g", State.BUILT))
    assert urgency.due_at(seat, NOW) == ENDS
    assert urgency.due_at(replace(seat, ground=Ground("g", State.READY)), NOW) == NOW


def test_what_is_gone_is_never_due_and_does_not_leave_again():
    gone = Environment("e1", "monday", 1, 3, Wishes(Wanted.GONE, Lease(STARTS, ENDS)), Facts(State.GONE))
    assert urgency.due_at(gone, NOW) is None
    assert urgency.leaves_at(gone, NOW) is None


def test_golden_machines_go_first_then_who_has_fewest_at_work_then_the_nearest_start():
    large, small = urgency.Line(9, STARTS, 1), urgency.Line(2, STARTS + MINUTE, 2)
    golden, removals = urgency.Line(3, ENDS, 3, golden=True), urgency.Line(2, STARTS, leaving=True)
    later = urgency.Line(2, STARTS + 2 * MINUTE, 4)
    for mixed in itertools.permutations([large, small, golden, removals, later]):
        assert urgency.order(mixed) == [golden, small, later, removals, large]


def test_no_kind_of_work_ever_takes_all_places_and_none_is_over_filled():
    for total in range(2, 70):
        places = urgency.Places(total)
        for others, leaving in itertools.product(range(total + 1), repeat=2):
            other, going = places.free(others, leaving)
            assert not (other or going) or others + leaving < total
            assert not (other and others >= total - places.kept)
            assert not (going and leaving >= total - places.kept)
        assert places.free(total - places.kept, 0) == (False, True)
        assert places.free(0, total - places.kept) == (True, False)


def test_a_single_place_is_everybodys():
    assert urgency.Places(1).free(0, 0) == (True, True)
    assert urgency.Places(1).free(1, 0) == urgency.Places(1).free(0, 1) == (False, False)


@settings(max_examples=500, deadline=None)
@given(environments(), times, st.lists(times, max_size=5))
def test_the_word_people_see_stays_until_the_next_of_the_moments(env, now, others):
    until = next(iter(urgency.moments(env, now)), None)
    for moment in (*others, *around(until)):
        if moment >= now and (until is None or moment < until):
            assert lifecycle.status(env, moment) is lifecycle.status(env, now)
