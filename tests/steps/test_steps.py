"""Each step calls its ports in the order that makes it repeatable, and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from labctl import errors
from labctl.model.environment import Environment, Facts, Lease, Machine, State, Step, Trouble, Wanted, Wishes
from labctl.steps import build, configure, kit, prove, remove, reset, table
from tests import fakes

MACHINE = Machine("box", 33, "sandbox", "container", "100.64.1.1", "bc:24:11:00:01:01", "ssh-ed25519 box")


class OnePlan:
    """A store that knows one plan."""

    bound = ""

    all: Sequence[Environment] = ()

    def plan(self, environment):
        return fakes.plan(environment, 1).model_copy(update={"bound": self.bound})

    def environments(self, *, classroom):
        return tuple(one for one in self.all if one.classroom == classroom)


@pytest.fixture
def script():
    return fakes.Script()


@pytest.fixture
def tools(script):
    cluster = fakes.Cluster()
    return kit.Kit(
        environments=OnePlan(),
        places=fakes.Places(),
        provisioner=fakes.FakeProvisioner(cluster, script),
        wire=fakes.FakeWire(cluster, script),
        configurator=fakes.FakeConfigurator(cluster, script),
        prober=fakes.FakeProber(cluster, script),
        shelf=fakes.FakeShelf(),
        traces=fakes.NoTraces(),
    )


@pytest.fixture
def env():
    lease = Lease(fakes.NOON, fakes.NOON.replace(hour=20))
    return Environment("e1", "monday", 1, 1, Wishes(Wanted.READY, lease), Facts(machines=(MACHINE,)))


def verbs(script):
    return [verb for verb, _ in script.calls]


def test_build_makes_then_lays_the_wire(tools, env, script):
    (machine,) = build.run(tools, replace(env, facts=Facts()), print)
    assert verbs(script) == ["build", "open"]
    assert machine.host_key == ""


def failed(env, step, **trouble):
    about = {"attempts": 2, "since": fakes.NOON, "retry_at": fakes.NOON, **trouble}
    return replace(env, facts=replace(env.facts, trouble=Trouble(step, "no answer.", **about)))


def test_after_a_node_failed_twice_what_is_there_goes_and_the_plan_names_another_node(tools, env, script):
    tools.places.nodes.append("pve2")
    done = build.run(tools, failed(env, Step.BUILD, node="sandbox"), print)
    assert verbs(script) == ["remove", "close"]
    assert (done.anew, done.plan.machines[0].node, done.plan.avoid) == (True, "pve2", ("sandbox",))


@pytest.mark.parametrize("trouble", [{"node": "sandbox", "attempts": 1}, {"node": ""}, {"node": "sandbox"}])
def test_a_node_that_failed_once_or_is_not_to_blame_or_is_the_only_one_is_tried_again(tools, env, script, trouble):
    said = []
    assert [one.name for one in build.run(tools, failed(env, Step.BUILD, **trouble), said.append)] == ["box"]
    assert verbs(script) == ["build", "open"]
    assert any("there is no other node" in line for line in said) == (trouble == {"node": "sandbox"})


def test_what_cannot_be_taken_away_keeps_the_blame_on_its_node(tools, env, script):
    tools.places.nodes.append("pve2")
    script.failures["remove"] = [errors.Unreachable("pve1 does not answer.")]
    with pytest.raises(errors.Unreachable) as caught:
        build.run(tools, failed(env, Step.BUILD, node="sandbox"), print)
    assert caught.value.node == "sandbox"


def test_a_seat_whose_guests_stand_on_a_node_that_is_away_gets_other_machines(tools, env, script):
    tools.places.nodes.append("pve2")
    tools.places.gone = "sandbox"
    script.failures["remove"] = [errors.Unreachable("sandbox does not answer.")]
    done = configure.run(tools, failed(env, Step.CONFIGURE, machine="box"), print)
    assert (done.anew, done.plan, tools.places.replaced) == (True, None, ["sandbox"])


@pytest.mark.parametrize("step", [Step.CONFIGURE, Step.PROVE, Step.RESET])
def test_every_step_before_a_learner_works_there_may_end_in_another_node(tools, env, step):
    tools.places.nodes.append("pve2")
    done = table.STEPS[step](tools, failed(env, step, node="sandbox"), print)
    assert (done.anew, done.plan.machines[0].node) == (True, "pve2")


def test_what_a_learner_went_back_to_is_not_built_elsewhere(tools, env, script):
    tools.places.nodes.append("pve2")
    wishes = replace(env.wishes, round=2, undo=2)
    tools.prober.cluster.change(lambda things: things["configured"].update({"e1": True}))
    tools.prober.cluster.change(lambda things: things["guests"].update({"e1-box": 1}))
    prove.run(tools, replace(failed(env, Step.PROVE, node="sandbox"), wishes=wishes), print)
    assert verbs(script) == ["open", "prove"]


def test_where_a_templates_node_fails_another_node_is_no_help(tools, env, script):
    tools.places.nodes.append("pve2")
    build.run(tools, failed(env, Step.BUILD, node="golden-node"), print)
    assert verbs(script) == ["build", "open"]


def test_golden_machines_of_one_nodes_own_storage_stay_there(tools, env):
    tools.places.nodes.append("pve2")
    tools.environments.bound = "sandbox"
    machines = build.run(tools, replace(failed(env, Step.BUILD, node="sandbox"), golden=True), print)
    assert [one.name for one in machines] == ["box"]


def test_configure_keeps_the_ready_state_only_after_everything_else_went_well(tools, env, script):
    (machine,) = configure.run(tools, env, print)
    assert verbs(script) == ["open", "enrol", "configure", "mark_ready"]
    assert machine.host_key
    script.calls.clear()
    script.failures["configure"] = [errors.PlayFailed("box: task 1: no.")]
    with pytest.raises(errors.PlayFailed):
        configure.run(tools, env, print)
    assert "mark_ready" not in verbs(script)


def test_prove_returns_the_machines_unchanged(tools, env, script):
    configure.run(tools, env, print)
    build.run(tools, env, print)
    script.calls.clear()
    assert prove.run(tools, env, print) == (MACHINE,)
    assert verbs(script) == ["open", "prove"]


def seat(number, state):
    machines = tuple(replace(MACHINE, name=f"{state}-{number}-{index}") for index in range(2))
    lease = Lease(fakes.NOON, fakes.NOON.replace(hour=20))
    return Environment(f"o{number}", "monday", number, number, Wishes(Wanted.READY, lease), Facts(state=state, machines=machines))


def test_a_guest_is_to_be_alone_among_machines_of_other_seats_those_that_have_come_furthest_first(tools, env):
    store = OnePlan()
    store.all = [env, seat(2, State.BUILT), seat(4, State.CONFIGURED), seat(3, State.READY), seat(5, State.NEW), seat(6, State.GONE)]
    tools = replace(tools, environments=store)
    configure.run(tools, env, print)
    build.run(tools, env, print)
    prove.run(tools, env, print)
    assert [one.name for one in tools.prober.neighbours()] == ["ready-3-0", "ready-3-1", "configured-4-0"]
    store.all = [env]
    assert tools.prober.neighbours() == (MACHINE,)  # the seat's own others, if it has any


def test_reset_rolls_back_and_nothing_more(tools, env, script):
    configure.run(tools, env, print)
    script.calls.clear()
    assert reset.run(tools, env, print) == kit.Done((MACHINE,), kept=True)
    assert verbs(script) == ["reset"]


def test_reset_without_a_kept_state_takes_the_guest_away_and_asks_for_a_build(tools, env, script):
    build.run(tools, env, print)
    script.calls.clear()
    assert reset.run(tools, env, print) == kit.Done(anew=True)
    assert verbs(script) == ["reset", "discard"]
    assert tools.provisioner.cluster.read()["guests"] == {}


def test_remove_needs_no_plan_and_no_machines(tools, env, script):
    class NoPlan:
        def plan(self, environment):
            raise AssertionError("a removal asked for the plan")

    lines = []
    build.run(tools, env, print)
    script.calls.clear()
    bare = replace(tools, environments=NoPlan())
    assert remove.run(bare, replace(env, facts=Facts()), lines.append) == ()
    assert verbs(script) == ["remove", "close"]
    assert lines[-1] == "1 removed, and a search found nothing left"
    assert tools.traces.cleared == ["e1"]
    remove.run(bare, env, lines.append)
    assert lines[-1] == "a search found nothing to remove"


def test_every_step_has_a_file_but_those_not_offered_yet():
    assert set(Step) - set(table.STEPS) == {Step.SUSPEND}
    assert {run.__module__.rpartition(".")[2] for run in table.STEPS.values()} == {step.value for step in table.STEPS}
