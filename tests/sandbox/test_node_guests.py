"""The node with real guests behind it: the API's words and the kernel's truth are the same."""

import json
import subprocess
import sys
import time
import urllib.parse

import pytest

from labctl.sandbox.guests import network
from tests import sandbox_node
from tests.sandbox import api

pytestmark = pytest.mark.guests

N = "/nodes/sandbox"


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    folder = tmp_path_factory.mktemp("key")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "id")], check=True)
    return folder / "id"


@pytest.fixture(scope="module")
def node(key):
    with sandbox_node.SandboxNode("lxc", authorized_key=key.with_suffix(".pub")) as one:
        yield one


@pytest.fixture
def call(node):
    return api.Api(node)


def _addresses(call, vmid):
    """All addresses the agent tells, once the guest's network is up."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reply = call("GET", f"{N}/qemu/{vmid}/agent/network-get-interfaces")
        if reply.status == 200:
            found = {one["ip-address"] for nic in reply.data["result"] for one in nic["ip-addresses"]}
            if any(not text.startswith(("127.", "::", "fe80")) for text in found):
                return found
        time.sleep(0.1)
    raise AssertionError("the guest has no address")


def test_a_vm_gets_what_cloud_init_says_and_a_container_what_proxmox_says(node, call, key):
    prefix = node.management.rsplit(".", 2)[0]
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100033, name="web", pool="labs") == "OK"
    assert call.task("POST", f"{N}/lxc/9001/clone", newid=100034, hostname="box", pool="labs") == "OK"
    public = urllib.parse.quote(key.with_suffix(".pub").read_text().strip(), safe="")
    call.ok(
        "PUT", f"{N}/qemu/100033/config", net0="virtio=BC:24:11:00:00:21,bridge=labmgmt", ipconfig0=f"ip={prefix}.0.33/16", ciuser="labctl",
        sshkeys=public, memory=256,
    )  # fmt: skip
    call.ok("PUT", f"{N}/lxc/100034/config", net0=f"name=eth0,bridge=labmgmt,hwaddr=BC:24:11:00:00:22,ip={prefix}.0.34/16", memory=256)
    assert call.task("POST", f"{N}/qemu/100033/status/start") == "OK"
    assert call.task("POST", f"{N}/lxc/100034/status/start") == "OK"
    assert f"{prefix}.0.33" in _addresses(call, 100033)
    nics = {row["name"]: row for row in call.ok("GET", f"{N}/lxc/100034/interfaces")}
    assert nics["eth0"]["inet"] == f"{prefix}.0.34/16"
    now = call.ok("GET", f"{N}/qemu/100033/status/current")
    assert (now["status"], now["running-qemu"]) == ("running", "stand-in (container)")
    assert now["mem"] > 0
    assert "containers stand in for VMs" in call.ok("GET", f"{N}/status")["pveversion"]


def test_guests_live_on_while_the_node_is_killed_and_are_known_again(node, call):
    before = call.ok("GET", f"{N}/qemu/100033/status/current")
    node.kill()
    time.sleep(1.2)
    node.start()
    after = call.ok("GET", f"{N}/qemu/100033/status/current")
    assert after["status"] == "running"
    assert after["uptime"] > before["uptime"]


def test_a_guest_that_ended_while_the_node_was_away_is_reported_stopped(node, call):
    node.kill()
    subprocess.run([*network.Network(node.name).inside(), "lxc-stop", "-k", "-P", *_lxc(node, 100034)], check=True)
    node.start()
    assert call.ok("GET", f"{N}/lxc/100034/status/current")["status"] == "stopped"
    assert call("POST", f"{N}/lxc/100034/status/stop").message == "CT 100034 not running\n"


def _lxc(node, vmid):
    """Path and name of the container, for lxc's own tools."""
    config = next((node.home / "guests").rglob(f"{node.name}-{vmid}/config"))
    return [str(config.parent.parent), "-n", config.parent.name]


def test_status_tells_the_same_without_the_node(node):
    node.stop()
    done = subprocess.run(
        [sys.executable, "-m", "labctl.sandbox", "status", "--home", str(node.home), "--json"], capture_output=True, text=True, check=True
    )
    facts = json.loads(done.stdout)
    assert facts["guests"]["100033"] == {"type": "qemu", "name": "web", "running": True}
    assert facts["guests"]["100034"]["running"] is False
    assert "labmgmt" in facts["vnets"]
    assert {"labs", "lab-templates"} <= set(facts["pools"])
    node.start()


def test_a_reset_takes_back_what_was_done_inside(node, call):
    assert call.task("POST", f"{N}/qemu/100033/snapshot", snapname="ready") == "OK"
    assert call.task("POST", f"{N}/qemu/100033/snapshot/ready/rollback", start=1) == "OK"
    assert call.ok("GET", f"{N}/qemu/100033/status/current")["status"] == "running"


def test_everything_goes_and_the_machine_is_as_before(node, call):
    for kind, vmid in (("qemu", 100033), ("lxc", 100034)):
        call("POST", f"{N}/{kind}/{vmid}/status/stop")
        deadline = time.monotonic() + 60
        while call.ok("GET", f"{N}/{kind}/{vmid}/status/current")["status"] == "running" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert call.task("DELETE", f"{N}/{kind}/{vmid}") == "OK"
    assert not list((node.home / "guests").rglob(f"{node.name}-10003*"))
