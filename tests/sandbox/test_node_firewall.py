"""The firewall as it is stored: order, defaults and refusals are Proxmox's; `firewall` says that it filters nothing."""

import pytest

from tests import sandbox_node
from tests.sandbox import api

F = "/nodes/sandbox/qemu/100033/firewall"


@pytest.fixture(scope="module")
def call():
    with sandbox_node.SandboxNode() as node:
        one = api.Api(node)
        assert one.task("POST", "/nodes/sandbox/qemu/9000/clone", newid=100033, pool="labs") == "OK"
        yield one


def test_a_rule_lands_on_top_and_is_off_unless_told(call):
    call.ok("POST", f"{F}/rules", action="ACCEPT", type="in", proto="tcp", dport="22", enable=1)
    call.ok("POST", f"{F}/rules", action="DROP", type="out", pos=5)
    assert [(rule["action"], rule["enable"], rule["pos"]) for rule in call.ok("GET", f"{F}/rules")] == [("DROP", 0, 0), ("ACCEPT", 1, 1)]
    call.ok("PUT", f"{F}/rules/0", moveto=9)
    assert [rule["action"] for rule in call.ok("GET", f"{F}/rules")] == ["ACCEPT", "DROP"]


@pytest.mark.parametrize(
    ("params", "errors"),
    [
        ({"action": "accept", "type": "in"}, {"action": "unknown action 'accept'"}),
        ({"action": "ACCEPT", "type": "in", "dport": "22"}, {"proto": "missing property - 'dport' requires this property"}),
        ({"action": "ACCEPT", "type": "in", "source": "+none"}, {"source": "no such ipset 'none'"}),
        ({"action": "ACCEPT", "type": "forward"}, {"type": "invalid rule type 'forward' for rule_env 'vm'"}),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(call, params, errors):
    reply = call("POST", f"{F}/rules", **params)
    assert (reply.status, reply.errors) == (400, errors)


def test_a_set_keeps_its_addresses_and_is_not_deleted_while_it_has_some(call):
    call.ok("POST", f"{F}/ipset", name="ipfilter-net0")
    call.ok("POST", f"{F}/ipset/ipfilter-net0", cidr="100.64.0.33")
    assert call("POST", f"{F}/ipset/ipfilter-net0", cidr="100.64.0.33").errors == {"cidr": "address '100.64.0.33' already exists"}
    assert call("DELETE", f"{F}/ipset/ipfilter-net0").message == "IPSet 'ipfilter-net0' is not empty\n"
    call.ok("DELETE", f"{F}/ipset/ipfilter-net0", force=1)
    assert call.ok("GET", f"{F}/ipset") == []


def test_options_are_kept_and_a_stale_digest_is_refused(call):
    call.ok("PUT", f"{F}/options", enable=1, policy_in="DROP")
    known = call.ok("GET", f"{F}/options")
    assert (known["enable"], known["policy_in"]) == (1, "DROP")
    call.ok("PUT", f"{F}/options", macfilter=0)
    stale = call("PUT", f"{F}/options", enable=0, digest=known["digest"])
    assert (stale.status, stale.message) == (500, "detected modified configuration - file changed by other user? Try again.\n")


def test_the_datacenters_firewall_is_not_the_tokens(call):
    assert call("PUT", "/cluster/firewall/options", enable=1).status == 403
    assert call("GET", "/cluster/firewall/options").status == 200


def test_it_goes_with_its_guest(call):
    assert call.task("DELETE", "/nodes/sandbox/qemu/100033") == "OK"
    assert call.task("POST", "/nodes/sandbox/qemu/9000/clone", newid=100033, pool="labs") == "OK"
    assert call.ok("GET", f"{F}/rules") == []
