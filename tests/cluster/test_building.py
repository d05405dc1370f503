"""Seats are built on the nodes they were placed on: from a template there, or sent there from another node."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.provisioner import Provisioner
from labctl import errors
from labctl.model import capacity, placing
from labctl.model import site as site_
from labctl.sandbox import calls
from labctl.sandbox.paper import description
from tests.cluster.cluster_here import ClusterHere
from tests.infra import node_plans

SPEED = 400.0


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with ClusterHere(tmp_path_factory.mktemp("shared"), description.default(3, SPEED)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    with ClusterHere(tmp_path_factory.mktemp("local"), description.default(3, SPEED, local=True)) as cluster:
        yield cluster


def provisioner(site: site_.Site, folder: Path) -> Provisioner:
    return Provisioner(site, folder / "state", "embedded", folder / "passphrase", node_plans.KEY, patience=2)


def one_template(cluster: ClusterHere) -> site_.Site:
    """A site whose image lies on pve1 only."""
    image = cluster.site().images["debian-12"]
    return cluster.site(images={"debian-12": image.model_copy(update={"vm": image.vm[:1], "container": image.container[:1]})})


def nodes(plans):
    return [sorted({machine.node for machine in plan.machines}) for plan in plans]


def test_three_seats_go_to_three_nodes_and_leave_nothing_behind(shared, tmp_path):
    there = provisioner(shared.site(), tmp_path)
    placed = there.preflight([node_plans.plan(shared.site(), plot) for plot in (10, 11, 12)])
    assert nodes(placed) == [["pve1"], ["pve2"], ["pve3"]]
    for plan in placed:
        machines = there.build(plan, print)
        assert {machine.node for machine in machines} == {plan.machines[0].node}
        assert set(shared.where(plan.plot).values()) == {plan.machines[0].node}
    for plan in placed:
        assert there.remove(plan.environment, plan.plot, print).left == ()
        assert shared.where(plan.plot) == {}
    assert there.leftovers(()) == ()


def test_clones_of_one_template_are_sent_to_other_nodes(shared, tmp_path):
    site = one_template(shared)
    there = provisioner(site, tmp_path)
    supply = there.survey([node_plans.plan(site, 20)])
    assert [(node.name, node.shared) for node in supply.nodes] == [("pve1", True), ("pve2", True), ("pve3", True)]
    plan = placing.on(node_plans.plan(site, 20), site, supply, supply.nodes[2])
    assert [(m.node, m.template_node) for m in plan.machines] == [("pve3", "pve1")] * 2
    there.build(plan, print)
    assert set(shared.where(20).values()) == {"pve3"}
    # Repeating finds all of it, and a reset goes back on that node.
    there.build(plan, print)
    there.mark_ready(plan, print)
    assert there.reset(plan, print).missing == ()
    assert there.remove(plan.environment, plan.plot, print).left == ()


def test_where_disks_are_each_nodes_own_a_seat_is_cloned_from_the_template_there(local, tmp_path):
    there = provisioner(local.site(), tmp_path)
    placed = there.preflight([node_plans.plan(local.site(), plot) for plot in (30, 31, 32)])
    assert [plan.bound for plan in placed] == ["pve1", "pve2", "pve3"]
    assert [{m.template_node for m in plan.machines} for plan in placed] == [{"pve1"}, {"pve2"}, {"pve3"}]
    there.build(placed[1], print)
    assert set(local.where(31).values()) == {"pve2"}
    assert there.remove(placed[1].environment, 31, print).left == ()


def test_with_one_template_on_storage_of_its_own_all_seats_stay_on_its_node(local, tmp_path):
    site = one_template(local)
    there = provisioner(site, tmp_path)
    assert nodes(there.preflight([node_plans.plan(site, plot) for plot in (40, 41)])) == [["pve1"], ["pve1"]]


def test_a_node_that_is_away_carries_nothing(shared, tmp_path):
    there = provisioner(shared.site(), tmp_path)
    plans = [node_plans.plan(shared.site(), plot) for plot in (50, 51, 52)]
    shared.away("pve2")
    try:
        assert sorted(nodes(there.preflight(plans))) == [["pve1"], ["pve1"], ["pve3"]]
    finally:
        shared.away()
    assert sorted(nodes(there.preflight(plans))) == [["pve1"], ["pve2"], ["pve3"]]


def test_nodes_that_have_just_started_carry_seats_before_the_cluster_has_figures_of_them(tmp_path):
    with ClusterHere(tmp_path, description.default(3, SPEED)) as young:
        young.node.broadcast.stop()
        young.node.broadcast.gathered = False
        assert {row["status"] for row in calls.perform(young.node, "root@pam", "GET", "/nodes", {})} == {"unknown"}
        there = provisioner(young.site(), tmp_path)
        placed = there.preflight([node_plans.plan(young.site(), plot) for plot in (10, 11, 12)])
        assert nodes(placed) == [["pve1"], ["pve2"], ["pve3"]]


def test_with_all_nodes_of_its_template_away_nothing_is_promised(local, tmp_path):
    site = one_template(local)
    local.away("pve1")
    try:
        with pytest.raises(errors.Unreachable, match=r"no node that has the templates is up \(pve1\)"):
            provisioner(site, tmp_path).preflight([node_plans.plan(site, 60)])
    finally:
        local.away()


def test_what_a_node_or_a_storage_refuses_names_the_node(tmp_path):
    with ClusterHere(tmp_path, description.default(1, SPEED, local=True)) as small:
        there = provisioner(small.site(), tmp_path)
        plan = node_plans.plan(small.site(), 70, machines="db:container")
        small.fill("pve1")
        with pytest.raises(errors.Full, match="No space left") as caught:
            there.build(plan, print)
        assert (caught.value.node, caught.value.machine) == ("pve1", "db")
        small.away("pve1")
        with pytest.raises(errors.Unreachable) as away:
            there.build(plan, print)
        assert away.value.node == "pve1"
        small.away()
        assert there.remove(plan.environment, plan.plot, print).left == ()


def test_what_fits_is_said_for_each_node(shared, tmp_path):
    there = provisioner(shared.site(), tmp_path)
    plans = [node_plans.plan(shared.site(), plot) for plot in range(80, 87)]
    supply = there.survey(plans)
    answer = capacity.fit(placing.spread(plans, shared.site(), supply), supply, 7, plots=250)
    assert answer.fits
    assert {share.node: share.seats for share in answer.nodes} == {"pve1": 3, "pve2": 2, "pve3": 2}
