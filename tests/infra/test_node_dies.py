"""The node dies and comes back while an environment is being built: the next build completes it, or removal takes it away."""

from __future__ import annotations

import threading

import pytest

from labctl import errors
from labctl.drivers import gates
from labctl.drivers.proxmox import cluster, guests
from tests.infra import node_plans
from tests.infra.test_provisioner import crumbs, place
from tests.sandbox_node import SandboxNode


@pytest.fixture(scope="module")
def mortal():
    with SandboxNode() as running:
        yield running


@pytest.mark.parametrize("line", [1, 2, 3, 5])
def test_a_build_survives_the_nodes_death_or_is_completed_by_the_next(line, mortal, tmp_path):
    provisioner = node_plans.provisioner(mortal, tmp_path / "state")
    site = provisioner._site
    plan = node_plans.plan(site, 40 + line)
    to = cluster.Cluster(provisioner._client, gates.Gates(tmp_path / "turns"))
    said: list[str] = []
    reached = threading.Event()
    errors_seen: list[Exception] = []

    def say(text: str) -> None:
        said.append(text)
        if len(said) == line:
            reached.set()

    def build() -> None:
        try:
            provisioner.build(plan, say)
        except errors.LabctlError as error:
            errors_seen.append(error)

    worker = threading.Thread(target=build)
    worker.start()
    assert reached.wait(60)
    mortal.restart()
    worker.join(120)
    assert not worker.is_alive()
    assert all(isinstance(error, errors.TemporaryError) for error in errors_seen), errors_seen
    provisioner.build(plan, say)
    assert all(guests.is_running(to, place(machine)) for machine in plan.machines)
    assert provisioner.remove(plan.environment, plan.plot, say).left == ()
    assert crumbs(to, site, provisioner, plan) == []


def test_while_the_node_is_down_nothing_is_forgotten(mortal, tmp_path):
    provisioner = node_plans.provisioner(mortal, tmp_path / "state", patience=1)
    plan = node_plans.plan(provisioner._site, 50)
    node_plans.provisioner(mortal, tmp_path / "state").build(plan, lambda line: None)
    mortal.kill()
    try:
        with pytest.raises(errors.Unreachable):
            provisioner.remove(plan.environment, plan.plot, lambda line: None)
        with pytest.raises(errors.Unreachable):
            provisioner.preflight([plan])
        assert provisioner._backend.known(plan.environment)
    finally:
        mortal.start()
    assert node_plans.provisioner(mortal, tmp_path / "state").remove(plan.environment, plan.plot, lambda line: None).left == ()
