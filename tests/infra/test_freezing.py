"""Golden machines on a node: frozen in order, again after anything, cloned from with the pool's rights only, never removed under clones."""

from __future__ import annotations

import pytest

from infra import freezing
from labctl import errors, ports
from labctl.drivers.proxmox import client, guests
from labctl.model import baking, marks
from labctl.model.environment import Machine
from tests.infra import node_plans
from tests.sandbox_node import SandboxNode

GROUND, SEAT = "g000000001", "s000000001"


@pytest.fixture(scope="module")
def node():
    with SandboxNode() as running:
        yield running


@pytest.fixture
def world(node, tmp_path):
    made = node_plans.provisioner(node, tmp_path / "state")
    yield made, node_plans.site(node)
    for environment, plot in ((SEAT, 6), (GROUND, 5)):
        made.remove(environment, plot, lambda _line: None)


def silent(_line: str) -> None:
    pass


def config(where, machine: Machine) -> dict:
    return client.Client(where.cluster).get(guests.Place(machine.node, machine.kind, machine.vmid).path + "/config")


def ground(world):
    provisioner, where = world
    plan = node_plans.plan(where, 5, environment=GROUND, machines="web:vm,db:container,edge:container:web")
    return plan, provisioner.build(plan, silent)


def test_what_came_up_last_is_sealed_and_goes_down_first(world):
    provisioner, where = world
    plan, machines = ground(world)
    sealed: list[str] = []
    provisioner.freeze(plan, machines, lambda machine: sealed.append(machine.name), silent)
    assert sorted(sealed) == ["db", "edge", "web"]
    assert sealed.index("edge") < sealed.index("web")
    for machine in machines:
        assert config(where, machine)["template"] == 1
        assert str(marks.read_mark(config(where, machine)["description"], machine.vmid)).endswith(f"vmid={machine.vmid}")


def test_repeating_seals_no_template_again_and_finishes_the_rest(world):
    provisioner, where = world
    plan, machines = ground(world)

    def cut(machine: Machine) -> None:
        if machine.name == "web":
            raise errors.PermanentError("cut off")

    with pytest.raises(errors.PermanentError, match="cut off"):
        provisioner.freeze(plan, machines, cut, silent)
    sealed: list[str] = []
    provisioner.freeze(plan, machines, lambda machine: sealed.append(machine.name), silent)
    assert sealed == ["web"]
    provisioner.freeze(plan, machines, lambda machine: sealed.append(machine.name), silent)
    assert sealed == ["web"]
    assert all(config(where, machine)["template"] == 1 for machine in machines)


def test_a_machine_that_was_off_is_started_and_sealed_before_it_becomes_a_template(world):
    provisioner, where = world
    plan, machines = ground(world)
    to = provisioner._cluster()
    for machine in machines:
        guests.stop(to, guests.Place(machine.node, machine.kind, machine.vmid))

    def seal(machine: Machine) -> None:
        assert guests.is_running(to, guests.Place(machine.node, machine.kind, machine.vmid))

    provisioner.freeze(plan, machines, seal, silent)
    assert all(config(where, machine)["template"] == 1 for machine in machines)


def test_a_machine_nobody_gets_into_is_switched_off_so_that_the_next_attempt_begins_with_a_boot(world):
    provisioner, _ = world
    plan, machines = ground(world)
    to = provisioner._cluster()

    def deaf(machine: Machine) -> None:
        raise errors.Unreachable(f"{machine.name}: SSH does not answer")

    with pytest.raises(errors.Unreachable):
        provisioner.freeze(plan, machines, deaf, silent)
    edge = next(machine for machine in machines if machine.name == "edge")
    assert not guests.is_running(to, guests.Place(edge.node, edge.kind, edge.vmid))
    provisioner.freeze(plan, machines, lambda machine: None, silent)


def test_seats_are_linked_clones_and_their_golden_machines_stay_as_long_as_they(world):
    provisioner, where = world
    plan, machines = ground(world)
    provisioner.freeze(plan, machines, lambda machine: None, silent)
    seat = node_plans.plan(where, 6, environment=SEAT, machines="web:vm,db:container,edge:container:web")
    made = provisioner.build(baking.stand(seat, where, GROUND, 5), silent)
    for machine in made:
        found = config(where, machine)
        assert "template" not in found
        assert marks.read_mark(found["description"], machine.vmid).environment == SEAT
        assert GROUND not in found["tags"]
        assert f"base-{marks.vmid(where, 5, 1)}" in str(found) or machine.name != "web"
        assert all(marks.vnet(5, 0) not in str(value) for key, value in found.items() if key.startswith("net"))
    try:
        removal = provisioner.remove(GROUND, 5, silent)
    except errors.LabctlError as refused:
        assert isinstance(refused, errors.TemporaryError)  # noqa: PT017 -- either way it must be one that is tried again
    else:
        assert removal.left
    assert all(config(where, machine)["template"] == 1 for machine in machines)
    assert provisioner.remove(SEAT, 6, silent).left == ()
    assert provisioner.remove(GROUND, 5, silent).left == ()
    assert provisioner.remove(GROUND, 5, silent) == ports.Removal()
    assert provisioner.leftovers([]) == ()


def test_circles_are_refused_and_waves_are_the_reverse_of_after(node):
    where = node_plans.site(node)
    plan = node_plans.plan(where, machines="a:vm,b:vm:a,c:vm:b,d:vm:a")
    assert list(freezing.waves(plan)) == [{"c", "d"}, {"b"}, {"a"}]
    circle = node_plans.plan(where, machines="a:vm:b,b:vm:a")
    with pytest.raises(errors.PermanentError, match="wait for each other"):
        list(freezing.waves(circle))
