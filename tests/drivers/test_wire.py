"""The wire on a real cable: a pair of interfaces, one end here, the other in a namespace that plays the guests."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from labctl import errors
from labctl.drivers import wire
from labctl.model import marks
from labctl.model.environment import Machine
from tests.drivers import guests_here


def can_lay() -> bool:
    return os.geteuid() == 0 and all(shutil.which(tool) for tool in ("ip", "nft", "setpriv"))


pytestmark = pytest.mark.skipif(not can_lay(), reason="needs root, iproute2, nftables and setpriv")


def run(*command, check=True):
    return subprocess.run(command, capture_output=True, text=True, check=check)


class Cable:
    """`guest` is a namespace with the address of machine 1 on plot 3; the interface at our end is the site's."""

    def __init__(self):
        self.name = f"w{os.getpid() % 1_000_000}"
        self.site = guests_here.site(self.name, f"100.{96 + os.getpid() % 16}.{os.getpid() // 16 % 16 * 16}.0/20")
        self.interface = self.site.management_interface
        self.guest = f"{self.name}-guest"
        self.machine = Machine(
            name="box",
            vmid=marks.vmid(self.site, 3, 1),
            node="n",
            kind="container",
            address=marks.management_address(self.site, 3, 1),
            mac=marks.management_mac(3, 1),
        )

    def plug(self):
        run("ip", "netns", "add", self.guest)
        run("ip", "link", "add", self.interface, "type", "veth", "peer", "name", "eth0", "netns", self.guest)
        run("ip", "-n", self.guest, "link", "set", "eth0", "address", self.machine.mac, "up")
        run("ip", "-n", self.guest, "link", "set", "lo", "up")
        run("ip", "-n", self.guest, "addr", "add", f"{self.machine.address}/{self.site.management.prefixlen}", "dev", "eth0")

    def pull(self):
        run("ip", "link", "delete", self.interface, check=False)
        run("ip", "netns", "delete", self.guest, check=False)

    def neighbour(self):
        found = json.loads(run("ip", "-j", "neigh", "show", self.machine.address, "dev", self.interface).stdout or "[]")
        return (found[0].get("lladdr"), found[0].get("state")) if found else None

    def from_guest(self, address, port, *, seconds=60):
        """Whether the guest's root can open a connection in that time; only who expects that it cannot says a short one."""
        probe = f"import socket; socket.create_connection(('{address}', {port}), timeout={seconds})"
        return run("ip", "netns", "exec", self.guest, sys.executable, "-c", probe, check=False).returncode == 0

    def to_guest(self, uid, *, seconds=60):
        """Whether an account of this machine can open a connection to the guest's port 22, as `from_guest` does."""
        script = (
            "import socket; s = socket.create_server(('0.0.0.0', 22)); print('up', flush=True); s.settimeout(300)\n"
            "while True: s.accept()[0].close()"
        )
        server = subprocess.Popen(
            ["ip", "netns", "exec", self.guest, sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            assert server.stdout.readline() == b"up\n"
            probe = f"import socket; socket.create_connection(('{self.machine.address}', 22), timeout={seconds})"
            command = ["setpriv", "--reuid", str(uid), "--clear-groups", "/usr/bin/python3", "-c", probe]
            return run(*command, check=False).returncode == 0
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


@pytest.fixture
def cable():
    made = Cable()
    made.plug()
    yield made
    wire.Wire(made.site).remove()
    made.pull()


@pytest.fixture
def service():
    """A service of this machine that listens on every address, as many do."""
    listening = socket.create_server(("0.0.0.0", 0))
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            try:
                listening.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    stop.set()
    listening.close()


def test_laying_may_be_repeated_and_leaves_nothing_to_find(cable):
    laid = wire.Wire(cable.site)
    assert len(laid.findings()) == 2
    for _ in range(2):
        laid.lay()
        assert laid.findings() == ()
    addresses = run("ip", "-4", "-o", "addr", "show", "dev", cable.interface).stdout
    assert addresses.count(f"inet {cable.site.own_address}/20") == 1


def test_neighbours_are_fixed_and_forgotten_by_plot(cable):
    laid = wire.Wire(cable.site)
    other = Machine(**{**vars(cable.machine), "address": marks.management_address(cable.site, 4, 1), "mac": marks.management_mac(4, 1)})
    for _ in range(2):
        laid.open([cable.machine, other])
    assert cable.neighbour() == (cable.machine.mac, ["PERMANENT"])
    for _ in range(2):
        laid.close(3)
    assert cable.neighbour() in (None, (None, ["FAILED"]))
    left = run("ip", "neigh", "show", "dev", cable.interface, "nud", "permanent").stdout
    assert other.address in left
    assert cable.machine.address not in left


def test_a_guest_reaches_nothing_of_this_machine(cable, service):
    laid = wire.Wire(cable.site)
    run("ip", "addr", "add", f"{cable.site.own_address}/20", "dev", cable.interface)
    run("ip", "link", "set", cable.interface, "up")
    assert cable.from_guest(cable.site.own_address, service)  # the control: without the rules it does
    laid.lay()
    assert not cable.from_guest(cable.site.own_address, service, seconds=1)
    run("ip", "-n", cable.guest, "route", "add", "192.0.2.0/24", "via", str(cable.site.own_address))
    run("ip", "addr", "add", "192.0.2.77/32", "dev", "lo")
    try:
        assert not cable.from_guest("192.0.2.77", service, seconds=1)
    finally:
        run("ip", "addr", "del", "192.0.2.77/32", "dev", "lo")


def test_only_labctls_own_account_reaches_guests(cable):
    laid = wire.Wire(cable.site)
    laid.open([cable.machine])
    assert cable.to_guest(os.getuid())
    assert not cable.to_guest(65534, seconds=2)
    wire.Wire(cable.site, accounts=[os.getuid(), 65534]).lay()
    assert cable.to_guest(65534)


def test_an_interface_that_vanished_and_came_back_is_laid_anew(cable):
    laid = wire.Wire(cable.site)
    laid.open([cable.machine])
    cable.pull()
    laid.close(3)  # nothing to do, and no error
    with pytest.raises(errors.Unreachable, match="does not exist") as caught:
        laid.open([cable.machine])
    assert "labctl up" in caught.value.hint
    assert any("does not exist" in finding for finding in laid.findings())
    cable.plug()
    laid.open([cable.machine])
    assert cable.neighbour() == (cable.machine.mac, ["PERMANENT"])
    assert cable.to_guest(os.getuid())
    assert laid.findings() == ()


def test_removing_takes_everything_and_may_be_repeated(cable):
    laid = wire.Wire(cable.site)
    laid.open([cable.machine])
    for _ in range(2):
        laid.remove()
    assert run("nft", "list", "table", "inet", laid.table, check=False).returncode != 0
    assert str(cable.site.own_address) not in run("ip", "addr").stdout
    assert cable.neighbour() in (None, (None, ["FAILED"]))


def test_a_learnt_neighbour_and_an_overlapping_route_are_found(cable):
    laid = wire.Wire(cable.site)
    laid.lay()
    run("ip", "netns", "exec", cable.guest, "ping", "-c", "1", "-W", "1", str(cable.site.own_address), check=False)
    run("ip", "neigh", "replace", cable.machine.address, "lladdr", cable.machine.mac, "dev", cable.interface, "nud", "reachable")
    run("ip", "route", "add", "unreachable", f"{cable.site.management.network_address + 512}/24")
    try:
        found = laid.findings()
    finally:
        run("ip", "route", "del", "unreachable", f"{cable.site.management.network_address + 512}/24")
    assert any("is not fixed" in finding for finding in found)
    assert any("overlaps the management network" in finding for finding in found)


def test_without_the_right_to_lay_it_says_so(cable):
    script = (
        "from labctl.drivers import wire; from labctl import errors; from labctl.model.site import *\n"
        f"w = wire.Wire(Site(cluster=Cluster(secret_file='', ca_file=''), management_interface='{cable.interface}'))\n"
        "try: w.lay()\n"
        "except errors.PermanentError as error: print(error.hint)\n"
    )
    done = subprocess.run(
        ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--reuid", "0", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "must run as root" in done.stdout, done.stderr
