"""Handing over builds again, so it has to know where the golden machines are, like a first build."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.model.environment import Environment, Facts, Lease, Machine, Step, Wanted, Wishes
from labctl.steps import kit, table
from tests import fakes

MACHINE = Machine("box", 33, "sandbox", "container", "100.64.1.1", "bc:24:11:00:01:01", "ssh-ed25519 box")


class Noting(fakes.FakeProvisioner):
    """Says where its clones come from."""

    sources: tuple[tuple[str, str], ...] = ()

    def build(self, plan, progress):
        self.sources = tuple((machine.node, machine.template_node) for machine in plan.machines)
        return super().build(plan, progress)


class OnGolden:
    """A store that knows one plan, which stands on golden machines that were built elsewhere."""

    def plan(self, environment):
        return fakes.plan(environment, 1).model_copy(update={"stands_on": "golden"})

    def environment(self, environment):
        assert environment == "golden"
        (planned,) = self.plan("e1").machines
        machine = replace(MACHINE, vmid=planned.template, node="pve7")
        return Environment("golden", "golden.1", 1, 9, Wishes(Wanted.READY, Lease(fakes.NOON, fakes.NOON)), Facts(machines=(machine,)))


@pytest.mark.parametrize("step", [Step.BUILD, Step.HAND_OVER])
def test_whoever_builds_asks_for_clones_where_the_golden_machines_really_are(step):
    cluster, script = fakes.Cluster(), fakes.Script()
    provisioner = Noting(cluster, script)
    tools = kit.Kit(
        environments=OnGolden(),
        places=fakes.Places(),
        provisioner=provisioner,
        wire=fakes.FakeWire(cluster, script),
        configurator=fakes.FakeConfigurator(cluster, script),
        prober=fakes.FakeProber(cluster, script),
        shelf=fakes.FakeShelf(),
        traces=fakes.NoTraces(),
    )
    lease = Lease(fakes.NOON, fakes.NOON.replace(hour=20))
    table.STEPS[step](tools, Environment("e1", "monday", 1, 1, Wishes(Wanted.READY, lease), Facts(machines=(MACHINE,))), print)
    assert provisioner.sources == (("sandbox", "pve7"),)
