"""Plans by hand against a sandbox node: what the planner would say, without a blueprint."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

from infra.provisioner import Provisioner
from labctl.model import marks
from labctl.model.plan import Nic, Plan, PlannedMachine, PlannedNetwork, SeatRef
from labctl.model.site import Cluster, Image, Site

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPZ8QqPHc3mWpHAXP4GJXIFlWQbJxTkWhJrkVNvJYVnT labctl"


def site(node) -> Site:
    told = node.credentials
    images = {name: Image.model_validate(kinds) for name, kinds in told["images"].items()}
    cluster = Cluster(url=told["url"], user=told["user"], token=told["token"], secret_file=told["secret_file"], ca_file=told["ca_file"])
    return Site(installation="test", cluster=cluster, management=IPv4Network(node.management), images=images)


def provisioner(node, state: Path, engine: str = "embedded", **more) -> Provisioner:
    return Provisioner(site(node), state, engine, state.parent / "passphrase", KEY, **more)


def plan(where: Site, plot: int = 3, *, environment: str | None = None, machines: str = "web:vm,db:container", networks: int = 1) -> Plan:
    """`machines` is NAME:KIND[:AFTER], separated by commas."""
    environment = environment or f"e{plot:09d}"
    nets = tuple(
        PlannedNetwork(name=f"lan{index}", vnet=marks.vnet(plot, index), tag=marks.tag(where, plot, index), cidr=f"10.10.{10 + index}.0/24")
        for index in range(networks)
    )
    image = where.images["debian-12"]
    made = []
    for index, words in enumerate((text.split(":") for text in machines.split(",")), start=1):
        template = image.of(words[1])[0]
        cards = [
            Nic(
                index=0,
                network=None,
                vnet=where.management_vnet,
                mac=marks.management_mac(plot, index),
                address=f"{marks.management_address(where, plot, index)}/{where.management.prefixlen}",
            )
        ]
        cards += [
            Nic(
                index=n + 1,
                network=net.name,
                vnet=net.vnet,
                mac=marks.lab_mac(plot, index, n + 1),
                address=f"10.10.{10 + n}.{10 + index}/24",
            )
            for n, net in enumerate(nets)
        ]
        made.append(
            PlannedMachine(
                name=words[0],
                vmid=marks.vmid(where, plot, index),
                node=template.node,
                template=template.vmid,
                kind=words[1],
                image="debian-12",
                hostname=words[0],
                cpus=1,
                memory=512,
                nics=tuple(cards),
                after=tuple(words[2:]),
            )
        )
    return Plan(
        environment=environment, installation=where.installation, plot=plot, pool=marks.pool(where, environment), zone=where.zone,
        classroom="c1", blueprint="first", source="first@sha256:0", seat=SeatRef(number=plot, name="Ada", login="ada"),
        principal=f"seat-{environment}", machines=tuple(made), networks=nets, steps=(), checks=(),
    )  # fmt: skip
