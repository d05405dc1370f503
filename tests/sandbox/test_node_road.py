"""The road labctl takes through a node, over HTTPS with the token that `init` made; and what that token is refused."""

import json
import subprocess
import sys

import pytest

from tests import sandbox_node
from tests.sandbox import api


@pytest.fixture(scope="module")
def node():
    with sandbox_node.SandboxNode() as one:
        yield one


@pytest.fixture
def call(node):
    return api.Api(node)


N = "/nodes/sandbox"


def test_a_class_is_built_changed_and_removed_and_nothing_is_left(call):
    call.ok("POST", "/pools", poolid="labs/e1")
    call.ok("POST", "/cluster/sdn/vnets", vnet="l10", zone="labs", tag=17, alias="labctl x e1")
    assert call.task("PUT", "/cluster/sdn") == "OK"
    assert call.ok("GET", f"{N}/sdn/zones/labs/content") == [{"vnet": "l10", "status": "available", "statusmsg": ""}]
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100033, name="e1-web", pool="labs/e1") == "OK"
    assert call.task("POST", f"{N}/lxc/9001/clone", newid=100034, hostname="e1-box", pool="labs/e1") == "OK"
    call.ok("PUT", f"{N}/qemu/100033/config", net0="virtio=BC:24:11:00:00:21,bridge=l10", ipconfig0="ip=10.0.0.5/24", tags="labctl;e1")
    call.ok("PUT", f"{N}/lxc/100034/config", net0="name=eth0,bridge=l10,hwaddr=BC:24:11:00:00:22,ip=10.0.0.6/24")
    for kind, vmid in (("qemu", 100033), ("lxc", 100034)):
        assert call.task("POST", f"{N}/{kind}/{vmid}/status/start") == "OK"
        assert call.ok("GET", f"{N}/{kind}/{vmid}/status/current")["status"] == "running"
    assert call.ok("GET", f"{N}/qemu/100033/agent/network-get-interfaces")["result"][0]["ip-addresses"][0]["ip-address"] == "10.0.0.5"
    assert call.ok("GET", f"{N}/lxc/100034/interfaces")[0]["inet"] == "10.0.0.6/24"
    assert call.task("POST", f"{N}/qemu/100033/status/shutdown", timeout=20) == "OK"
    assert call.task("POST", f"{N}/lxc/100034/status/stop") == "OK"
    assert call.task("DELETE", f"{N}/qemu/100033", purge=1) == "OK"
    assert call.task("DELETE", f"{N}/lxc/100034", purge=1) == "OK"
    call.ok("DELETE", "/cluster/sdn/vnets/l10")
    assert call.task("PUT", "/cluster/sdn") == "OK"
    call.ok("DELETE", "/pools", poolid="labs/e1")
    assert call.ok("GET", "/cluster/nextid", vmid=100033) == "100033"
    assert call("DELETE", f"{N}/qemu/100033").message == "Permission check failed (/vms/100033, VM.Allocate)\n"
    assert [row["poolid"] for row in call.ok("GET", "/pools")] == ["labs"]


@pytest.mark.parametrize(
    ("verb", "path", "params", "message"),
    [
        ("DELETE", f"{N}/qemu/9000", {}, "Permission check failed (/vms/9000, VM.Allocate)\n"),
        ("PUT", f"{N}/qemu/9000/config", {"cores": 1}, None),
        ("POST", "/pools", {"poolid": "mine"}, "Permission check failed (/pool/mine, Pool.Allocate)\n"),
        ("POST", "/cluster/sdn/zones", {"zone": "other", "type": "simple"}, "Permission check failed (/sdn/zones, SDN.Allocate)\n"),
        (
            "POST",
            "/cluster/sdn/vnets",
            {"vnet": "x1", "zone": "mgmt", "tag": 2},
            "Permission check failed (/sdn/zones/mgmt, SDN.Allocate)\n",
        ),
        ("DELETE", "/cluster/sdn/vnets/labmgmt", {}, "Permission check failed (/sdn/zones/mgmt/labmgmt, SDN.Allocate)\n"),
        ("POST", f"{N}/qemu/9000/clone", {"newid": 100}, "Permission check failed\n"),
        ("GET", "/access/users/labctl@pve/token", {}, None),
        (
            "PUT",
            "/access/acl",
            {"path": "/", "roles": "Administrator", "users": "labctl@pve"},
            "Permission check failed (/, Permissions.Modify)\n",
        ),
    ],
)
def test_the_token_is_refused_what_it_has_no_privilege_for(call, verb, path, params, message):
    reply = call(verb, path, **params)
    assert reply.status == 403
    assert message is None or reply.message == message


@pytest.mark.parametrize("header", [{}, {"Authorization": "PVEAPIToken=labctl@pve!lab=wrong"}, {"Authorization": "Bearer x"}])
def test_who_is_not_known_gets_an_empty_401_after_three_seconds(node, header):
    import time

    import requests

    started = time.monotonic()
    response = requests.get(f"{node.credentials['url']}/api2/json/version", headers=header, verify=node.credentials["ca_file"], timeout=60)
    assert (response.status_code, response.content) == (401, b"")
    assert time.monotonic() - started >= 3.0


def test_a_guest_on_a_network_that_is_not_applied_does_not_start(call):
    call.ok("POST", "/cluster/sdn/vnets", vnet="l20", zone="labs", tag=33)
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100065, pool="labs") == "OK"
    call.ok("PUT", f"{N}/qemu/100065/config", net0="virtio,bridge=l20")
    assert call.task("POST", f"{N}/qemu/100065/status/start") == "bridge 'l20' does not exist"
    assert call.task("PUT", "/cluster/sdn") == "OK"
    assert call.task("POST", f"{N}/qemu/100065/status/start") == "OK"
    assert call("DELETE", f"{N}/qemu/100065").message == "VM 100065 is running - destroy failed\n"
    assert call.task("POST", f"{N}/qemu/100065/status/stop") == "OK"
    assert call.task("DELETE", f"{N}/qemu/100065") == "OK"
    call.ok("DELETE", "/cluster/sdn/vnets/l20")
    assert call.task("PUT", "/cluster/sdn") == "OK"


def test_two_clones_race_for_one_vmid_and_one_wins(call):
    first = call.ok("POST", f"{N}/qemu/9000/clone", newid=100097, pool="labs")
    second = call("POST", f"{N}/qemu/9000/clone", newid=100097, pool="labs")
    outcomes = [call.ended(first), call.ended(second.data) if second.status == 200 else second.message]
    (lost,) = [outcome for outcome in outcomes if outcome != "OK"]
    assert "config file already exists" in lost or "got timeout" in lost
    assert call.task("DELETE", f"{N}/qemu/100097") == "OK"


def test_a_template_with_linked_clones_cannot_be_deleted(node, call):
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100098, pool="labs") == "OK"
    assert call.task("POST", f"{N}/qemu/100098/template") == "OK"
    assert call.task("POST", f"{N}/qemu/100098/clone", newid=100099, pool="labs") == "OK"
    assert "is still in use by linked cloned" in call.task("DELETE", f"{N}/qemu/100098")
    assert call.task("DELETE", f"{N}/qemu/100099") == "OK"
    assert call.task("DELETE", f"{N}/qemu/100098") == "OK"


def test_a_rolled_back_guest_is_what_it_was_and_off(call):
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100130, pool="labs", name="before") == "OK"
    assert call.task("POST", f"{N}/qemu/100130/snapshot", snapname="ready") == "OK"
    call.ok("PUT", f"{N}/qemu/100130/config", name="after", cores=2)
    assert call.task("POST", f"{N}/qemu/100130/status/start") == "OK"
    assert call.task("POST", f"{N}/qemu/100130/snapshot/ready/rollback") == "OK"
    assert call.ok("GET", f"{N}/qemu/100130/config")["name"] == "before"
    assert call.ok("GET", f"{N}/qemu/100130/status/current")["status"] == "stopped"
    assert call.task("DELETE", f"{N}/qemu/100130/snapshot/none") == "snapshot 'none' does not exist"
    assert call.task("DELETE", f"{N}/qemu/100130") == "OK"


def test_a_pool_with_a_guest_in_it_is_not_deleted(call):
    call.ok("POST", "/pools", poolid="labs/full")
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100131, pool="labs/full") == "OK"
    assert (
        call("DELETE", "/pools", poolid="labs/full").message == "delete pool failed: pool 'labs/full' is not empty (contains VM 100131)\n"
    )
    assert call.task("DELETE", f"{N}/qemu/100131") == "OK"
    call.ok("DELETE", "/pools", poolid="labs/full")


def test_the_node_says_that_vms_are_stood_in_for(call):
    assert "guests are paper" in call.ok("GET", f"{N}/status")["pveversion"]


def test_the_isolated_management_network_reaches_the_runtime(call):
    assert {"vnet": "labmgmt", "status": "available", "statusmsg": ""} in call.ok("GET", f"{N}/sdn/zones/mgmt/content")
    assert call.ok("GET", "/cluster/sdn/vnets/labmgmt")["isolate-ports"] == 1


def test_secrets_are_in_no_log_and_in_no_answer(node, call):
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100132, pool="labs") == "OK"
    call.ok("PUT", f"{N}/qemu/100132/config", cipassword="Very-Secret-9", ciuser="ada")
    assert "Very-Secret-9" not in json.dumps(call.ok("GET", f"{N}/qemu/100132/config"))
    assert "Very-Secret-9" not in node.log
    assert node.secret not in node.log
    for path in node.home.rglob("*"):
        if path.is_file() and path.name != "token":
            content = path.read_bytes()
            assert b"Very-Secret-9" not in content, path
            assert node.secret.encode() not in content, path
    assert (node.home / "token").stat().st_mode & 0o077 == 0
    assert (node.home / "node.pem").stat().st_mode & 0o077 == 0
    assert call.task("DELETE", f"{N}/qemu/100132") == "OK"


def test_a_second_process_on_the_same_home_is_refused(node):
    done = subprocess.run(
        [sys.executable, "-m", "labctl.sandbox", "serve", "--home", str(node.home)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "another process serves the node" in done.stderr


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--listen", "0.0.0.0:1"),
        ("--listen", "127.0.0.1:x"),
        ("--name", "UPPER"),
        ("--uplink", "much-too-long-a-name"),
        ("--management", "nonsense"),
    ],
)
def test_init_refuses_what_cannot_work(tmp_path, option, value):
    good = {"--home": str(tmp_path / "n"), "--name": "n", "--listen": "127.0.0.1:18006", "--uplink": "up0", "--management": "100.64.0.0/16"}
    words = [word for pair in (good | {option: value}).items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "labctl.sandbox", "init", *words, "--runtime", "paper"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert option in done.stderr
    assert not (tmp_path / "n").exists()
