"""What Proxmox is asked for so that guests are alone on the management network (`access.md` 1.3), with the token's least privileges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra import program, provider
from infra.work import Work
from labctl.drivers import gates
from labctl.drivers.proxmox import client, cluster, firewall, guests
from labctl.model import plan as plan_
from labctl.model import site as site_
from labctl.sandbox import calls, firewall_cards
from labctl.sandbox.guests import filters
from tests.infra import node_plans
from tests.node_here import NodeHere


@pytest.fixture(scope="module")
def here():
    with NodeHere() as made:
        yield made


@pytest.fixture
def site(here):
    return node_plans.site(here)


@pytest.fixture
def provisioner(here, tmp_path):
    return node_plans.provisioner(here, tmp_path / "state")


@pytest.fixture
def to(provisioner, tmp_path):
    return cluster.Cluster(provisioner._client, gates.Gates(tmp_path / "turns"))


@pytest.fixture
def built(provisioner, site):
    plan = node_plans.plan(site, 7)
    provisioner.build(plan, silent)
    yield plan
    assert provisioner.remove(plan.environment, 7, silent).left == ()


def silent(_line: str) -> None:
    pass


def place(machine) -> guests.Place:
    return guests.Place(machine.node, machine.kind, machine.vmid)


def own(machine) -> str:
    return machine.nics[0].address.partition("/")[0]


def test_each_guest_is_asked_for_with_exactly_these_options_set_and_rule(to, site, built):
    for machine in built.machines:
        found = firewall.look(to, place(machine))
        assert found.options == {
            "enable": "1", "policy_in": "DROP", "policy_out": "DROP", "macfilter": "1", "ipfilter": "1", "dhcp": "0", "radv": "0",
        }  # fmt: skip
        assert found.members == (own(machine),)
        (rule,) = found.rules
        assert {name: rule[name] for name in ("type", "action", "proto", "source", "enable")} == {
            "type": "in", "action": "ACCEPT", "proto": "tcp", "source": str(site.own_address), "enable": "1",
        }  # fmt: skip


def test_only_the_management_card_is_filtered(to, built):
    for machine in built.machines:
        config = guests.look(to, place(machine))
        assert "firewall=1" in config["net0"]
        assert "firewall=1" not in config["net1"]


def test_the_program_says_it_for_both_engines(site):
    drawn = program.draw(node_plans.plan(site, 8), site, "")
    inputs = next(one.inputs for one in drawn.resources if one.name == "guest-web")
    assert [nic.get("firewall") for nic in inputs["nics"]] == [True, None]
    assert inputs["admits"] == str(site.own_address)
    assert program.Program.load(drawn.dump()) == drawn


def test_building_again_writes_nothing_and_mends_what_somebody_changed(provisioner, to, built, site):
    machine = built.machines[0]
    path = f"{place(machine).path}/firewall"
    before = firewall.look(to, place(machine))
    provisioner.build(built, silent)
    assert firewall.look(to, place(machine)) == before
    to.client.put(f"{path}/options", policy_out="ACCEPT", macfilter=0)
    to.client.post(f"{path}/rules", type="in", action="ACCEPT", enable=1)
    to.client.post(f"{path}/rules", type="out", action="ACCEPT", enable=1)
    to.client.post(f"{path}/ipset/{firewall.OWN}", cidr="100.64.0.0/10")
    provisioner.build(built, silent)
    after = firewall.look(to, place(machine))
    assert after.options == before.options
    assert (len(after.rules), after.members) == (1, (own(machine),))
    assert not firewall.differs(after, firewall.Wall(str(site.own_address), own(machine)))


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "in", "action": "ACCEPT", "proto": "tcp", "source": "100.66.0.1", "enable": "0"},
        {"type": "in", "action": "ACCEPT", "proto": "tcp", "source": "100.66.0.1", "enable": "1", "dport": "22"},
        {"type": "in", "action": "ACCEPT", "proto": "tcp", "source": "100.66.0.0/16", "enable": "1"},
        {"type": "in", "action": "ACCEPT", "proto": "udp", "source": "100.66.0.1", "enable": "1"},
    ],
)
def test_a_rule_that_is_almost_the_right_one_is_another(rule):
    wall = firewall.Wall("100.66.0.1", "100.66.0.33")
    found = firewall.Found(firewall.OPTIONS, ({**rule, "pos": "0"},), (wall.own,))
    assert firewall.differs(found, wall)
    right = replace(found, rules=({**wall.rule, "pos": "0", "digest": "x", "ipversion": "4"},))
    assert not firewall.differs(right, wall)
    assert not firewall.differs(replace(right, members=("100.66.0.33/32",)), wall)


def frozen(provisioner, site, plot: int) -> tuple[plan_.Plan, plan_.Plan]:
    """Golden machines made on this plot, and a seat that is to be cloned from them on the next one."""
    plan = node_plans.plan(site, plot, environment=f"g{plot:09d}", networks=0)
    machines = provisioner.build(plan, silent)
    for _twice in range(2):
        provisioner.freeze(plan, machines, lambda _machine: None, silent)
    templates = {one.name: one.vmid for one in plan.machines}
    seat = node_plans.plan(site, plot + 1, environment=f"s{plot:09d}", networks=0)
    cloned = tuple(one.model_copy(update={"template": templates[one.name]}) for one in seat.machines)
    return plan, seat.model_copy(update={"machines": cloned})


def test_a_clone_of_a_golden_machine_has_its_own_address_only_and_is_switched_on_when_it_has(provisioner, to, site):
    plan, seat = frozen(provisioner, site, 11)
    for machine in plan.machines:
        found = firewall.look(to, place(machine))
        assert (found.members, found.options["enable"]) == ((), "0")
    provisioner.build(seat, silent)
    for machine in seat.machines:
        found = firewall.look(to, place(machine))
        assert found.members == (own(machine),)
        assert len(found.rules) == 1
        inherited = firewall.look(to, guests.Place(machine.node, machine.kind, machine.template))
        steps = list(firewall._steps(inherited, firewall.Wall(str(site.own_address), own(machine))))
        assert steps == [("POST", f"/ipset/{firewall.OWN}", {"cidr": own(machine)}), ("PUT", "/options", {"enable": "1"})]
    assert provisioner.remove(seat.environment, 12, silent).left == ()
    assert provisioner.remove(plan.environment, 11, silent).left == ()


class LookedAt(client.Client):
    """A client of a cluster whose node puts its firewall in force after each single call: `found` is what a guest's cards got, in turn."""

    def __init__(self, here: NodeHere, to: site_.Cluster, vmid: int) -> None:
        super().__init__(to)
        self._here, self._vmid = here, vmid
        self.found: list[tuple[filters.Card, ...]] = []

    def _once(self, method: str, path: str, parameters: dict[str, Any]) -> Any:
        answer = super()._once(method, path, parameters)
        self.found.append(tuple(card for card in firewall_cards.wanted(self._here.node).cards if card.vmid == self._vmid))
        return answer


@pytest.mark.parametrize("golden", [True, False])
def test_whenever_a_node_looks_a_new_guest_is_not_filtered_yet_or_answers_labctl(provisioner, here, site, tmp_path, golden):
    """Half of it in force would close the guest for the ten seconds until the node looks again."""
    ground, seat = frozen(provisioner, site, 15) if golden else (None, node_plans.plan(site, 16, networks=0))
    drawn = program.draw(seat, site, "")
    try:
        for one in drawn.resources:
            inputs = one.inputs | ({"pool": seat.pool} if "pool" in one.inputs else {})
            looked = LookedAt(here, site.cluster, inputs.get("vmid", 0))
            provider.KINDS[one.type].make(Work(cluster.Cluster(looked, gates.Gates(tmp_path / "turns"))), inputs)
            if "vmid" in inputs:
                last = looked.found[-1]
                assert [card.mac for card in last] == [inputs["nics"][0]["mac"].lower()]
                assert any(str(site.own_address) in line and "accept" in line for line in last[0].inwards)
                assert set(looked.found) == {(), last}
    finally:
        assert provisioner.remove(seat.environment, 16, silent).left == ()
        if ground is not None:
            assert provisioner.remove(ground.environment, 15, silent).left == ()


def test_what_a_template_brings_along_does_not_stay(provisioner, here, to, site):
    """IT's template, with a firewall of its own that lets everybody in."""
    template = site.images["debian-12"].of("vm")[0]
    path = f"/nodes/{template.node}/qemu/{template.vmid}/firewall"
    as_root(here, "POST", f"{path}/rules", type="in", action="ACCEPT", enable="1")
    as_root(here, "POST", f"{path}/ipset", name=firewall.OWN)
    as_root(here, "POST", f"{path}/ipset/{firewall.OWN}", cidr="10.0.0.0/8")
    plan = node_plans.plan(site, 13, machines="web:vm", networks=0)
    try:
        provisioner.build(plan, silent)
        found = firewall.look(to, place(plan.machines[0]))
        assert (len(found.rules), found.rules[0]["source"], found.members) == (1, str(site.own_address), (own(plan.machines[0]),))
    finally:
        as_root(here, "DELETE", f"{path}/rules/0")
        as_root(here, "DELETE", f"{path}/ipset/{firewall.OWN}", force="1")
        provisioner.remove(plan.environment, 13, silent)


def test_a_write_of_which_nobody_knows_whether_it_was_done_is_looked_at_and_finished(provisioner, here, to, site):
    here.wrong("{call: 'POST /nodes/{node}/qemu/{vmid}/firewall/ipset', do: lost-answer, nth: 1}")
    plan = node_plans.plan(site, 14, machines="web:vm", networks=0)
    try:
        provisioner.build(plan, silent)
        assert here.struck.exists()
        found = firewall.look(to, place(plan.machines[0]))
        assert not firewall.differs(found, firewall.Wall(str(site.own_address), own(plan.machines[0])))
    finally:
        here.wrong()
        provisioner.remove(plan.environment, 14, silent)


def as_root(here, verb, path, /, **params):
    """What IT does."""
    return calls.perform(here.node, "root@pam", verb, path, params)


def test_all_is_well_on_a_node_that_was_set_up_as_it_should_be(here, site):
    assert firewall.findings(client.Client(site.cluster), site) == []


def test_a_datacenter_whose_firewall_is_off_is_found_with_what_to_do(here, site):
    as_root(here, "PUT", "/cluster/firewall/options", enable="0")
    try:
        ((text, remedy),) = firewall.findings(client.Client(site.cluster), site)
    finally:
        as_root(here, "PUT", "/cluster/firewall/options", enable="1")
    assert "the datacenter's firewall is off" in text
    assert "--enable 1" in remedy


def test_a_vnet_that_does_not_isolate_is_found_with_what_to_do(here, site):
    as_root(here, "PUT", f"/cluster/sdn/vnets/{site.management_vnet}", **{"isolate-ports": "0"})
    try:
        ((text, remedy),) = firewall.findings(client.Client(site.cluster), site)
    finally:
        as_root(here, "PUT", f"/cluster/sdn/vnets/{site.management_vnet}", **{"isolate-ports": "1"})
    assert "does not isolate its ports" in text
    assert "--isolate-ports 1" in remedy


def test_a_token_that_may_not_look_is_told_so(here, site):
    for who in ({"users": "labctl@pve"}, {"tokens": "labctl@pve!lab"}):
        as_root(here, "PUT", "/access/acl", path="/", roles="LabctlSee", delete="1", **who)
    try:
        texts = [text for text, _ in firewall.findings(client.Client(site.cluster), site)]
    finally:
        as_root(here, "PUT", "/access/acl", path="/", roles="LabctlSee", users="labctl@pve", tokens="labctl@pve!lab", propagate="0")
    assert texts == ["labctl may not see whether the datacenter's firewall is on"]
