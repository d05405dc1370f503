"""The runner: what is due is done, written down and rung for; failures become trouble; losers of a claim write nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from labctl import errors
from labctl.model.environment import State, Step, Wanted
from labctl.model.lifecycle import Status

VERBS = ["build", "open", "enrol", "configure", "mark_ready", "prove"]


def gone(wishes):
    return replace(wishes, wanted=Wanted.GONE)


def again(wishes):
    return replace(wishes, round=wishes.round + 1)


def test_an_environment_is_built_configured_proven_and_then_left_alone(world):
    (env,) = world.open()
    assert [world.turn(env) for _ in range(4)] == [Step.BUILD, Step.CONFIGURE, Step.PROVE, None]
    facts = world.env(env).facts
    assert (facts.state, facts.round, facts.doing, facts.trouble) == (State.READY, 1, None, None)
    assert [machine.name for machine in facts.machines] == ["web", "box"]
    assert all(machine.host_key for machine in facts.machines)
    # After each step but the last it rang for the next.
    assert world.bell.rung == [env, env]


def test_a_proof_goes_on_over_connections_of_the_step_before_and_no_turn_leaves_any_open(world):
    (env,) = world.open()
    left_open, seen = world.wired.prober.left_open, []
    world.script.during = {verb: lambda: seen.append(set(left_open)) for verb in ("prove", "reset")}
    world.wired.runner.look()
    assert (seen, left_open) == ([{env}], set())
    left_open.add(env)
    world.wired.classrooms.wish(env, again)
    world.wired.runner.look()
    assert (seen, left_open) == ([{env}, set(), set()], set())


@pytest.mark.parametrize("verb", ["configure", "mark_ready"])
def test_a_step_that_fails_leaves_no_connection_open(world, verb):
    world.open()
    world.script.failures[verb] = [errors.Unreachable("the guest does not answer.")]
    world.wired.runner.look()
    assert world.wired.prober.left_open == set()


def test_progress_and_outcomes_stand_in_the_journal(world):
    (env,) = world.open()
    world.run(env)
    lines = world.journal(env)
    assert lines[0] == "build: begins"
    assert "build: web: cloning template 9001" in lines
    assert [line.partition(" after")[0] for line in lines if " after " in line] == ["build: done", "configure: done", "prove: done"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_temporary_failure_anywhere_is_tried_again_and_ends_ready(world, verb):
    (env,) = world.open()
    world.script.failures[verb] = [errors.Unreachable("the node does not answer."), errors.Busy("a lock is held.")]
    assert world.run(env) is State.READY
    assert world.status(env) is Status.READY


@pytest.mark.parametrize("verb", VERBS)
def test_a_permanent_failure_anywhere_waits_for_a_person_and_then_goes_on(world, verb):
    (env,) = world.open()
    world.script.failures[verb] = [errors.PermanentError("the template is missing.", hint="Ask IT.")]
    assert world.run(env) is not State.READY
    assert world.status(env) is Status.FAILED
    assert world.env(env).facts.trouble.reason == "the template is missing. Ask IT."
    assert world.turn(env) is None
    world.wired.classrooms.wish(env, again)
    assert world.run(env) is State.READY


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("error", [errors.PermanentError("no."), errors.Unreachable("away."), KeyError("bug")])
def test_whatever_failed_it_can_be_removed_and_leaves_no_crumb(world, verb, error):
    (env,) = world.open()
    world.script.failures[verb] = [error]
    for _ in range(3):
        world.turn(env)
    world.wired.classrooms.wish(env, gone)
    assert world.run(env) is State.GONE
    assert world.cluster.crumbs() == []


@pytest.mark.parametrize("verb", ["remove", "close"])
@pytest.mark.parametrize("error", [errors.PermanentError("no."), errors.Unreachable("away."), KeyError("bug")])
def test_a_removal_that_fails_half_way_is_repeated_until_nothing_is_left(world, verb, error):
    (env,) = world.open()
    world.run(env)
    world.script.failures[verb] = [error] * 7
    world.wired.classrooms.wish(env, gone)
    world.turn(env)
    assert world.status(env) is Status.REMOVING
    assert world.run(env) is State.GONE
    assert world.cluster.crumbs() == []
    assert world.env(env).facts.machines == ()


def test_a_removal_that_leaves_something_is_trouble(world):
    (env,) = world.open()
    world.run(env)
    provisioner = world.wired.provisioner
    whole = provisioner.remove
    provisioner.remove = lambda *of: replace(whole(*of), left=("CT 1056 on sandbox",))
    world.wired.classrooms.wish(env, gone)
    world.turn(env)
    assert world.env(env).facts.state is State.READY
    assert "CT 1056 on sandbox" in world.env(env).facts.trouble.reason
    del provisioner.remove
    assert world.run(env) is State.GONE


@pytest.mark.parametrize("step", [Step.BUILD, Step.CONFIGURE, Step.PROVE])
def test_each_step_may_be_repeated_after_it_succeeded_unnoticed(world, step):
    # As when a worker dies after the last effect and before writing it down.
    (env,) = world.open()
    before = {Step.BUILD: State.NEW, Step.CONFIGURE: State.BUILT, Step.PROVE: State.CONFIGURED}[step]
    while world.env(env).facts.state is not before:
        world.turn(env)
    facts = world.env(env).facts
    assert world.turn(env) is step
    claim = world.wired.environments.claim(env, "test", timedelta(seconds=5))
    world.wired.environments.settle(claim, replace(facts, doing=step, doing_since=world.clock.now()))
    world.wired.environments.release(claim)
    assert world.turn(env) is step
    assert "begins again" in " ".join(world.journal(env))
    assert world.run(env) is State.READY


def test_a_reset_takes_the_dirt_away_and_is_proven(world):
    (env,) = world.open()
    world.run(env)
    world.cluster.change(lambda things: things["dirty"].update({env: True}))
    world.wired.classrooms.wish(env, again)
    assert world.status(env) is Status.RESETTING
    assert [world.turn(env), world.turn(env)] == [Step.RESET, Step.PROVE]
    assert world.status(env) is Status.READY
    assert world.env(env).facts.round == 2


def test_an_unforeseen_error_is_trouble_that_shows_its_kind_but_not_its_text(world):
    (env,) = world.open()
    world.script.failures["build"] = [RuntimeError("password=hunter2")]
    world.turn(env)
    assert world.status(env) is Status.FAILED
    assert "RuntimeError" in world.env(env).facts.trouble.reason
    assert "hunter2" not in "".join(world.journal(env)) + world.env(env).facts.trouble.reason


def test_a_bad_seat_does_not_stop_the_others(world):
    one, two, three = world.open(3)
    world.script.failures["build"] = [None, None, errors.PermanentError("no.")]
    assert [world.run(env) for env in (one, two, three)] == [State.READY, State.NEW, State.READY]


def test_while_another_holds_it_the_runner_leaves_quietly(world):
    (env,) = world.open()
    world.wired.environments.claim(env, "another", timedelta(seconds=60))
    assert world.turn(env) is None
    assert world.script.calls == []
    assert world.journal(env) == []


def test_who_lost_the_claim_writes_nothing(world):
    (env,) = world.open()

    def taken_over():
        world.clock.pass_(seconds=61)
        claim = world.wired.environments.claim(env, "successor", timedelta(seconds=60))
        world.wired.environments.settle(claim, replace(world.env(env).facts, state=State.BUILT))

    world.script.during["build"] = lambda: (world.script.during.clear(), taken_over())
    assert world.turn(env) is None
    assert world.env(env).facts.state is State.BUILT
    assert world.env(env).facts.machines == ()
    assert not [line for line in world.journal(env) if "done" in line or "failed" in line]
    # The successor's claim was left alone too.
    assert world.wired.environments.claim(env, "third", timedelta(seconds=60)) is None


def test_a_wish_made_during_a_step_is_rung_for_after_it(world):
    (env,) = world.open()
    world.run(env)
    world.wired.classrooms.wish(env, again)
    world.turn(env)
    world.bell.rung.clear()
    world.script.during["prove"] = lambda: world.wired.classrooms.wish(env, again)
    world.turn(env)
    assert world.bell.rung == [env]
    assert world.status(env) is Status.RESETTING


def test_a_broken_bell_stops_nothing(world):
    (env,) = world.open()
    world.bell.broken = True
    assert world.run(env) is State.READY


def test_an_expired_lease_removes_with_nobody_asking(world):
    (env,) = world.open()
    world.run(env)
    world.clock.pass_(hours=9)
    assert world.run(env) is State.GONE
    assert world.cluster.crumbs() == []


def test_labctls_own_files_go_with_the_environment(world, tmp_path):
    (env,) = world.open()
    world.run(env)
    for folder in (tmp_path / "bundles" / "monday" / "1", tmp_path / "ansible" / env):
        folder.mkdir(parents=True)
        (folder / "key").write_text("secret")
    world.wired.classrooms.wish(env, gone)
    assert world.run(env) is State.GONE
    assert list((tmp_path / "bundles").iterdir()) == []
    assert list((tmp_path / "ansible").iterdir()) == []
    assert "remove: removed the learner's SSH files" in world.journal(env)


def test_what_this_labctl_cannot_do_is_said(world):
    (env,) = world.open()
    world.run(env)
    world.wired.classrooms.wish(env, lambda wishes: replace(wishes, wanted=Wanted.SUSPENDED))
    world.turn(env)
    assert world.env(env).facts.trouble.reason == "this labctl cannot suspend yet."
    assert world.status(env) is Status.FAILED


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.Unreachable("the VNet is not up after 60 s", hint="Look at the node."), "the VNet is not up after 60 s. Look at the node."),
        (errors.Unreachable("the node does not answer.", hint="Is it up?"), "the node does not answer. Is it up?"),
        (errors.PermanentError("is the template missing?", hint="Ask IT."), "is the template missing? Ask IT."),
        (errors.PermanentError("no room"), "no room"),
        (errors.PermanentError("", hint="Ask IT."), "Ask IT."),
    ],
)
def test_a_reason_and_what_to_do_about_it_are_sentences_of_their_own(world, error, told):
    (env,) = world.open()
    world.script.failures[VERBS[0]] = [error]
    world.turn(env)
    assert world.env(env).facts.trouble.reason == told
