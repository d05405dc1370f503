"""Cross-checks of networks, addresses, gateways and routes (`blueprint.md` 6, 7)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from labctl.model import addressing, inventory, references
from labctl.model import blueprint as language
from labctl.model.finding import Finding

_PRIVATE = tuple(ipaddress.IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))


def findings(blueprint: language.Blueprint) -> Iterator[Finding]:
    """Everything about networks."""
    placed = [*_cidrs(blueprint), *_nics(blueprint)]
    yield from placed
    if any(not finding.warning for finding in placed):
        return
    addresses = addressing.assign(blueprint)
    yield from (Finding(loc, text) for loc, text in addresses.problems)
    yield from _gateways(blueprint, addresses)
    yield from _routes(blueprint, addresses)


def _cidrs(blueprint: language.Blueprint) -> Iterator[Finding]:
    seen: list[inventory.Network] = []
    for network in inventory.networks(blueprint):
        loc = ("networks", network.name)
        if network.block.cidr is None:
            if len(blueprint.networks) > 1:
                yield Finding(loc, "'cidr' is missing; only a single network may leave it out", at_key=True)
            continue
        cidr = ipaddress.IPv4Network(network.cidr)
        if not any(cidr.subnet_of(private) for private in _PRIVATE):
            yield Finding((*loc, "cidr"), f"{cidr} is not a private range; learners cannot reach the real one from this lab", warning=True)
        for other in seen:
            if cidr.overlaps(ipaddress.IPv4Network(other.cidr)):
                yield Finding((*loc, "cidr"), f"{cidr} overlaps with network '{other.name}' ({other.cidr})")
        seen.append(network)


def _nics(blueprint: language.Blueprint) -> Iterator[Finding]:
    known = {network.name for network in inventory.networks(blueprint)}
    for name, block in blueprint.machines.items():
        for network in block.nics or {}:
            if network not in known:
                yield Finding(("machines", name, "nics", network), references.absent("network", network, sorted(known)), at_key=True)
        if len(block.nics or {}) > 15:
            yield Finding(("machines", name, "nics"), "a machine has at most 15 nics", at_key=True)


def _gateways(blueprint: language.Blueprint, addresses: addressing.Addresses) -> Iterator[Finding]:
    members = {machine.name: machine for machine in inventory.machines(blueprint)}
    for name, block in blueprint.networks.items():
        loc = ("networks", name, "gateway")
        if block.gateway in {"auto", "none"} or "." in block.gateway:
            continue
        machine = members.get(block.gateway)
        if machine is None:
            counted = [member.name for member in members.values() if member.base == block.gateway]
            many = f"'{block.gateway}' is {len(counted)} machines; name one: {counted[0]}" if counted else ""
            yield Finding(loc, many or references.absent("machine", block.gateway, members))
        elif addresses.of(machine.name, name) is None:
            yield Finding(loc, f"'{machine.name}' is the gateway of '{name}' but has no address there; give it a nic on '{name}'")
        elif not machine.block.forwards:
            yield Finding(loc, f"'{machine.name}' is the gateway of '{name}' but does not forward; say forwards: true at the machine")


def _routes(blueprint: language.Blueprint, addresses: addressing.Addresses) -> Iterator[Finding]:
    members = inventory.machines(blueprint)
    for machine in members:
        if machine.number > 1:
            continue
        for destination, via in machine.block.routes.items():
            loc = ("machines", machine.base, "routes", destination)
            complaint = _route(blueprint, addresses, machine, via)
            if complaint:
                yield Finding(loc, complaint)


def _route(blueprint: language.Blueprint, addresses: addressing.Addresses, machine: inventory.Machine, via: str) -> str:
    names = {member.name for member in inventory.machines(blueprint)}
    if via in names:
        return "" if next_hop(addresses, machine, via) else f"'{via}' has no address on a network of '{machine.name}'"
    try:
        address = ipaddress.IPv4Address(via)
    except ValueError:
        return references.absent("machine", via, sorted(names))
    near = [network for network in inventory.networks(blueprint) if addresses.of(machine.name, network.name) is not None]
    if any(addressing.usable(ipaddress.IPv4Network(network.cidr), address) for network in near):
        return ""
    return f"{via} is on no network of '{machine.name}'"


def next_hop(addresses: addressing.Addresses, machine: inventory.Machine, via: str) -> ipaddress.IPv4Address | None:
    """The address of machine `via` on the first network where both have one."""
    for network in machine.nics:
        there = addresses.of(via, network)
        if there is not None and addresses.of(machine.name, network) is not None:
            return there
    return None
