"""Real guests for driver tests, made by the sandbox's own LXC runtime without any API before it: plans in, enrolled machines out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from ipaddress import IPv4Network
from pathlib import Path

from labctl.drivers import ssh, wire
from labctl.drivers.ssh_ca import Authority
from labctl.model import marks
from labctl.model.environment import Machine
from labctl.model.plan import Nic, Plan, PlannedMachine, PlannedNetwork, SeatRef, Variable
from labctl.model.site import Cluster, Site
from labctl.sandbox.guests import image, lxc, recipe
from labctl.sandbox.guests.runtime import GuestSpec, Identity, NicSpec

CACHE = Path("/var/cache/labctl")


def site(name: str = "h6t", network: str = "100.127.0.0/16") -> Site:
    return Site(
        installation=name,
        cluster=Cluster(secret_file="", ca_file=""),
        management=IPv4Network(network),
        management_interface=f"{name}-mgmt",
    )


def machine(site_: Site, plot: int, index: int, name: str, lab: str | None = None, **more) -> PlannedMachine:
    management = Nic(
        index=0,
        network=None,
        vnet="labmgmt",
        mac=marks.management_mac(plot, index),
        address=f"{marks.management_address(site_, plot, index)}/{site_.management.prefixlen}",
    )
    nics = [management]
    if lab:
        nics.append(Nic(index=1, network="lan", vnet=marks.vnet(plot, 0), mac=marks.lab_mac(plot, index, 1), address=lab))
    defaults = {
        "kind": "container",
        "image": "debian-12",
        "hostname": name,
        "cpus": 1,
        "memory": 256,
        "names": (name,),
        "access": ("terminal",),
    }
    return PlannedMachine(
        name=name, vmid=marks.vmid(site_, plot, index), node="sandbox", template=9001, nics=tuple(nics), **(defaults | more)
    )


def plan(site_: Site, plot: int, machines, steps=(), checks=(), variables=(), principal="seat-one-1") -> Plan:
    return Plan(
        environment=f"e{plot:09d}",
        installation=site_.installation,
        plot=plot,
        pool=f"labs/e{plot:09d}",
        zone="labs",
        classroom="test",
        blueprint="test",
        source="test@sha256:0",
        seat=SeatRef(number=1, name="Ada Example", login="ada"),
        principal=principal,
        machines=tuple(machines),
        networks=(PlannedNetwork(name="lan", vnet=marks.vnet(plot, 0), tag=None, cidr="10.10.10.0/24"),),
        steps=tuple(steps),
        checks=tuple(checks),
        variables=tuple(variables),
    )


def made(plan_: Plan) -> tuple[Machine, ...]:
    return tuple(
        Machine(name=one.name, vmid=one.vmid, node=one.node, kind=one.kind, address=one.address, mac=one.nics[0].mac)
        for one in plan_.machines
    )


class GuestsHere:
    """One runtime with its network, a wire, and an authority; `build` starts a plan's guests, `close` takes everything away."""

    def __init__(self, name: str = "h6t", *, beside: int = 0) -> None:
        # A range for each test process: two of them may run at once, and one machine has one route to a range. `beside` is for what stands
        # while the session's own guests do.
        place = os.getpid() + beside
        self.site = site(name, f"100.{112 + place // 16 % 8}.{place % 16 * 16}.0/20")
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"labctl-{name}-", dir="/tmp"))
        self.folder.chmod(0o755)
        image.build(CACHE, print)
        self.authority = Authority(self.folder / "secrets")
        self.runtime = lxc.LxcRuntime(self.folder / "node", name, CACHE, self.authority.deploy_public())
        self.runtime.add_bridge("labmgmt")
        self.runtime.connect(self.site.management_interface, "labmgmt")
        self.wire = wire.Wire(self.site)
        self.wire.lay()
        self.runtime.provide(9001, lxc.CONTAINER_IMAGE)
        self.runtime.freeze_template(9001)
        assert recipe.NAME == "debian-12"

    def build(self, plan_: Plan) -> tuple[Machine, ...]:
        for network in plan_.networks:
            self.runtime.add_bridge(network.vnet)
        machines = made(plan_)
        self.wire.open(machines)
        for one in plan_.machines:
            self.runtime.clone(9001, one.vmid, linked=True)
            self.start(plan_, one)
        return machines

    def start(self, plan_: Plan, one: PlannedMachine) -> None:
        held = {"isolated": True, "learning": False}
        nics = tuple(
            NicSpec(nic.index, nic.mac, nic.vnet, nic.address, nic.gateway, **(held if nic.index == 0 else {})) for nic in one.nics
        )
        identity = Identity(instance=str(one.vmid), hostname=f"{plan_.environment}-{one.name}")
        self.runtime.start(GuestSpec(vmid=one.vmid, cores=one.cpus, memory=one.memory, nics=nics, identity=identity))

    def close(self) -> None:
        self.wire.remove()
        for vmid in self.runtime.running():
            self.runtime.stop(vmid)
        for vmid in [*self.runtime.bases(), 9001]:
            self.runtime.destroy(vmid)
        self.runtime.network.remove()
        subprocess.run(["ip", "link", "delete", self.site.management_interface], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Lab:
    """Two enrolled machines on one lab network: `box` for the learner, `shop` for nobody."""

    def __init__(self, guests: GuestsHere) -> None:
        self.guests = guests
        self.authority = guests.authority
        self.variables = (Variable(name="flag", value="FLAG{Xy7Kq2}"), Variable(name="word", value="harbour", shown=True))
        routes = (("10.55.0.0/16", "10.10.10.5"),)
        self.planned = (
            machine(guests.site, 5, 1, "box", "10.10.10.5/24", names=("box", "desk"), password="Correct-Horse7"),
            machine(guests.site, 5, 2, "shop", "10.10.10.20/24", access=(), sudo=False, forwards=True, routes=routes),
        )
        self.plan = self.with_()
        self.prober = ssh.Prober(guests.site, guests.authority, patience=60, insist=3)
        self.told: list[str] = []
        booting = ssh.Prober(guests.site, guests.authority)
        self.machines = booting.enrol(self.plan, guests.build(self.plan), self.told.append)

    def with_(self, *, steps=(), checks=(), machines=None, principal="seat-one-1") -> Plan:
        return plan(self.guests.site, 5, machines or self.planned, steps, checks, self.variables, principal)

    def on(self, name: str, command: str) -> str:
        """What a command of root's prints there."""
        made_ = next(one for one in self.machines if one.name == name)
        with ssh.enter(self.authority, self.plan, made_) as connection:
            outcome = connection.root(command + "\n", timeout=120)
        assert outcome.exit == 0, outcome
        return outcome.stdout
