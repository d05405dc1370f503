"""The node's network: one namespace with a bridge per VNet, ports for guests, and the cable to the machine's own namespace.

Everything is repeatable and is taken away by `remove`. Addresses, firewall and neighbours on the machine's side of the cable are
labctl's matter, not the node's. No bridge has an address: nobody but its guests (and the cable's far end) is on it.

    machine's namespace        namespace NAME-node
    uplink  <=== cable ===>    uplink | labmgmt (bridge) | veth100i0 <=> eth0 of guest 100 eth1 <=> veth100i1 | v123 (bridge)

A card with `firewall=1` stands behind a bridge of its own, as in Proxmox (pve-common `Network.pm`, tap_plug), for what it may not send
must not even teach the VNet's bridge an address:

    labmgmt (bridge) | fwpr100p0 <=> fwln100i0 | fwbr100i0 (bridge) | veth100i0 <=> eth0 of guest 100
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
from typing import Any

from labctl.sandbox.guests.runtime import NicSpec, RuntimeFailure

CABLE_END = "uplink"
"""The cable's name inside the namespace."""


def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run it; a failure becomes a RuntimeFailure with the command's own words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeFailure(f"{shlex.join(command)}: {done.stderr.strip() or done.stdout.strip() or f'exit {done.returncode}'}")
    return done


def fed(text: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run it with that on its standard input; the caller looks how it ended."""
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def port(vmid: int, index: int) -> str:
    """The host end of a card, named as Proxmox names it. At most 15 characters."""
    return f"veth{vmid}i{index}"


def firewall_bridge(vmid: int, index: int) -> str:
    """The bridge in front of a card with `firewall=1`."""
    return f"fwbr{vmid}i{index}"


class Network:
    """The namespace of one node. `name` keeps several nodes on one machine apart."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.namespace = f"{name}-node"
        self.file = f"/run/netns/{self.namespace}"

    def inside(self) -> list[str]:
        """The start of a command that runs in the namespace. Not `ip netns exec`: that remounts /sys and hides the cgroups from LXC
        (`guests.md` 2, pitfall 9).
        """
        return ["nsenter", f"--net={self.file}"]

    def exists(self) -> bool:
        """Whether the namespace is there and alive (after a crash its name may be left without one)."""
        return run(*self.inside(), "true", check=False).returncode == 0

    def ensure(self) -> None:
        """Make the namespace. Its own ends of cables speak no IPv6 and forward nothing."""
        if self.exists():
            return
        run("ip", "netns", "delete", self.namespace, check=False)
        run("ip", "netns", "add", self.namespace)
        quiet = [f"net.ipv6.conf.{which}.disable_ipv6=1" for which in ("all", "default")]
        run(*self.inside(), "sysctl", "-qw", "net.ipv4.ip_forward=0", *quiet, check=False)

    def bridges(self) -> set[str]:
        """The bridges that are there."""
        return {link["ifname"] for link in self._links("type", "bridge")}

    def add_bridge(self, name: str) -> None:
        """A bridge without spanning tree (ports carry traffic at once) and without multicast snooping. Repeatable."""
        if name not in self.bridges():
            added = run(
                "ip", "-n", self.namespace, "link", "add", name, "type", "bridge", "stp_state", "0", "mcast_snooping", "0", check=False
            )
            if added.returncode and "File exists" not in added.stderr:
                raise RuntimeFailure(f"bridge {name!r} could not be made: {added.stderr.strip()}")
        run("ip", "-n", self.namespace, "link", "set", name, "addrgenmode", "none", "up")

    def remove_bridge(self, name: str) -> None:
        """Repeatable."""
        if name in self.bridges():
            run("ip", "-n", self.namespace, "link", "delete", name, check=False)

    def plug_cable(self, interface: str, bridge: str) -> None:
        """Join the machine's own namespace to `bridge` by the cable `interface`. Its hardware address is made from its name, so that
        guests' neighbour entries stay true when the cable is made anew. Repeatable.
        """
        there = run("ip", "-j", "link", "show", "dev", interface, check=False)
        whole = run("ip", "-n", self.namespace, "link", "show", "dev", CABLE_END, check=False).returncode == 0
        if there.returncode == 0 and json.loads(there.stdout)[0].get("ifalias") != self.alias:
            raise RuntimeFailure(
                f"there is already an interface {interface!r} on this machine that is not this node's: choose another name"
            )
        if there.returncode == 0 and not whole:
            run("ip", "link", "delete", interface, check=False)  # a namespace that is going takes its end, and this, along
        if there.returncode or not whole:
            run("ip", "link", "add", interface, "type", "veth", "peer", "name", CABLE_END, "netns", self.namespace)
        digits = hashlib.sha256(interface.encode()).hexdigest()
        mac = "02:" + ":".join(digits[i : i + 2] for i in range(0, 10, 2))
        run("ip", "link", "set", interface, "alias", self.alias)
        if there.returncode or not whole:
            run("ip", "link", "set", interface, "addrgenmode", "none", "address", mac)
        run("ip", "-n", self.namespace, "link", "set", CABLE_END, "addrgenmode", "none", "master", bridge, "up")
        run("ip", "link", "set", interface, "up")

    @property
    def alias(self) -> str:
        """What marks a cable in the machine's namespace as this node's."""
        return f"sandbox node {self.name}"

    def cables(self) -> list[str]:
        """This node's cables in the machine's namespace."""
        links = json.loads(run("ip", "-j", "link", "show").stdout or "[]")
        return [link["ifname"] for link in links if link.get("ifalias") == self.alias]

    def remove(self) -> list[str]:
        """Take the cable and the namespace away with all that is in it; returns what was there. Repeatable."""
        gone = []
        for interface in self.cables():
            run("ip", "link", "delete", interface, check=False)
            gone.append(f"interface {interface}")
        if run("ip", "netns", "delete", self.namespace, check=False).returncode == 0:
            gone.append(f"network namespace {self.namespace}")
        return gone

    def forget_ports(self, vmid: int) -> None:
        """Delete ports of a guest that is off. A namespace dies asynchronously: a port left in the bridge makes the next start fail
        with "File exists", for ever (`access.md` 1.1).
        """
        for name in self.ports(vmid):
            run("ip", "-n", self.namespace, "link", "delete", name, check=False)

    def ports(self, vmid: int) -> list[str]:
        """The host ends of a guest's cards, and what stands before them."""
        mine = re.compile(rf"veth{vmid}i\d+|fwbr{vmid}i\d+|fwln{vmid}i\d+")
        return [link["ifname"] for link in self._links() if mine.fullmatch(link["ifname"])]

    def _links(self, *which: str) -> list[dict[str, Any]]:
        done = run("ip", "-n", self.namespace, "-j", "link", "show", *which, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]") if done.returncode == 0 else []
        return found


def plug_script(vmid: int, nic: NicSpec) -> str:
    """A shell script for LXC's `script.up` hook, run in the node's namespace when the card's host end (`$5`) exists. A guest that
    restarts by itself plugs its cards in anew, so what stood before them goes first. One process does it all: each costs a millisecond
    and a half.
    """
    lines = ["#!/bin/sh", "set -e"]
    if nic.bridge is None:
        return "\n".join([*lines, 'ip link set "$5" up', ""])
    bridge, ports = shlex.quote(nic.bridge), ["$5"]
    batch = []
    if nic.firewall:
        own, outer, inner = firewall_bridge(vmid, nic.index), f"fwpr{vmid}p{nic.index}", f"fwln{vmid}i{nic.index}"
        lines.append(f"ip -force -batch - 2>/dev/null <<END || true\nlink delete {inner}\nlink delete {own}\nEND")
        batch += [
            f"link add {own} type bridge stp_state 0 mcast_snooping 0",
            f"link set {own} addrgenmode none up",
            f"link add {inner} type veth peer name {outer}",
            f"link set {inner} addrgenmode none master {own} up",
            f"link set {outer} addrgenmode none master {bridge} up",
        ]
        bridge, ports = own, ["$5", outer]
    batch.append(f"link set $5 addrgenmode none master {bridge}")
    flags = [*(["isolated on"] if nic.isolated else []), *([] if nic.learning else ["learning off flood off"])]
    batch += [f"link set {port} type bridge_slave {' '.join(flags)}" for port in ports if flags]
    batch.append("link set $5 up")
    lines += ["ip -batch - <<END", *batch, "END"]
    if not nic.learning:
        mac = shlex.quote(nic.mac.lower())
        lines += ["bridge -batch - <<END", *(f"fdb replace {mac} dev {port} master static" for port in ports), "END"]
    return "\n".join([*lines, ""])
