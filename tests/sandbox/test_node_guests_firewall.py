"""Through the node's API to real packets: what is stored of VNet, zone and firewall is what guests meet."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time

import pytest

from labctl.drivers import gates
from labctl.drivers.proxmox import client, cluster, firewall, guests
from labctl.model import site as site_
from labctl.sandbox import calls, endpoints, server, templates
from labctl.sandbox import node as node_
from tests.sandbox import api
from tests.sandbox_node import SandboxNode

pytestmark = pytest.mark.guests

FIRST, SECOND = 100033, 100065


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


class Here:
    """A node with two running guests on its management VNet, asked for as labctl asks for them."""

    def __init__(self, node: SandboxNode, folder) -> None:
        self.node = node
        self.prefix = node.management.rpartition(".0/")[0]
        told = node.credentials
        where = site_.Cluster(
            url=told["url"], user=told["user"], token=told["token"], secret_file=told["secret_file"], ca_file=told["ca_file"]
        )
        self.to = cluster.Cluster(client.Client(where, patience=60), gates.Gates(folder))
        self.call = api.Api(node)
        run("ip", "address", "add", f"{self.prefix}.1/20", "dev", node.uplink)
        for vmid in (FIRST, SECOND):
            assert self.call.task("POST", "/nodes/sandbox/lxc/9001/clone", newid=vmid, pool="labs") == "OK"
            self.plug(vmid)
            firewall.hold(self.to, guests.Place("sandbox", "container", vmid), firewall.Wall(f"{self.prefix}.1", self.address(vmid)))
        self.start()

    def address(self, vmid: int) -> str:
        return f"{self.prefix}.{vmid % 100}"

    def plug(self, vmid: int, *, filtered: bool = True) -> None:
        card = f"name=eth0,bridge=labmgmt,hwaddr={self.mac(vmid)},ip={self.address(vmid)}/20,type=veth{',firewall=1' if filtered else ''}"
        self.call.ok("PUT", f"/nodes/sandbox/lxc/{vmid}/config", net0=card)

    def mac(self, vmid: int) -> str:
        return f"BC:24:11:00:00:{vmid % 100:02X}"

    def start(self) -> None:
        for vmid in (FIRST, SECOND):
            run("ip", "neigh", "replace", self.address(vmid), "lladdr", self.mac(vmid), "dev", self.node.uplink, "nud", "permanent")
            assert self.call.task("POST", f"/nodes/sandbox/lxc/{vmid}/status/start") == "OK"

    def again(self) -> None:
        for vmid in (FIRST, SECOND):
            assert self.call.task("POST", f"/nodes/sandbox/lxc/{vmid}/status/stop") == "OK"
        self.start()

    def as_root(self, verb: str, path: str, /, **params: str) -> None:
        """What IT does, while nobody serves; guests run on."""
        assert endpoints
        self.node.stop()
        with server.alone(self.node.home):
            one = node_.open_(self.node.home)
            said = calls.perform(one, "root@pam", verb, path, params)
            if isinstance(said, str) and said.startswith("UPID"):
                templates.done(one, said, path)
            one.close()
        self.node.start()

    def reaches(self, address: str, port: int) -> bool:
        """From within the first guest, at once; who refuses was reached."""
        folder = str(self.node.home.resolve() / "guests" / "guests")
        inside = ["nsenter", f"--net=/run/netns/{self.node.name}-node"]
        child = run(*inside, "lxc-info", "-P", folder, "-n", f"{self.node.name}-{FIRST}", "-p", "-H").stdout.strip()
        probe = (
            f"import socket\ntry: socket.create_connection(({address!r}, {port}), 0.7)\n"
            "except ConnectionRefusedError: pass\nexcept OSError: raise SystemExit(1)"
        )
        return run("nsenter", "-t", child, "-n", "python3", "-c", probe).returncode == 0

    def within(self, seconds: float, address: str, port: int, *, reached: bool) -> bool:
        """Whether it comes to that: rules come into force every ten seconds."""
        until = time.monotonic() + seconds
        while self.reaches(address, port) is not reached:
            if time.monotonic() > until:
                return False
        return True

    def answers(self, vmid: int) -> bool:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection((self.address(vmid), 22), timeout=0.2) as there:
                there.settimeout(5)  # sshd's first word takes a busy machine longer than the kernel's
                if there.recv(3) == b"SSH":
                    return True
        return False


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    node = SandboxNode("lxc")
    # Other houses lay ranges on this machine too, and one machine has one route to a range.
    node.management = f"100.65.{os.getpid() % 16 * 16}.0/20"
    with node:
        made = Here(node, tmp_path_factory.mktemp("gates"))
        assert made.answers(FIRST)
        assert made.answers(SECOND)
        yield made


def test_as_it_is_set_up_guests_answer_labctl_and_reach_nobody(here):
    neighbour = here.address(SECOND)
    assert not here.reaches(neighbour, 22)  # from the first packet on, by the isolated port
    assert here.within(60, f"{here.prefix}.1", 9, reached=False)  # once the firewall is in force
    assert here.answers(FIRST)


def test_without_isolated_ports_the_firewall_still_keeps_them_apart_and_without_it_they_meet(here):
    neighbour = here.address(SECOND)
    here.as_root("PUT", "/cluster/sdn/vnets/labmgmt", **{"isolate-ports": "0"})
    here.as_root("PUT", "/cluster/sdn")
    here.again()
    assert here.within(60, neighbour, 22, reached=False)
    here.as_root("PUT", "/cluster/firewall/options", enable="0")
    assert here.within(60, neighbour, 22, reached=True)
    here.as_root("PUT", "/cluster/sdn/vnets/labmgmt", **{"isolate-ports": "1"})
    here.as_root("PUT", "/cluster/sdn")
    here.again()
    assert here.answers(SECOND)
    assert not here.reaches(neighbour, 22)  # the isolated port alone
    here.as_root("PUT", "/cluster/firewall/options", enable="1")
    assert here.within(60, f"{here.prefix}.1", 9, reached=False)


def test_a_card_without_firewall_is_not_filtered_whatever_the_options_say(here):
    for vmid in (FIRST, SECOND):
        here.plug(vmid, filtered=False)
    here.again()
    assert here.answers(FIRST)
    assert here.within(60, f"{here.prefix}.1", 9, reached=True)
    for vmid in (FIRST, SECOND):
        here.plug(vmid)
    here.again()
    assert here.within(60, f"{here.prefix}.1", 9, reached=False)


def test_a_rule_that_is_written_comes_into_force_and_goes_again(here):
    path = f"/nodes/sandbox/lxc/{FIRST}/firewall/rules"
    labctl = f"{here.prefix}.1"
    # Somebody listens: a refusal would not come back. It ends the connection on the VNet's bridge, and belongs to none on the card's own.
    with socket.create_server((labctl, 0)) as one, socket.create_server((labctl, 0)) as other:
        port = one.getsockname()[1]
        here.call.ok("POST", path, type="out", action="ACCEPT", proto="tcp", dest=labctl, dport=str(port), enable=1)
        assert here.within(60, labctl, port, reached=True)
        assert not here.reaches(labctl, other.getsockname()[1])
        here.call.ok("DELETE", f"{path}/0")
        assert here.within(60, labctl, port, reached=False)


def test_what_is_in_force_stays_while_the_node_is_away(here):
    here.node.kill()
    assert not here.reaches(f"{here.prefix}.1", 9)
    here.node.start()
    assert not here.reaches(f"{here.prefix}.1", 9)
    assert here.answers(FIRST)
