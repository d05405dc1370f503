"""Sizing: sums of memory, disk, plots, VMIDs and tags; how many seats fit instead; times only where they were measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from labctl.model import capacity
from labctl.model.environment import Step
from labctl.model.plan import PlannedNetwork
from tests import fakes

ROOM = capacity.Node("sandbox", memory=10_000, disk=100_000, storage="lab")


def plans(count, **change):
    made = [fakes.plan(f"e{number}", number, machines=("web", "box")) for number in range(1, count + 1)]
    return [plan.model_copy(update={"machines": tuple(m.model_copy(update=change) for m in plan.machines)}) for plan in made]


def fit(made, supply=None, seats=None, plots=250):
    templates = {("sandbox", 9001): 2048}
    return capacity.fit(made, supply or capacity.Supply((ROOM,), templates), seats or len(made), plots=plots)


def test_what_fits_says_where_and_how_much():
    answer = fit(plans(5, kind="vm", memory=1000))
    assert answer.fits
    assert answer.most == 5
    assert answer.short == ()
    # Ten clones write 512 MiB each at least, over one full set of two disks of 2 GiB.
    assert answer.nodes == (capacity.Share("sandbox", 10, 10_000, 10_000, 10 * 512 + 2 * 2048, 100_000, 5),)


def test_memory_counts_the_least_a_balloon_leaves_and_a_part_of_what_containers_may_use():
    assert fit(plans(1, kind="vm", memory=4000, memory_min=1000)).nodes[0].memory == 2000
    assert fit(plans(1, kind="container", memory=4000)).nodes[0].memory == 2000
    lean = capacity.Supply((replace(ROOM, lean=True),))
    assert fit(plans(1, kind="vm", memory=4000), lean).nodes[0].memory == 2000


def test_too_little_memory_says_how_many_seats_fit():
    answer = fit(plans(6, kind="vm", memory=1000))
    assert not answer.fits
    assert answer.most == 5
    assert [str(one) for one in answer.short] == ["node sandbox has 10000 MiB of memory free, and this needs 12000 MiB"]
    assert capacity.refusal(answer)[1] == "Ask for fewer seats: 5 fit (--seats 5)."
    nothing = fit(plans(1, kind="vm", memory=20_000))
    assert nothing.most == 0
    assert capacity.refusal(nothing)[1].startswith("Close a class")


def test_disks_grow_by_a_tenth_over_one_full_set_and_a_shared_storage_counts_once():
    big = plans(10, disk=100)
    assert fit(big).nodes[0].disk == 20 * 10_240 + 2 * 102_400
    assert [one.what for one in fit(big).short] == ["disk"]
    unknown = fit(plans(1), capacity.Supply((ROOM,))).nodes[0].disk
    assert unknown == 2 * 2048 + 2 * capacity.USUAL_DISK_MIB
    two = plans(2, disk=20)
    two[1] = two[1].model_copy(update={"machines": tuple(m.model_copy(update={"node": "second"}) for m in two[1].machines)})
    nodes = tuple(capacity.Node(name, 10_000, 50_000, "ceph", shared=True) for name in ("sandbox", "second"))
    short = fit(two, capacity.Supply(nodes)).short
    assert [(one.what, one.where, one.free) for one in short] == [("disk", "storage ceph", 50_000)] or short == ()
    less = tuple(replace(node, disk=5_000) for node in nodes)
    assert [(one.what, one.where) for one in fit(two, capacity.Supply(less)).short] == [("disk", "storage ceph")]


def test_too_few_plots_are_named_and_the_sums_are_for_all_seats_that_are_wanted():
    answer = fit(plans(2, kind="vm", memory=1000), seats=4, plots=2)
    assert [one.what for one in answer.short] == ["plots"]
    assert answer.most == 2
    assert answer.nodes[0].memory == 8000


def test_foreign_guests_and_networks_in_the_range_are_named():
    made = plans(3)
    net = PlannedNetwork(name="lan", vnet="l20", tag=48, cidr="10.0.0.0/24")
    made[2] = made[2].model_copy(update={"networks": (net,)})
    supply = capacity.Supply((ROOM,), {("sandbox", 9001): 2048}, vmids=frozenset({made[1].machines[0].vmid}), tags=frozenset({48}))
    answer = fit(made, supply)
    assert [(one.what, one.needed, one.free) for one in answer.short] == [("VMIDs", 3, 2), ("VNet tags", 3, 2)]
    assert answer.most == 1
    assert "taken by others" in str(answer.short[0])


def test_ready_is_so_many_waves_of_the_medians():
    times = {Step.BUILD: (4.0, 100.0, 6.0), Step.CONFIGURE: (10.0,), Step.PROVE: (2.0, 2.0)}
    answer = capacity.timed(fit(plans(9)), times, at_once=4, begins=fakes.NOON)
    assert [(one.step, one.seconds, one.measurements) for one in answer.steps] == [
        (Step.BUILD, 6.0, 3),
        (Step.CONFIGURE, 10.0, 1),
        (Step.PROVE, 2.0, 2),
    ]
    assert answer.ready_after == timedelta(seconds=3 * 18)
    assert answer.ready_at == fakes.NOON + timedelta(seconds=54)


def test_only_the_newest_measurements_count():
    times = dict.fromkeys(capacity.TIMED, (1.0,) * capacity.NEWEST + (1000.0,) * 100)
    assert capacity.timed(fit(plans(1)), times, at_once=1, begins=fakes.NOON).ready_after == timedelta(seconds=3)


@pytest.mark.parametrize("missing", capacity.TIMED)
def test_without_a_measurement_there_is_no_time(missing):
    times = {step: (5.0,) for step in capacity.TIMED if step is not missing}
    answer = capacity.timed(fit(plans(1)), times, at_once=4, begins=fakes.NOON)
    assert answer.ready_at is None
    assert answer.ready_after is None
    assert [one.step for one in answer.steps if one.seconds is None] == [missing]
