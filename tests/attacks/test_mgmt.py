"""Attacks on the management network by real guests, and each of its walls taken away in turn: then the attack has to succeed, or the test
would prove nothing. Walls: isolated ports, no learning, guests' firewall (the node's); rules and fixed neighbours (labctl's).
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from ipaddress import IPv4Network

import pytest

from labctl.drivers import wire
from labctl.model.site import Cluster, Site
from labctl.sandbox.guests import filters
from tests.attacks import mgmt
from tests.sandbox.guest_house import HELD, House, run

pytestmark = pytest.mark.guests

ATTACKER, VICTIM = 101, 102
OUTER = "192.0.2.77"
BARE: dict[str, bool] = {}
FILTERED = {"firewall": True}


@pytest.fixture(scope="module")
def house():
    with House("at") as made:
        for vmid in (ATTACKER, VICTIM):
            made.runtime.clone(9000, vmid, linked=True)
        yield made


@pytest.fixture(scope="module")
def laid(house):
    site = Site(
        installation=house.name,
        cluster=Cluster(secret_file="", ca_file=""),
        management=IPv4Network(f"{house.prefix}.0/24"),
        management_interface=house.uplink,
    )
    made = wire.Wire(site)
    made.lay()
    run("ip", "addr", "add", f"{OUTER}/32", "dev", "lo")
    run("sysctl", "-qw", f"net.ipv4.conf.{house.uplink}.forwarding=1")  # a machine that would forward, were it not for the rules
    yield made
    run("ip", "addr", "del", f"{OUTER}/32", "dev", "lo")
    made.remove()


@pytest.fixture(scope="module")
def service():
    """A service of labctl's machine on every address, as many do."""
    listening = socket.create_server(("0.0.0.0", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                listening.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    listening.close()


def card(house, vmid):
    own = (house.address(vmid),)
    words = (f"ip saddr {{ {house.prefix}.1 }} meta l4proto tcp accept", "drop")
    return filters.Card(vmid, 0, house.mac(vmid), inwards=words, outwards=("drop",), own=own, arp=own, dhcp=False)


@contextlib.contextmanager
def scene(house, with_card, *, table=None):
    """Both guests run with such a card; their firewall is in force where the card has one. `table`: the wire whose rules are taken away
    meanwhile.
    """
    cards = tuple(card(house, vmid) for vmid in (ATTACKER, VICTIM)) if with_card.get("firewall") else ()
    house.runtime.enforce(filters.Filter(on=bool(cards), cards=cards))
    for vmid in (ATTACKER, VICTIM):
        house.runtime.stop(vmid)
        house.start(vmid, card=with_card)
    if table is not None:
        run("nft", "delete", "table", "inet", table.table)
    try:
        yield
    finally:
        if table is not None:
            table.lay()
        house.runtime.enforce(filters.Filter())


def inside(house):
    """Programs as root in the attacker, put in from outside: no wall between labctl and its guests may be in the attack's way."""

    def root(program: str) -> str:
        pid = str(house.runtime._container(ATTACKER).init())
        done = subprocess.run(
            ["nsenter", "-t", pid, "-m", "-n", "-p", "-U", "-S", "0", "-G", "0", "python3", "-"],
            input=program, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return root


def targets(house, service):
    return mgmt.Targets(labctl=f"{house.prefix}.1", ports=(service, 22), outer=(OUTER,), neighbours=(house.address(VICTIM),))


def victim(house):
    return mgmt.Victim(house.address(VICTIM), house.mac(VICTIM))


def right(house):
    """Whether labctl's machine gets at the true victim now, whose host key is known."""

    def ask() -> bool:
        # Five seconds: a slow victim is right, and a claimed address comes right by itself after eight.
        done = run("ssh-keyscan", "-T", "5", "-t", "ed25519", house.address(VICTIM), check=False)
        return house.host_key(VICTIM).split()[1] in done.stdout

    return ask


def test_with_all_walls_everything_is_refused_and_without_any_everything_that_is_there_is_reached(house, laid, service):
    with scene(house, HELD | FILTERED):
        tried = mgmt.reach(inside(house), targets(house, service))
        tried += mgmt.as_other_account(house.address(VICTIM), 22)
        assert right(house)()
    with scene(house, BARE, table=laid):
        without = mgmt.reach(inside(house), targets(house, service))
        without += mgmt.as_other_account(house.address(VICTIM), 22)
    assert [one.attack for one in tried if not one.refused] == []
    assert len(tried) >= 12
    # Nobody is there beyond this machine, and its cable has no IPv6: these have no control.
    none = {"169.254.169.254 through labctl", "192.0.2.1 through labctl", "everybody by IPv6 (ff02::1)"}
    assert {one.attack for one in without if one.refused} <= none


@pytest.mark.parametrize(("with_card", "what"), [({"isolated": True}, "isolated ports"), (FILTERED, "the guests' firewall")])
def test_neighbours_are_closed_by_each_of_two_walls_alone(house, laid, service, with_card, what):
    with scene(house, with_card):
        tried = mgmt.reach(inside(house), targets(house, service))
    assert [one.attack for one in tried if not one.refused] == [], what


def test_labctl_is_closed_by_each_of_two_walls_alone(house, laid, service):
    with scene(house, FILTERED, table=laid):
        assert [one.attack for one in mgmt.reach(inside(house), targets(house, service)) if not one.refused] == []
    with scene(house, {"isolated": True}):  # labctl's own rules only
        assert [one.attack for one in mgmt.reach(inside(house), targets(house, service)) if not one.refused] == []
    with scene(house, {"isolated": True}, table=laid):
        reached = [one.attack for one in mgmt.reach(inside(house), targets(house, service)) if not one.refused]
    assert f"labctl's own port {service} by TCP" in reached
    # Through labctl packets come as far as the other guest now, but its answers would go straight, which isolated ports refuse.
    assert not [attack for attack in reached if "another guest" in attack]


def test_a_claimed_address_poisons_nobody_while_neighbours_are_fixed_or_guests_are_filtered(house, laid):
    def claimed(*, fixed):
        address = house.address(VICTIM)
        kind = ["nud", "permanent"] if fixed else ["nud", "stale"]
        run("ip", "neigh", "replace", address, "lladdr", house.mac(VICTIM), "dev", house.uplink, *kind)
        (tried,) = mgmt.claim(inside(house), victim(house), f"{house.prefix}.1", right(house))
        return tried.refused

    with scene(house, {"isolated": True}):
        assert claimed(fixed=True)
        assert not claimed(fixed=False)
    with scene(house, {"isolated": True} | FILTERED):
        assert claimed(fixed=False)
    run("ip", "neigh", "replace", house.address(VICTIM), "lladdr", house.mac(VICTIM), "dev", house.uplink, "nud", "permanent")


@pytest.mark.parametrize(
    ("with_card", "refused"),
    [({"isolated": True, "learning": False}, True), ({"isolated": True, "firewall": True}, True), ({"isolated": True}, False)],
)
def test_a_stolen_hardware_address_gains_nothing_where_bridges_do_not_learn_or_guests_are_filtered(house, laid, with_card, refused):
    with scene(house, with_card):
        (tried,) = mgmt.steal(inside(house), victim(house), f"{house.prefix}.1", right(house))
    assert tried.refused == refused


def test_no_attack_script_needs_more_than_root_and_python(house):
    assert os.geteuid() == 0
    with scene(house, HELD):
        assert inside(house)("import os; print(os.getuid())") == "0\n"
