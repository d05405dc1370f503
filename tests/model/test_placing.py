"""Placing: which node carries a seat, what a clone can reach from there, and how a class spreads."""

from __future__ import annotations

import pytest

from labctl import errors
from labctl.model import capacity, placing
from labctl.model import site as site_
from tests import fakes

SHARED = tuple(capacity.Node(f"pve{number}", 8000, 500_000, "ceph", shared=True) for number in (1, 2, 10))
LOCAL = tuple(capacity.Node(f"pve{number}", 8000, 500_000, "lvm") for number in (1, 2, 10))


def site(*nodes):
    image = site_.Image(container=tuple(site_.Template(node=node, vmid=9000 + number) for number, node in enumerate(nodes, 1)))
    return site_.Site(cluster=site_.Cluster(secret_file="", ca_file=""), images={"debian-12": image})


def supply(nodes, *templates):
    return capacity.Supply(tuple(nodes), dict.fromkeys(templates, 2048))


def plans(count, **change):
    made = [fakes.plan(f"e{number}", number, machines=("web", "box")) for number in range(1, count + 1)]
    own = {"node": "pve1", **change}
    return [plan.model_copy(update={"machines": tuple(m.model_copy(update=own) for m in plan.machines)}) for plan in made]


def nodes_of(placed):
    return [sorted({machine.node for machine in plan.machines}) for plan in placed]


def test_seats_spread_by_free_memory_and_a_seat_stands_whole_on_one_node():
    roomy = [SHARED[0], SHARED[1], capacity.Node("pve10", 10_000, 500_000, "ceph", shared=True)]
    placed = placing.spread(plans(7, memory=4000, kind="container"), site("pve1"), supply(roomy, ("pve1", 9001)))
    # A quarter of a container's memory counts: 2000 MiB a seat.
    assert nodes_of(placed) == [["pve10"], ["pve1"], ["pve2"], ["pve10"], ["pve1"], ["pve2"], ["pve10"]]


def test_a_little_more_memory_does_not_draw_the_whole_class():
    nodes = [capacity.Node(f"pve{n}", 500_000 + (4000 if n == 3 else 0), 500_000, "ceph", shared=True) for n in (1, 2, 3, 4)]
    placed = nodes_of(placing.spread(plans(12), site("pve1"), supply(nodes, ("pve1", 9001))))
    assert {node: placed.count([node]) for node in ("pve1", "pve2", "pve3", "pve4")} == {"pve1": 3, "pve2": 3, "pve3": 3, "pve4": 3}
    twice = [capacity.Node(f"pve{n}", 10_000 * n, 500_000, "ceph", shared=True) for n in (1, 2)]
    placed = nodes_of(placing.spread(plans(9), site("pve1"), supply(twice, ("pve1", 9001))))
    assert (placed.count(["pve1"]), placed.count(["pve2"])) == (3, 6)


def test_a_shared_storage_lets_a_clone_go_where_its_template_is_not():
    (_, second) = placing.spread(plans(2), site("pve1"), supply(SHARED[:2], ("pve1", 9001)))
    assert [(m.node, m.template, m.template_node) for m in second.machines] == [("pve2", 9001, "pve1")] * 2
    assert second.bound == ""


def test_on_storage_of_its_own_a_node_carries_what_has_a_template_there():
    where = supply(LOCAL, ("pve1", 9001), ("pve2", 9002))
    placed = placing.spread(plans(4), site("pve1", "pve2"), where)
    assert [(m.node, m.template, m.template_node) for plan in placed for m in plan.machines[:1]] == [
        ("pve1", 9001, "pve1"),
        ("pve2", 9002, "pve2"),
        ("pve1", 9001, "pve1"),
        ("pve2", 9002, "pve2"),
    ]
    assert [plan.bound for plan in placed] == ["pve1", "pve2", "pve1", "pve2"]


def test_a_node_that_failed_a_seat_is_not_taken_again_for_it():
    mine = [plan.model_copy(update={"avoid": ("pve1", "pve2")}) for plan in plans(2)]
    assert nodes_of(placing.spread(mine, site("pve1"), supply(SHARED, ("pve1", 9001)))) == [["pve10"], ["pve10"]]
    with pytest.raises(errors.Conflict, match=r"no node that answers and that did not fail it before \(pve1, pve2\)"):
        placing.spread(mine, site("pve1"), supply(SHARED[:2], ("pve1", 9001)))


def test_a_plan_bound_to_a_node_stays_there_and_golden_machines_on_own_storage_keep_their_seats():
    where = supply(LOCAL, ("pve1", 9001), ("pve2", 9002))
    bound = [placing.bound(plan, site("pve1", "pve2"), "pve2") for plan in plans(2)]
    assert [(m.node, m.template) for m in bound[0].machines] == [("pve2", 9002)] * 2
    assert nodes_of(placing.spread(bound, site("pve1", "pve2"), where)) == [["pve2"], ["pve2"]]
    assert placing.bound(plans(1)[0], site("pve1"), "") == plans(1)[0]
    standing = [plan.model_copy(update={"stands_on": "golden1"}) for plan in plans(2)]
    assert nodes_of(placing.spread(standing, site("pve1", "pve2"), where)) == [["pve1"], ["pve1"]]


def test_what_stands_on_golden_machines_keeps_them_as_templates():
    (plan,) = plans(1, template=100_033)
    (placed,) = placing.spread(
        [plan.model_copy(update={"stands_on": "golden1", "avoid": ("pve1",)})], site("pve1"), supply(SHARED, ("pve1", 9001))
    )
    assert [(m.node, m.template) for m in placed.machines] == [("pve2", 100_033)] * 2


def test_without_any_template_nothing_can_be_placed_and_the_images_are_named():
    with pytest.raises(errors.Conflict, match=r"debian-12 \(container\); nodes that answer: pve1, pve2, pve10"):
        placing.spread(plans(1), site("pve1"), supply(LOCAL))


def test_a_full_node_is_passed_over_for_its_disk_too():
    nodes = [capacity.Node("pve1", 90_000, 6000, "lvm"), capacity.Node("pve2", 8000, 500_000, "lvm")]
    where = supply(nodes, ("pve1", 9001), ("pve2", 9002))
    # One full set of two disks of 2 GiB and two seats' 512 MiB for each clone are just too much for pve1.
    assert nodes_of(placing.spread(plans(3), site("pve1", "pve2"), where)) == [["pve1"], ["pve2"], ["pve2"]]


def test_a_class_that_does_not_fit_says_how_many_do_over_all_nodes():
    asked = plans(10, memory=4000, kind="vm")
    where = supply(SHARED, ("pve1", 9001))
    placed = placing.spread(asked, site("pve1"), where)
    answer = capacity.fit(placed, where, 10, plots=250)
    assert not answer.fits
    assert answer.most == 3
    assert sorted(share.seats for share in answer.nodes) == [3, 3, 4]
    assert capacity.reasons(answer) == ["3 nodes have 24000 MiB of memory free together, and this needs 80000 MiB on them"]
    well = placing.spread(asked[:3], site("pve1"), where)
    assert capacity.fit(well, where, 3, plots=250).fits


def test_what_is_short_on_one_node_only_is_said_of_that_node():
    nodes = (capacity.Node("pve1", 2000, 500_000, "lvm"),)
    where = supply(nodes, ("pve1", 9001))
    answer = capacity.fit(placing.spread(plans(3, memory=1000, kind="vm"), site("pve1"), where), where, 3, plots=9)
    assert capacity.reasons(answer) == ["node pve1 has 2000 MiB of memory free, and this needs 6000 MiB"]
    assert answer.most == 1


def test_one_full_set_lies_once_on_a_shared_storage_and_once_on_each_of_others():
    def disks(nodes, *templates):
        where = supply(nodes, *templates)
        placed = placing.spread(plans(2), site("pve1", "pve2"), where)
        return sum(share.disk for share in capacity.fit(placed, where, 2, plots=9).nodes)

    clones, full = 4 * capacity.LEAST_GROWTH_MIB, 2 * 2048
    assert disks(SHARED, ("pve1", 9001)) == clones + full
    assert disks(LOCAL, ("pve1", 9001), ("pve2", 9002)) == clones + 2 * full


def test_templates_that_might_be_cloned_are_all_named_once():
    assert placing.sources(plans(2), site("pve1", "pve2")) == {("pve1", "container", 9001), ("pve2", "container", 9002)}
    standing = plans(1, template=100_033)[0].model_copy(update={"stands_on": "golden1"})
    assert placing.sources([standing], site("pve1", "pve2")) == {("pve1", "container", 100_033)}
