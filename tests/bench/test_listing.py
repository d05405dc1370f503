"""The floor of `make bench-scale` by hand: what one seat takes is its longest chain, what many take is the lock they all need."""

from __future__ import annotations

import dataclasses

import pytest

from labctl.sandbox.paper import description
from tests.bench import listing

TIMES = description.Times(
    fork=1, clone=2, allocate=1, start_vm=3, start_container=2, boot_vm=20, boot_container=4, snapshot=5, sdn=6, sdn_node=0
)


def cluster(**limits):
    made = description.default(2, 1.0)
    return dataclasses.replace(made, times=TIMES, limits=dataclasses.replace(made.limits, **limits))


def seat(*kinds, node="pve1", configure=10, prove=7):
    return listing.Seat(tuple(listing.Guest(kind, f"golden {kind}", node) for kind in kinds), configure, prove)


def test_one_seat_takes_its_longest_chain():
    clone, start, boot, own = 1 + 2 + 1, 1 + 3, 20, 10 + 1 + 5 + 7
    assert listing.seconds(cluster(), [seat("vm")]) == max(clone, 1 + 6) + start + boot + own


def test_clones_wait_for_the_lock_of_the_storage_that_they_share():
    few, many = (listing.seconds(cluster(), [seat("vm", node=f"pve{1 + number % 2}") for number in range(size)]) for size in (100, 200))
    assert many - few == pytest.approx(100 * (2 + 1))


def test_containers_clones_wait_for_their_template_too():
    few, many = (listing.seconds(cluster(), [seat("container")] * size) for size in (100, 200))
    assert many - few == pytest.approx(100 * (1 + 2))


def test_a_node_starts_and_boots_so_many_at_once():
    seats = [seat("container")] * 40
    assert listing.seconds(cluster(boots=1), seats) > listing.seconds(cluster(boots=32), seats) + 20
    assert listing.seconds(cluster(starts=1, boots=100), seats) >= 40 * 2


def test_a_storage_on_each_node_halves_what_two_nodes_need():
    shared, local = cluster(), description.default(2, 1.0, local=True)
    local = dataclasses.replace(local, times=TIMES, limits=shared.limits)
    seats = [seat("vm", node=f"pve{1 + number % 2}") for number in range(200)]
    assert listing.seconds(local, seats) < 0.6 * listing.seconds(shared, seats)
