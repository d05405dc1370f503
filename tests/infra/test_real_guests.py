"""The same road with real Linux systems behind the node."""

from __future__ import annotations

import pytest

from labctl.drivers import gates
from labctl.drivers.proxmox import cluster, guests
from tests.infra import node_plans
from tests.infra.test_provisioner import crumbs, place
from tests.sandbox_node import SandboxNode


@pytest.mark.guests
def test_real_guests_are_built_kept_reset_and_taken_away(tmp_path):
    with SandboxNode("lxc") as node:
        provisioner = node_plans.provisioner(node, tmp_path / "state")
        site = provisioner._site
        to = cluster.Cluster(provisioner._client, gates.Gates(tmp_path / "turns"))
        plan = node_plans.plan(site, 7, machines="web:vm:db,db:container", networks=2)
        said: list[str] = []
        machines = provisioner.build(plan, said.append)
        assert [machine.stand_in for machine in machines] == [True, False]
        provisioner.mark_ready(plan, said.append)
        provisioner.reset(plan, said.append)
        assert all(guests.is_running(to, place(machine)) for machine in plan.machines)
        node.restart()
        assert provisioner.build(plan, said.append) == machines
        assert provisioner.remove(plan.environment, plan.plot, said.append).left == ()
        assert crumbs(to, site, provisioner, plan) == []
