"""Machines that do not run any more, on a paper cluster: noticed, told, started again with all that is on them, or said to be gone."""

from __future__ import annotations

import time

import pytest

from infra.provisioner import Provisioner
from labctl import errors
from labctl.drivers import gates
from labctl.drivers.proxmox import client, guests
from labctl.drivers.proxmox import cluster as cluster_
from labctl.model import lifecycle
from labctl.model.lifecycle import Status
from labctl.sandbox.paper import description
from tests.cluster import class_here
from tests.cluster.cluster_here import ClusterHere
from tests.cluster.test_elsewhere import close


@pytest.fixture
def cluster(tmp_path_factory):
    with ClusterHere(tmp_path_factory.mktemp("cluster"), description.default(3, class_here.SPEED)) as running:
        yield running


@pytest.fixture
def house(cluster, tmp_path):
    made = class_here.make(tmp_path, cluster.site(), class_here.PLAIN)
    made.go(*made.open(3))
    return made


@pytest.fixture
def to(cluster, tmp_path):
    return cluster_.Cluster(client.Client(cluster.site().cluster, patience=2), gates.Gates(tmp_path / "turns"))


def seats(house):
    return [env.id for env in house.wired.environments.environments()]


def place(house, seat):
    machine = house.env(seat).facts.machines[0]
    return guests.Place(machine.node, machine.kind, machine.vmid)


def noticed(house, *expected):
    """Look until these are found: the cluster's list comes a moment late."""
    deadline, found = time.monotonic() + 120, set()
    while not found >= set(expected):
        assert time.monotonic() < deadline, f"noticed {found} only"
        found |= set(house.wired.watch.look())
    assert found == set(expected)


def status(house, seat):
    return lifecycle.status(house.env(seat), house.clock.now())


def test_while_all_run_nothing_is_found(house):
    assert house.wired.watch.look() == ()
    assert [status(house, seat) for seat in seats(house)] == [Status.READY] * 3


def test_a_machine_that_was_switched_off_is_noticed_and_started_again(house, cluster, to):
    one = seats(house)[0]
    guests.stop(to, place(house, one))
    house.bell.rung.clear()
    noticed(house, one)
    assert status(house, one) is Status.STARTING
    assert house.env(one).facts.trouble.reason == "box is switched off"
    assert house.bell.rung == [one]
    house.turn(one)
    assert guests.is_running(to, place(house, one))
    assert status(house, one) is Status.READY
    assert house.env(one).facts.trouble is None
    assert "box: was off, and is started" in house.said(one)
    close(house, cluster)


def test_a_machine_that_is_gone_waits_for_a_person_and_a_reset_makes_it_anew(house, cluster, to):
    one = seats(house)[0]
    guests.destroy(to, place(house, one), None)
    noticed(house, one)
    house.turn(one)
    assert status(house, one) is Status.FAILED
    assert house.env(one).facts.trouble.reason.startswith("box is not there any more. Reset the seat")
    house.wired.desk.reset("monday", house.env(one).seat, who="tess")
    house.go(one)
    assert guests.is_running(to, place(house, one))
    close(house, cluster)


def test_a_node_that_is_away_is_said_of_its_seats_only_and_they_are_ready_when_it_is_back(house, cluster, to):
    one, two, three = sorted(seats(house), key=lambda seat: house.env(seat).facts.machines[0].node)
    assert house.nodes(two) == [{"pve2"}]
    cluster.away("pve2")
    with pytest.raises(errors.Unreachable):
        to.client.get("/nodes/pve2/status")
    noticed(house, two)
    assert house.env(two).facts.trouble.reason == "box is on node pve2, which does not answer"
    for _ in range(lifecycle.STUCK_AFTER):
        house.turn(two)
        house.clock.pass_(seconds=301)
    assert [status(house, seat) for seat in (one, two, three)] == [Status.READY, Status.STUCK, Status.READY]
    # To try again would mean to begin anew, and the learner's work is on that node.
    assert house.wired.desk.retry("monday", who="tess") == ()
    cluster.away()
    house.turn(two)
    assert status(house, two) is Status.READY
    assert house.env(two).wishes.round == 1, "nobody reset it"
    close(house, cluster)


def test_what_somebody_works_on_or_looks_at_aside_is_nobodys_trouble(house, to):
    one, two, three = seats(house)
    claim = house.wired.environments.claim(one, "somebody", house.wired.watch.hold)
    house.wired.desk.reset("monday", house.env(two).seat, who="tess")
    for seat in (one, two, three):
        guests.stop(to, place(house, seat))
    noticed(house, three)
    assert (status(house, one), status(house, two)) == (Status.READY, Status.RESETTING)
    house.wired.environments.release(claim)
    noticed(house, one)


def test_where_the_cluster_cannot_be_asked_nothing_is_said_of_machines(house, cluster, tmp_path):
    site = cluster.site()
    nowhere = site.model_copy(update={"cluster": site.cluster.model_copy(update={"url": "https://127.0.0.1:9"})})
    blind = Provisioner(nowhere, tmp_path / "blind", "embedded", tmp_path / "passphrase")
    watch = type(house.wired.watch)(**{**vars(house.wired.watch), "provisioner": blind})
    assert watch.look() == ()
    assert [status(house, seat) for seat in seats(house)] == [Status.READY] * 3


def test_a_locked_guest_that_is_off_is_somebodys_work(house, to):
    one = seats(house)[0]
    guests.stop(to, place(house, one))
    machine = house.env(one).facts.machines[0]
    deadline = time.monotonic() + 120
    while not house.wired.provisioner.ailing([machine]):
        assert time.monotonic() < deadline
    to.client.put(f"{place(house, one).path}/config", lock="backup")
    assert house.wired.provisioner.ailing([machine]) == {}
