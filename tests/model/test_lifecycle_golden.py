"""The lifecycle of golden machines and of the seats that stand on them, by enumeration like the rest of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from labctl.model import lifecycle
from labctl.model.environment import Environment, Facts, Ground, Lease, State, Step, Trouble, Wanted, Wishes
from labctl.model.lifecycle import Status
from tests.model.test_lifecycle import ENDS, NOW, PERMANENT, SOON, STARTS, after, environment, everything, follow, troubles


def goldens() -> Iterator[Environment]:
    """Every set there can be: its round is always the first, for nobody resets it."""
    doing: tuple[Step | None, ...] = (None, *Step)
    ways = (State.NEW, State.BUILT, State.CONFIGURED, State.READY, State.GONE)
    for state, busy, trouble, wanted in itertools.product(ways, doing, list(troubles(NOW)), (Wanted.READY, Wanted.GONE)):
        if trouble is None or trouble.round == 1:
            facts = Facts(state, 0, busy, NOW if busy else None, trouble)
            yield Environment("g1", "golden.1", 1, 3, Wishes(wanted, Lease(STARTS, ENDS)), facts, golden=True)


def grounds() -> Iterator[Ground]:
    for env in goldens():
        yield Ground(env.id, env.facts.state, env.facts.trouble)


def test_golden_machines_always_come_to_rest():
    for env in goldens():
        done = follow(env, NOW)
        assert lifecycle.next_step(done, NOW) is None


def test_golden_machines_go_by_bake_to_ready_and_are_never_proven_reset_or_suspended():
    env, steps = replace(environment(), golden=True), []
    while (step := lifecycle.next_step(env, NOW)) is not None:
        steps.append((step, lifecycle.status(env, NOW)))
        env = after(env, step, None, NOW)
    assert steps == [(Step.BUILD, Status.WAITING), (Step.CONFIGURE, Status.CONFIGURING), (Step.BAKE, Status.BAKING)]
    assert lifecycle.status(env, NOW) is Status.READY
    seen = {lifecycle.due(one, NOW) for one in goldens()}
    assert seen == {None, Step.BUILD, Step.CONFIGURE, Step.BAKE, Step.REMOVE}


def test_an_untroubled_bake_always_ends_ready():
    for env in goldens():
        begun = env.facts.doing is Step.REMOVE
        if env.wishes.wanted is Wanted.READY and env.facts.trouble is None and env.facts.state is not State.GONE and not begun:
            assert follow(env, NOW).facts.state is State.READY


def test_a_bake_that_fails_for_good_is_taken_away_whole_and_says_why_to_the_end():
    for state, step in lifecycle.BAKING.items():
        failed = after(replace(environment(state), golden=True), step, PERMANENT, NOW)
        assert lifecycle.next_step(failed, NOW) is Step.REMOVE
        stuck = after(failed, Step.REMOVE, SOON, NOW)
        later = stuck.facts.trouble.retry_at
        for gone in (
            follow(failed, NOW),
            follow(stuck, later),
            follow(after(stuck, Step.REMOVE, PERMANENT, later), later + lifecycle.LONGEST_WAIT),
        ):
            assert gone.facts.state is State.GONE
            seat = standing(Ground(gone.id, gone.facts.state, gone.facts.trouble))
            assert lifecycle.broken_ground(seat) == f"{step.value}: {PERMANENT.reason}"


def test_a_bake_that_failed_for_a_moment_goes_on():
    for state, step in lifecycle.BAKING.items():
        failed = after(replace(environment(state), golden=True), step, SOON, NOW)
        assert lifecycle.next_step(failed, NOW) is None
        assert follow(failed, failed.facts.trouble.retry_at).facts.state is State.READY


def standing(ground: Ground, **kind: object) -> Environment:
    return replace(environment(**kind), ground=ground)


def test_a_seat_is_never_built_before_its_golden_machines_are_ready():
    for ground in grounds():
        seat = standing(ground)
        step = lifecycle.next_step(seat, NOW)
        assert step is (Step.BUILD if ground.state is State.READY else None)
        if ground.state is not State.READY:
            word = lifecycle.status(seat, NOW)
            assert word is (Status.FAILED if lifecycle.broken_ground(seat) else Status.WAITING)
            shown = lifecycle.shown_trouble(seat)
            assert (shown is not None) == (word is Status.FAILED)
            if shown is not None:
                assert shown.retry_at is None
                assert "could not be baked" in shown.reason


def test_on_ready_golden_machines_everything_is_as_without():
    ready = Ground("g1", State.READY)
    for env in everything(NOW):
        with_ground = replace(env, ground=ready)
        assert lifecycle.next_step(with_ground, NOW) is lifecycle.next_step(env, NOW)
        assert lifecycle.status(with_ground, NOW) is lifecycle.status(env, NOW)
        assert lifecycle.shown_trouble(with_ground) == env.facts.trouble


def test_a_seat_that_waits_for_golden_machines_can_always_be_taken_away():
    for ground in grounds():
        seat = standing(ground, wanted=Wanted.GONE)
        assert lifecycle.next_step(seat, NOW) is Step.REMOVE
        assert follow(seat, NOW).facts.state is State.GONE


def test_trouble_of_another_kind_is_shown_as_it_is():
    trouble = Trouble(Step.PROVE, "no", 1, NOW, None)
    assert lifecycle.shown_trouble(environment(State.CONFIGURED, trouble=trouble)) == trouble
