"""A seat whose node fails is built on another; golden machines are where clones can reach them; and nothing is left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.model.environment import State, Wanted
from labctl.sandbox.paper import description
from tests.cluster import class_here
from tests.cluster.cluster_here import ClusterHere


@pytest.fixture
def shared(tmp_path_factory):
    with ClusterHere(tmp_path_factory.mktemp("cluster"), description.default(3, class_here.SPEED)) as cluster:
        yield cluster


@pytest.fixture
def local(tmp_path_factory):
    with ClusterHere(tmp_path_factory.mktemp("cluster"), description.default(2, class_here.SPEED, local=True)) as cluster:
        yield cluster


def close(house, cluster):
    """The class and its golden machines go; a search finds nothing."""
    house.wired.desk.close("monday", who="tess")
    envs = [env.id for env in house.wired.environments.environments()]
    sets = list(house.wired.goldens.list())
    house.go(*(env for env in envs if not house.env(env).golden), to=State.GONE)
    for held in sets:
        house.wired.goldens.remove(held.room.slug, who="tess")
        house.go(held.environment.id, to=State.GONE)
    assert cluster.where() == {}
    assert house.wired.provisioner.leftovers(()) == ()


def test_a_class_spreads_and_a_seat_of_a_node_that_went_away_is_built_on_another(shared, tmp_path):
    house = class_here.make(tmp_path, shared.site(), class_here.PLAIN)
    seats = house.open(3)
    assert [house.wired.environments.plan(seat).machines[0].node for seat in seats] == ["pve1", "pve2", "pve3"]
    shared.away("pve2")
    house.go(*seats)
    assert house.nodes(*seats) == [{"pve1"}, house.nodes(seats[1])[0], {"pve3"}]
    assert house.nodes(seats[1])[0] <= {"pve1", "pve3"}
    plan = house.wired.environments.plan(seats[1])
    assert plan.avoid == ("pve2",)
    assert f"goes from pve2 to {plan.machines[0].node}" in house.said(seats[1])
    assert house.env(seats[1]).facts.machines[0].instead_of == "pve2"
    shared.away()
    close(house, shared)


def test_a_seat_goes_where_there_is_room_when_its_storage_is_full(local, tmp_path):
    house = class_here.make(tmp_path, local.site(), class_here.PLAIN)
    seats = house.open(2)
    local.fill("pve2")
    house.go(*seats)
    assert house.nodes(*seats) == [{"pve1"}, {"pve1"}]
    assert house.wired.environments.plan(seats[1]).bound == "pve1"
    local.away()
    close(house, local)


def test_on_shared_storage_one_set_of_golden_machines_serves_all_nodes(shared, tmp_path):
    house = class_here.make(tmp_path, shared.site(), class_here.BAKED)
    seats = house.open(3)
    (ground,) = house.wired.goldens.list()
    house.go(ground.environment.id)
    house.go(*seats)
    assert sorted(*house.nodes(seats[0])) + sorted(*house.nodes(seats[1])) + sorted(*house.nodes(seats[2])) == ["pve1", "pve2", "pve3"]
    close(house, shared)


@pytest.fixture
def uneven(tmp_path_factory):
    """The node that answers for the cluster has least memory: nothing is placed there first, so another one can be lost."""
    known = description.default(3, class_here.SPEED)
    nodes = (replace(known.nodes[0], memory=128 * 1024), *known.nodes[1:])
    with ClusterHere(tmp_path_factory.mktemp("cluster"), replace(known, nodes=nodes)) as cluster:
        yield cluster


def test_golden_machines_on_shared_storage_that_cannot_be_built_on_one_node_are_built_on_another(uneven, tmp_path):
    house = class_here.make(tmp_path, uneven.site(), class_here.BAKED)
    seats = house.open(2)
    (ground,) = house.wired.goldens.list()
    first = house.wired.environments.plan(ground.environment.id).machines[0].node
    assert first != "pve1"
    uneven.away(first)
    house.go(ground.environment.id)
    assert first not in house.nodes(ground.environment.id)[0]
    house.go(*seats)
    uneven.away()
    close(house, uneven)


def test_where_disks_are_each_nodes_own_each_node_has_golden_machines_and_a_moved_seat_stands_on_the_other_ones(local, tmp_path):
    house = class_here.make(tmp_path, local.site(), class_here.BAKED)
    seats = house.open(2)
    sets = {house.wired.environments.plan(held.environment.id).bound: held.environment.id for held in house.wired.goldens.list()}
    assert sorted(sets) == ["pve1", "pve2"]
    assert [house.wired.environments.plan(seat).stands_on for seat in seats] == [sets["pve1"], sets["pve2"]]
    house.go(*sets.values())
    local.fill("pve2")
    house.go(*seats)
    assert house.nodes(*seats) == [{"pve1"}, {"pve1"}]
    assert house.wired.environments.plan(seats[1]).stands_on == sets["pve1"]
    # A newer set on one node does not make the other node's look old.
    assert house.wired.goldens.expire() == ()
    local.away()
    close(house, local)


def test_without_another_node_a_seat_goes_on_where_it_is_once_it_can(shared, tmp_path):
    house = class_here.make(tmp_path, shared.site(), class_here.PLAIN)
    (seat,) = house.open(1)
    shared.away("pve1", "pve2", "pve3")
    for _ in range(4):
        house.turn(seat)
        house.clock.pass_(seconds=301)
    assert house.env(seat).facts.trouble.node == "pve1"
    assert "there is no other node for it" in house.said(seat)
    shared.away("pve2", "pve3")
    house.go(seat)
    assert house.nodes(seat) == [{"pve1"}]
    shared.away()
    close(house, shared)


def test_baking_ahead_of_a_class_makes_a_set_for_each_storage(local, shared, tmp_path):
    for cluster, folder, count in ((local, "a", 2), (shared, "b", 1)):
        (tmp_path / folder).mkdir()
        house = class_here.make(tmp_path / folder, cluster.site(), class_here.BAKED)
        made = house.wired.goldens.ahead(house.wired.desk.book("course"), "tess")
        assert len(made) == count
        assert {env.id for env in house.wired.goldens.ahead(house.wired.desk.book("course"), "tess")} == {env.id for env in made}
        house.open(1)
        assert len(house.wired.goldens.list()) == count


def seats_of(house):
    return [seat.environment for seat in house.wired.classrooms.classroom("monday").seats]


def test_a_seat_whose_guests_cannot_go_with_their_node_gets_other_machines_and_the_old_ones_go_when_it_is_back(shared, tmp_path):
    house = class_here.make(tmp_path, shared.site(), class_here.BAKED)
    seats = house.open(3)
    (ground,) = house.wired.goldens.list()
    house.go(ground.environment.id)
    house.go(*seats)
    home = house.nodes(ground.environment.id)[0]
    lost = next(seat for seat in seats if house.nodes(seat)[0] != home)
    node = house.nodes(lost)[0].pop()
    shared.away(node)
    number = house.env(lost).seat
    house.wired.desk.reset("monday", number, who="tess")
    for _ in range(4):
        house.turn(lost)
        house.clock.pass_(seconds=301)
    new = next((seat for seat in seats_of(house) if seat not in seats), None)
    assert new is not None, house.said(lost)
    assert f"seat {number} gets other machines, for {node} is away" in house.said(new)
    house.go(new)
    assert node not in house.nodes(new)[0]
    assert house.env(new).facts.machines[0].instead_of == node
    old, fresh = house.env(lost), house.wired.environments.plan(new)
    assert (old.wishes.wanted, old.wishes.aside) == (Wanted.GONE, True)
    assert old.facts.state is not State.GONE
    assert fresh.principal == house.wired.environments.plan(lost).principal
    assert old.plot != house.env(new).plot
    assert (house.env(new).seat, old.seat) == (number, 4)
    # It goes on by itself: nobody has to remember what stood there.
    shared.away()
    house.go(lost, to=State.GONE)
    close(house, shared)
