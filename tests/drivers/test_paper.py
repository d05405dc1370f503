"""Guests of paper are looked at through the API: who they are, that they run, that they have booted. Nobody logs in to them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from infra import provisioner as provisioner_
from labctl import errors
from labctl.drivers import paper
from labctl.drivers.proxmox import client as client_
from labctl.model.plan import PlannedCheck, PlannedStep
from labctl.sandbox.paper import description
from tests.cluster import cluster_here
from tests.infra import node_plans
from tests.sandbox_node import SandboxNode

FAST = 1000.0


@pytest.fixture(scope="module")
def node():
    with SandboxNode() as made:
        yield made


@pytest.fixture
def built(node, tmp_path):
    """A plan, its machines, the site and a way to call the node."""
    site = node_plans.site(node)
    provisioner = node_plans.provisioner(node, tmp_path / "state")
    plan = node_plans.plan(site, plot=5)
    machines = provisioner.build(plan, silent)
    to = client_.Client(site.cluster, patience=5)
    yield plan, machines, site, to
    to.close()
    assert not provisioner.remove(plan.environment, plan.plot, silent).left


def silent(_line):
    """Nobody reads it."""


def path(machine):
    return f"/nodes/{machine.node}/{'qemu' if machine.kind == 'vm' else 'lxc'}/{machine.vmid}"


def test_running_guests_are_met_and_proven_and_it_is_said_that_no_check_was_made(built, tmp_path):
    plan, machines, site, _ = built
    plan = plan.model_copy(update={"checks": (PlannedCheck(kind="run", what="false", machine=plan.machines[0].name),)})
    prober, said = paper.Prober(site, FAST), []
    assert prober.enrol(plan, machines, said.append) == machines
    prober.prove(plan, machines, tmp_path, said.append)
    assert [line for line in said if "has booted" in line]
    assert "checks are not made on paper" in said[-1]


def test_a_guest_that_does_not_run_is_never_proven(built, tmp_path):
    plan, machines, site, to = built
    upid = to.post(f"{path(machines[1])}/status/stop")
    until = time.monotonic() + 60
    while to.get(f"/nodes/{machines[1].node}/tasks/{upid}/status")["status"] != "stopped":
        assert time.monotonic() < until
        time.sleep(0.05)
    with pytest.raises(errors.Unreachable, match="has not booted after") as refusal:
        paper.Prober(site, FAST, grace=0.3).prove(plan, machines, tmp_path, silent)
    assert refusal.value.machine == machines[1].name


def test_another_seats_guest_under_the_same_number_is_never_proven(built, tmp_path):
    plan, machines, site, to = built
    to.put(f"{path(machines[0])}/config", name="somebody-else")
    with pytest.raises(errors.CheckFailed, match="is called somebody-else, not"):
        paper.Prober(site, FAST).prove(plan, machines, tmp_path, silent)


def test_a_guest_that_is_gone_is_never_proven(node, tmp_path):
    site = node_plans.site(node)
    plan = node_plans.plan(site, plot=6)
    there = node_plans.provisioner(node, tmp_path / "state")
    machines = there.build(plan, silent)
    there.remove(plan.environment, plan.plot, silent)
    with pytest.raises(errors.LabctlError):
        paper.Prober(site, FAST, grace=0.3).prove(plan, machines, tmp_path, silent)


def test_configuring_takes_the_steps_modelled_time_and_no_more(built, tmp_path):
    plan, machines, _, _ = built
    kinds = ("playbook", "script", "write", "role", "packages")
    steps = tuple(PlannedStep(kind=kind, what=f"the {kind}", hosts=("web",), title=f"a {kind}") for kind in kinds)
    times = paper.Times(play=2.0, script=1.0, write=0.5)
    said, begun = [], time.monotonic()
    paper.Configurator(20.0, times).configure(plan.model_copy(update={"steps": steps}), machines, tmp_path, said.append)
    took = time.monotonic() - begun
    assert took >= (3 * 2.0 + 1.0 + 0.5) / 20.0
    assert [line.partition(": ")[2].split(" (")[0] for line in said] == [f"a {kind}" for kind in kinds]


def test_nobody_gets_files_that_open_nothing(built):
    plan, machines, _, _ = built
    with pytest.raises(errors.Conflict, match="nobody can log in to seat"):
        paper.Keys().bundle(plan, machines, datetime.now(UTC))


def test_a_boot_is_waited_for_and_the_next_one_is_looked_at_when_it_has_usually_ended(tmp_path):
    (tmp_path / "cluster").mkdir()
    speed = 4.0  # a boot of five seconds: longer than this machine may stand still between two looks
    cluster = description.default(2, speed)
    with cluster_here.ClusterHere(tmp_path / "cluster", cluster) as here:
        here.wrong("{call: 'POST /nodes/{node}/qemu/{vmid}/agent/ping', do: slow, for: 0.001s}")  # its log counts the looks
        site = here.site()
        provisioner = provisioner_.Provisioner(site, tmp_path / "state", "embedded", tmp_path / "passphrase", node_plans.KEY)
        prober, looks, to = paper.Prober(site, speed), [], client_.Client(site.cluster, patience=5)
        for plot in (3, 4):
            plan = node_plans.plan(site, plot=plot, machines="web:vm")
            machines = provisioner.build(plan, silent)
            prober.enrol(plan, machines, silent)
            assert to.get(f"{path(machines[0])}/status/current")["uptime"] >= int(0.9 * cluster.times.boot_vm)
            looks.append(len(here.struck.read_text().splitlines()) - sum(looks))
            prober.prove(plan, machines, tmp_path, silent)
            looks[-1] += len(here.struck.read_text().splitlines()) - sum(looks)
        to.close()
        assert looks[1] < looks[0]
