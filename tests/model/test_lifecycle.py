"""The lifecycle by enumeration: every state x wish x trouble x moment, and what follows from each.

The four theorems of the design, and that no word on the board is kinder than the truth.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from labctl.model import lifecycle
from labctl.model.environment import Environment, Facts, Lease, Machine, State, Step, Trouble, Wanted, Wishes
from labctl.model.lifecycle import Failure, Status

STARTS = datetime(2030, 3, 4, 9, 0, tzinfo=UTC)
ENDS = STARTS + timedelta(hours=8)
NOW = STARTS + timedelta(hours=1)
MOMENTS = {"before": STARTS - timedelta(microseconds=1), "within": STARTS, "after": ENDS}
MACHINES = (Machine("box", 1000, "sandbox", "container", "100.64.0.33", "bc:24:11:00:00:21"),)
SOON, PERMANENT = Failure("the node does not answer.", timedelta(seconds=5)), Failure("the template is missing.", None)


def troubles(now: datetime) -> Iterator[Trouble | None]:
    yield None
    retries = ((None, 1), (now, 1), (now, lifecycle.STUCK_AFTER), (now + timedelta(minutes=1), 1))
    for step, round_, (retry_at, attempts) in itertools.product(Step, (1, 2), retries):
        yield Trouble(step, "why", attempts, now - timedelta(hours=1), retry_at, round_)


def everything(now: datetime) -> Iterator[Environment]:
    """Every environment there can be, and some that should never be. Facts' round is at most the wanted one."""
    rounds = [(reached, wanted) for reached, wanted in itertools.product((0, 1, 2), (1, 2)) if reached <= wanted]
    doing: tuple[Step | None, ...] = (None, *Step)
    for state, (reached, wanted_round), busy, trouble, wanted in itertools.product(State, rounds, doing, list(troubles(now)), Wanted):
        if trouble is not None and trouble.round > wanted_round:
            continue
        facts = Facts(state, reached, busy, now if busy else None, trouble, MACHINES)
        yield Environment("e1", "monday", 1, 3, Wishes(wanted, Lease(STARTS, ENDS), wanted_round), facts)


def moments() -> Iterator[tuple[Environment, datetime]]:
    for now in MOMENTS.values():
        for env in everything(now):
            yield env, now


def after(env: Environment, step: Step, outcome: Failure | None, now: datetime) -> Environment:
    """What the runner writes: the step begins, then settles or fails."""
    begun = replace(env, facts=lifecycle.begin(env, step, now))
    assert lifecycle.due(begun, now) is step, "a step that was cut off is not the one taken up again"
    if outcome is None:
        return replace(env, facts=lifecycle.settle(env, step, env.facts.machines))
    return replace(env, facts=lifecycle.fail(env, step, outcome, now))


def follow(env: Environment, now: datetime, limit: int = 12) -> Environment:
    """Do what is due, all going well, waiting where it is said to, until nothing more is due at that moment."""
    for _ in range(limit):
        step = lifecycle.next_step(env, now)
        if step is None:
            return env
        env = after(env, step, None, now)
    pytest.fail(f"no rest: {env}")


def ask_again(env: Environment) -> Environment:
    return replace(env, wishes=replace(env.wishes, round=env.wishes.round + 1))


def test_it_always_comes_to_rest_when_all_goes_well():
    for env, now in moments():
        assert lifecycle.next_step(follow(env, now), now) is None


def test_it_always_comes_to_rest_when_any_step_fails_in_any_way():
    # A failed step is never due again at the same moment, so nothing spins.
    for env, now in moments():
        step = lifecycle.next_step(env, now)
        if step is None:
            continue
        for outcome in (SOON, PERMANENT):
            failed = after(env, step, outcome, now)
            assert lifecycle.next_step(failed, now) is None, (env, step)


def test_a_wish_to_be_gone_always_ends_gone():
    for env, now in moments():
        if env.wishes.wanted is Wanted.GONE:
            ends_gone(env, now)


def test_a_lease_that_is_over_always_ends_gone():
    for env, now in moments():
        if now >= ENDS:
            ends_gone(env, now)


def test_a_removal_once_begun_always_ends_gone_even_if_more_time_is_given():
    for env, now in moments():
        if env.facts.doing is Step.REMOVE:
            ends_gone(replace(env, wishes=replace(env.wishes, lease=Lease(STARTS, ENDS + timedelta(days=9)))), now)


def ends_gone(env: Environment, now: datetime) -> None:
    if env.facts.state is State.GONE:
        assert lifecycle.next_step(env, now) is None
        return
    assert lifecycle.due(env, now) is Step.REMOVE
    trouble = lifecycle.current_trouble(env, Step.REMOVE)
    when = max(now, trouble.retry_at) if trouble and trouble.retry_at else now
    for outcome in (PERMANENT, SOON):
        # However it fails, there is a next attempt, and it may succeed.
        failed = after(env, Step.REMOVE, outcome, when)
        assert failed.facts.trouble is not None
        assert failed.facts.trouble.retry_at is not None
        assert follow(failed, failed.facts.trouble.retry_at).facts.state is State.GONE
    done = follow(env, when)
    assert done.facts.state is State.GONE
    assert done.facts.machines == ()
    assert done.facts.trouble is None


def test_an_untroubled_environment_in_its_window_always_ends_ready():
    seen = 0
    for env, now in moments():
        inside = STARTS <= now < ENDS and env.wishes.wanted is Wanted.READY
        if inside and env.facts.trouble is None and env.facts.state is not State.GONE and env.facts.doing is not Step.REMOVE:
            done = follow(env, now)
            assert done.facts.state is State.READY, env
            assert done.facts.round == env.wishes.round
            assert lifecycle.status(done, now) is Status.READY
            seen += 1
    assert seen > 100


def test_asking_again_always_clears_the_way():
    for env, now in moments():
        idle = env.facts.state is State.GONE or (now < STARTS and not lifecycle.leaving(env, now))
        again = ask_again(env)
        if idle:
            assert lifecycle.next_step(again, now) is None
            continue
        step = lifecycle.next_step(again, now)
        assert step is not None, env
        assert step is lifecycle.due(again, now)
        if env.wishes.wanted is Wanted.READY and not lifecycle.leaving(env, now):
            done = follow(again, now)
            assert done.facts.state is State.READY, env
            assert done.facts.round == again.wishes.round or env.facts.state is not State.READY


def test_nothing_is_called_ready_that_still_has_a_way_to_go():
    for env, now in moments():
        if lifecycle.status(env, now) is Status.READY:
            assert env.facts.state is State.READY
            assert env.facts.round == env.wishes.round
            # Suspending is the one thing that may come after ready, and it has not begun.
            assert lifecycle.due(env, now) in (None, Step.SUSPEND)
            assert not {env.facts.doing, env.facts.trouble.step if env.facts.trouble else None} & {
                Step.REMOVE,
                Step.RESET,
                Step.SUSPEND,
                Step.RESUME,
            }


def test_every_situation_has_a_word_and_gone_is_only_said_of_the_gone():
    for env, now in moments():
        word = lifecycle.status(env, now)
        assert (word is Status.GONE) == (env.facts.state is State.GONE)
        if word is Status.FAILED:
            assert lifecycle.next_step(env, now) is None
        if lifecycle.due(env, now) is Step.REMOVE:
            assert word in (Status.REMOVING, Status.STUCK)


def test_before_the_lease_begins_nothing_is_made():
    for env, now in moments():
        if now < STARTS:
            assert lifecycle.next_step(env, now) in (None, Step.REMOVE)


def environment(
    state: State = State.NEW, *, reached: int = 0, wanted_round: int = 1, wanted: Wanted = Wanted.READY, **facts: object
) -> Environment:
    return Environment("e1", "monday", 1, 3, Wishes(wanted, Lease(STARTS, ENDS), wanted_round), Facts(state, reached, **facts))


def test_the_way_to_ready_is_build_configure_prove():
    env, steps = environment(), []
    while (step := lifecycle.next_step(env, NOW)) is not None:
        steps.append((step, lifecycle.status(env, NOW)))
        env = after(env, step, None, NOW)
    assert steps == [(Step.BUILD, Status.WAITING), (Step.CONFIGURE, Status.CONFIGURING), (Step.PROVE, Status.PROVING)]
    assert lifecycle.status(env, NOW) is Status.READY


def test_a_reset_is_proven_again_before_it_is_ready():
    env, steps = environment(State.READY, reached=1, wanted_round=2), []
    while (step := lifecycle.next_step(env, NOW)) is not None:
        steps.append((step, lifecycle.status(env, NOW)))
        env = after(env, step, None, NOW)
    assert steps == [(Step.RESET, Status.RESETTING), (Step.PROVE, Status.PROVING)]
    assert env.facts.round == 2


def test_a_reset_wished_while_the_proof_runs_is_still_done_afterwards():
    proving = environment(State.CONFIGURED)
    settled = lifecycle.settle(proving, Step.PROVE, ())
    assert lifecycle.next_step(replace(ask_again(proving), facts=settled), NOW) is Step.RESET


def test_a_refused_proof_asked_for_again_starts_from_the_kept_state():
    refused = after(environment(State.CONFIGURED), Step.PROVE, PERMANENT, NOW)
    assert lifecycle.status(refused, NOW) is Status.FAILED
    again = ask_again(refused)
    assert lifecycle.next_step(again, NOW) is Step.RESET
    assert follow(again, NOW).facts.state is State.READY


def test_a_proof_that_met_something_temporary_is_tried_again_as_it_is():
    shaken = after(environment(State.CONFIGURED), Step.PROVE, SOON, NOW)
    assert shaken.facts.trouble is not None
    assert lifecycle.next_step(shaken, shaken.facts.trouble.retry_at) is Step.PROVE


def test_building_is_said_from_the_first_attempt_on_and_between_attempts():
    env = environment()
    assert lifecycle.status(replace(env, facts=lifecycle.begin(env, Step.BUILD, NOW)), NOW) is Status.BUILDING
    assert lifecycle.status(after(env, Step.BUILD, SOON, NOW), NOW) is Status.BUILDING


def test_waits_grow_up_to_a_limit_and_never_below_what_the_error_asks_for():
    env, waits = environment(), []
    now = NOW
    for attempt in range(1, 12):
        env = after(env, Step.BUILD, SOON, now)
        trouble = env.facts.trouble
        assert trouble is not None
        assert trouble.attempts == attempt
        assert trouble.since == NOW
        assert trouble.retry_at is not None
        waits.append(trouble.retry_at - now)
        now = trouble.retry_at
    assert waits == sorted(waits)
    assert waits[0] < waits[3] < waits[5]
    assert waits[-1] == waits[-2] <= lifecycle.LONGEST_WAIT * 1.5
    assert lifecycle.wait(1, 0, timedelta(minutes=20)) >= timedelta(minutes=20)


def test_seats_that_failed_together_do_not_come_back_together():
    assert len({lifecycle.wait(1, plot, timedelta(seconds=5)) for plot in range(lifecycle.SPREAD)}) == lifecycle.SPREAD


@pytest.mark.parametrize(("state", "step"), [(State.NEW, Step.BUILD), (State.BUILT, Step.CONFIGURE), (State.CONFIGURED, Step.PROVE)])
def test_after_so_many_attempts_it_is_called_stuck_and_still_tried(state, step):
    env, now = environment(state), NOW
    for _ in range(lifecycle.STUCK_AFTER):
        assert lifecycle.status(env, now) is not Status.STUCK
        env = after(env, step, SOON, now)
        now = env.facts.trouble.retry_at
    assert lifecycle.status(env, now) is Status.STUCK
    assert lifecycle.next_step(env, now) is step


def test_a_removal_that_keeps_failing_is_called_stuck_and_still_tried():
    env, now = environment(State.BUILT, wanted=Wanted.GONE), NOW
    for _ in range(lifecycle.STUCK_AFTER):
        assert lifecycle.status(env, now) is Status.REMOVING
        env = after(env, Step.REMOVE, PERMANENT, now)
        now = env.facts.trouble.retry_at
    assert lifecycle.status(env, now) is Status.STUCK
    assert lifecycle.next_step(env, now) is Step.REMOVE


def test_trouble_of_another_step_or_an_older_round_holds_nothing_back():
    other = Trouble(Step.BUILD, "why", 1, NOW, None, 1)
    assert lifecycle.next_step(environment(State.BUILT, trouble=other), NOW) is Step.CONFIGURE
    assert lifecycle.next_step(environment(State.NEW, wanted_round=2, trouble=other), NOW) is Step.BUILD
    assert lifecycle.next_step(environment(State.NEW, trouble=other), NOW) is None


def test_a_step_stopped_on_purpose_leaves_no_trouble():
    env = environment(State.BUILT)
    begun = replace(env, facts=lifecycle.begin(env, Step.CONFIGURE, NOW))
    assert lifecycle.set_down(begun) == env.facts


def test_suspending_waits_until_ready_and_resuming_leads_back():
    env = follow(environment(wanted=Wanted.SUSPENDED), NOW)
    assert env.facts.state is State.SUSPENDED
    assert lifecycle.status(env, NOW) is Status.SUSPENDED
    back = replace(env, wishes=replace(env.wishes, wanted=Wanted.READY))
    assert lifecycle.next_step(back, NOW) is Step.RESUME
    assert follow(back, NOW).facts.state is State.READY


def test_only_a_proof_or_a_bake_reaches_a_round():
    for step in Step:
        facts = lifecycle.settle(environment(State.READY, reached=1, wanted_round=2), step, MACHINES)
        assert facts.round == (2 if step in (Step.PROVE, Step.BAKE) else 1)


def test_a_suspended_environment_asked_to_start_again_is_resumed_then_reset_then_proven():
    env, steps = environment(State.SUSPENDED, reached=1, wanted_round=2), []
    while (step := lifecycle.next_step(env, NOW)) is not None:
        steps.append(step)
        env = after(env, step, None, NOW)
    assert steps == [Step.RESUME, Step.RESET, Step.PROVE]
