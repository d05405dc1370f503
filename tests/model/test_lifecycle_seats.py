"""The lifecycle's newer ways: handing over, undo, what is kept and tidied, guests made anew."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from labctl.model import lifecycle, second_chances
from labctl.model.environment import Kept, State, Step, Wanted
from labctl.model.lifecycle import Failure, Status
from tests.model.test_lifecycle import ENDS, MACHINES, NOW, PERMANENT, SOON, STARTS, after, environment, everything, follow

LATER, BEFORE = Kept(1, NOW + timedelta(hours=1)), Kept(1, NOW)


def handed():
    """Every situation of an environment that was given to another learner."""
    for env in everything(NOW):
        yield replace(env, wishes=replace(env.wishes, hand=1))


def ready(**more):
    env = environment(State.READY, reached=1)
    return replace(env, facts=replace(env.facts, **more))


def test_what_was_given_to_another_learner_is_never_ready_before_it_was_handed_over_and_proven():
    seen = 0
    for env in handed():
        if lifecycle.status(env, NOW) is Status.READY:
            pytest.fail(f"ready for the wrong learner: {env}")
        if env.wishes.wanted is Wanted.READY and env.facts.trouble is None and env.facts.doing is not Step.REMOVE:
            done = follow(env, NOW)
            if done.facts.state is State.READY:
                assert done.facts.hand == 1
                seen += 1
    assert seen > 20


def test_handing_over_comes_to_rest_when_it_fails_and_goes_on_when_asked_again():
    for outcome in (SOON, PERMANENT):
        env = ready()
        env = replace(env, wishes=replace(env.wishes, hand=1, round=2))
        assert lifecycle.next_step(env, NOW) is Step.HAND_OVER
        assert lifecycle.status(env, NOW) is Status.CONFIGURING
        failed = after(env, Step.HAND_OVER, outcome, NOW)
        assert lifecycle.next_step(failed, NOW) is None
        again = replace(failed, wishes=replace(failed.wishes, round=3))
        assert lifecycle.next_step(again, NOW) is Step.HAND_OVER, "a reset would go back to a state that is not this learner's"
        assert follow(again, NOW).facts.round == 3


def test_a_handing_over_wished_while_one_runs_is_done_afterwards():
    env = ready()
    first = replace(env, wishes=replace(env.wishes, hand=1))
    settled = lifecycle.settle(first, Step.HAND_OVER, MACHINES)
    second = replace(first, wishes=replace(first.wishes, hand=2), facts=settled)
    assert lifecycle.next_step(second, NOW) is Step.HAND_OVER


def test_what_is_kept_is_tidied_when_it_has_run_out_and_the_seat_stays_ready():
    kept = ready(kept=LATER)
    assert lifecycle.next_step(kept, NOW) is None
    when = LATER.until
    assert lifecycle.next_step(kept, when) is Step.TIDY
    assert lifecycle.status(kept, when) is Status.READY
    done = after(kept, Step.TIDY, None, when)
    assert done.facts.kept is None
    assert lifecycle.next_step(done, when) is None
    assert done.facts.round == kept.facts.round


@pytest.mark.parametrize("outcome", [SOON, PERMANENT])
def test_a_failed_tidying_is_tried_again_and_never_makes_a_seat_bad(outcome):
    env, now = ready(kept=BEFORE), NOW
    for _ in range(lifecycle.STUCK_AFTER + 1):
        assert lifecycle.next_step(env, now) is Step.TIDY
        env = after_kept(env, outcome, now)
        assert lifecycle.status(env, now) is Status.READY
        now = env.facts.trouble.retry_at
        assert now is not None
    assert lifecycle.next_step(replace(env, wishes=replace(env.wishes, round=2)), now) is Step.RESET


def after_kept(env, outcome, now):
    return replace(env, facts=lifecycle.fail(env, Step.TIDY, outcome, now))


def test_only_a_reset_keeps_and_what_was_gone_back_to_or_was_anothers_runs_out_at_once():
    span = timedelta(hours=1)
    for step, before, kept in itertools.product(Step, (None, LATER), (True, False)):
        env = ready(kept=before)
        found = second_chances.keeps(env, step, kept=kept, now=NOW, span=span)
        if step is Step.RESET and kept:
            assert found == Kept(1, NOW + span)
        elif before is None or step in {Step.REMOVE, Step.TIDY, Step.BUILD}:
            assert found is None
        elif step in {Step.RESET, Step.HAND_OVER}:
            assert found == Kept(1, NOW)
        else:
            assert found == before


def test_a_round_goes_back_only_if_it_is_the_one_that_was_asked_to():
    env = ready()
    assert not second_chances.goes_back(env)
    undone = replace(env, wishes=replace(env.wishes, round=2, undo=2))
    assert second_chances.goes_back(undone)
    assert lifecycle.next_step(undone, NOW) is Step.RESET
    assert not second_chances.goes_back(replace(undone, wishes=replace(undone.wishes, round=3)))


def test_a_reset_that_finds_no_state_to_go_back_to_begins_from_nothing_and_ends_ready():
    env = replace(ready(), wishes=replace(ready().wishes, round=2))
    facts = lifecycle.settle(env, Step.RESET, (), anew=True)
    assert facts.state is State.NEW
    done = follow(replace(env, facts=facts), NOW)
    assert (done.facts.state, done.facts.round) == (State.READY, 2)


@pytest.mark.parametrize("step", [Step.BUILD, Step.CONFIGURE])
def test_a_machine_that_fails_again_and_again_is_made_anew_and_one_that_failed_for_good_when_a_person_asks(step):
    state = State.NEW if step is Step.BUILD else State.BUILT
    shaken = Failure("web: it does not answer.", timedelta(seconds=5), "web")
    env, found = environment(state), []
    now = NOW
    for _ in range(3):
        found.append(second_chances.made_anew(env, step))
        env = after(env, step, shaken, now)
        now = env.facts.trouble.retry_at
    assert found == ["", "", "web"]
    broken = after(environment(state), step, Failure("web: no.", None, "web"), NOW)
    assert second_chances.made_anew(broken, step) == ""
    assert second_chances.made_anew(replace(broken, wishes=replace(broken.wishes, round=2)), step) == "web"
    nobody = after(environment(state), step, SOON, NOW)
    assert second_chances.made_anew(replace(nobody, wishes=replace(nobody.wishes, round=2)), step) == ""


def test_the_window_is_that_of_the_other_tests():
    assert STARTS < NOW < ENDS
