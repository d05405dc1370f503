"""What is stored of firewalls becomes what is in force: Proxmox's defaults, order and sets, in words that the kernel takes."""

from __future__ import annotations

import contextlib
import subprocess
from types import SimpleNamespace

import pytest

from labctl.sandbox import firewall_cards, firewall_files
from labctl.sandbox.guests import filters

MAC = "BC:24:11:00:00:21"
FULL = """
[OPTIONS]
enable: 1
policy_in: DROP
policy_out: DROP
macfilter: 1
ipfilter: 1
dhcp: 0
radv: 0
[IPSET ipfilter-net0]
100.64.0.33
[RULES]
IN ACCEPT -p tcp -source 100.64.0.1
"""
ON = "[OPTIONS]\nenable: 1\n"


def wanted(guest=FULL, *, cluster=ON, host="", kind="qemu", card="bridge=labmgmt,firewall=1"):
    first = f"virtio={MAC}" if kind == "qemu" else f"name=eth0,hwaddr={MAC},ip=100.64.0.33/16,type=veth"
    config = {"net0": f"{first},{card}", "net1": f"{first.replace('eth0', 'eth1')},bridge=v1"}
    content = {
        "guests": {"100": {"type": kind, "config": config, "node": "here"}},
        "firewall": {name: firewall_files.read(text) for name, text in (("100", guest), ("cluster", cluster), ("host", host)) if text},
    }
    state = SimpleNamespace(reading=lambda: contextlib.nullcontext(content))
    return firewall_cards.wanted(SimpleNamespace(name="here", state=state, content=content))


def only(found):
    assert len(found.cards) == 1
    return found.cards[0]


def taken(found):
    """The kernel's own judgement, in a namespace of its own."""
    done = subprocess.run(["unshare", "--net", "nft", "-f", "-"], input=filters.text(found), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return filters.text(found)


def test_one_card_is_filtered_and_lab_cards_are_left_alone():
    card = only(wanted())
    assert (card.port, card.mac) == ("veth100i0", MAC.lower())
    assert card.inwards[0] == "ip saddr { 100.64.0.1 } meta l4proto tcp accept"
    assert card.outwards[-1] == "drop"
    assert card.own == ("100.64.0.33", "fe80::be24:11ff:fe00:21")
    assert card.arp == ("100.64.0.33",)
    assert not card.dhcp
    assert "100.64.0.33" in taken(wanted())


@pytest.mark.parametrize(
    "missing",
    [{"cluster": ""}, {"cluster": "[OPTIONS]\nenable: 0\n"}, {"guest": ""}, {"guest": FULL.replace("enable: 1", "enable: 0")},
     {"card": "bridge=labmgmt"}, {"card": "bridge=labmgmt,firewall=0"}],
)  # fmt: skip
def test_nothing_is_filtered_unless_datacenter_guest_and_card_all_say_so(missing):
    assert wanted(**missing).cards == ()


def test_without_options_nothing_comes_in_and_everything_goes_out_from_the_cards_own_hardware_address():
    card = only(wanted(ON))
    assert (card.inwards[-1], card.outwards, card.macfilter, card.own, card.arp, card.dhcp) == ("drop", ("accept",), True, None, (), True)


def test_a_containers_own_address_is_in_its_sets_by_itself():
    card = only(wanted("[OPTIONS]\nenable: 1\nipfilter: 1\n", kind="lxc"))
    assert card.own == ("fe80::be24:11ff:fe00:21", "100.64.0.33")
    assert card.arp == ("100.64.0.33",)
    vm = only(wanted("[OPTIONS]\nenable: 1\nipfilter: 1\n"))
    assert vm.own == ("fe80::be24:11ff:fe00:21",)  # a VM with a filter and no set may send nothing


def test_a_set_filters_even_without_the_option():
    assert only(wanted("[OPTIONS]\nenable: 1\n[IPSET ipfilter-net0]\n100.64.0.33\n")).own == ("100.64.0.33", "fe80::be24:11ff:fe00:21")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("IN ACCEPT -p tcp -dport 22,80:90,https", ["meta l4proto tcp th dport { 22, 80-90, 443 } accept"]),
        ("IN DROP -source 10.0.0.0/8,10.9.0.1-10.9.0.4", ["ip saddr { 10.0.0.0/8, 10.9.0.1-10.9.0.4 } drop"]),
        ("IN ACCEPT -source +office -dest fe80::1", []),  # no version has both
        ("IN ACCEPT -source +office", ["ip saddr { 10.1.0.0/16, 10.2.3.4 } accept"]),
        ("IN ACCEPT -source dc/door", ["ip saddr { 10.2.3.4 } accept"]),
        ("GROUP web", ["meta l4proto tcp th dport { 80 } accept"]),
        ("IN ACCEPT -i net1", []),
        ("|IN ACCEPT", []),
        ("OUT ACCEPT", []),
    ],
)
def test_rules_become_the_kernels(rule, words):
    cluster = ON + "[ALIASES]\ndoor 10.2.3.4\n[IPSET office]\n10.1.0.0/16\ndoor\n[group web]\nIN ACCEPT -p tcp -dport 80\nOUT DROP\n"
    found = wanted(f"{ON}[RULES]\n{rule}\n", cluster=cluster)
    assert list(only(found).inwards[:-3]) == words
    taken(found)


@pytest.mark.parametrize(
    "rule", ["IN SSH(ACCEPT)", "IN ACCEPT -p icmp -icmp-type echo-request", "IN ACCEPT -p gre", "IN ACCEPT -source nobody"]
)
def test_what_is_not_understood_closes_the_direction_from_there_on(rule):
    found = wanted(f"{ON}policy_in: ACCEPT\n[RULES]\nIN ACCEPT -p tcp -dport 22\n{rule}\nIN ACCEPT\n")
    first, last = only(found).inwards
    assert first == "meta l4proto tcp th dport { 22 } accept"
    assert last.startswith("drop comment")
    taken(found)


def test_a_set_that_is_not_understood_leaves_no_address():
    card = only(wanted("[OPTIONS]\nenable: 1\n[IPSET ipfilter-net0]\n!100.64.0.33\n"))
    assert card.own == ("fe80::be24:11ff:fe00:21",)


def test_the_nodes_and_the_datacenters_own_options_count():
    text = taken(wanted(host="[OPTIONS]\nnf_conntrack_allow_invalid: 1\n", cluster="[OPTIONS]\nenable: 1\nebtables: 0\n"))
    assert "ct state invalid" not in text
    assert "arp" not in text
    assert "ct state invalid drop" in taken(wanted())


def test_guests_of_other_nodes_are_not_this_nodes_matter():
    content = {
        "guests": {"100": {"type": "qemu", "config": {"net0": f"virtio={MAC},bridge=labmgmt,firewall=1"}, "node": "other"}},
        "firewall": {"100": firewall_files.read(FULL), "cluster": firewall_files.read(ON)},
    }
    state = SimpleNamespace(reading=lambda: contextlib.nullcontext(content))
    assert firewall_cards.wanted(SimpleNamespace(name="here", state=state, content=content)).cards == ()
