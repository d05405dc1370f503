"""Which machine has which address on which network: the same for every learner.

Fixed addresses first, in file order (those of a counted machine count upwards); then `auto` from the top down, in file order, so that
adding a machine at the end moves nobody. One function gives both the addresses and what is wrong with them, so that the check and the
planner cannot disagree.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from labctl.model import blueprint as language
from labctl.model import inventory, marked

LABCTL_GATEWAY = "labctl's gateway"


@dataclass
class Addresses:
    """(machine, network) -> address; None for a link without address. `problems` are texts with their place in the blueprint."""

    by_nic: dict[tuple[str, str], ipaddress.IPv4Address | None] = field(default_factory=dict)
    problems: list[tuple[marked.Loc, str]] = field(default_factory=list)

    def of(self, machine: str, network: str) -> ipaddress.IPv4Address | None:
        """The address of a machine on a network, if it has one there."""
        return self.by_nic.get((machine, network))


def assign(blueprint: language.Blueprint) -> Addresses:
    """The addresses of all machines."""
    found = Addresses()
    members = inventory.machines(blueprint)
    for network in inventory.networks(blueprint):
        _assign(found, network, [machine for machine in members if network.name in machine.nics])
    return found


def _assign(found: Addresses, network: inventory.Network, members: list[inventory.Machine]) -> None:
    cidr = ipaddress.IPv4Network(network.cidr)
    taken: dict[ipaddress.IPv4Address, str] = {}
    own = own_gateway(network)
    if own is not None:
        taken[own] = LABCTL_GATEWAY
        if not usable(cidr, own):
            found.problems.append((("networks", network.name, "gateway"), _not_usable(own, network)))
    for machine in members:
        if machine.nics[network.name] == "none":
            found.by_nic[machine.name, network.name] = None
        elif machine.nics[network.name] != "auto":
            _fixed(found, network, machine, taken)
    free = cidr.broadcast_address - 1
    for machine in members:
        if machine.nics[network.name] != "auto":
            continue
        while free in taken:
            free -= 1
        if not usable(cidr, free):
            text = f"network '{network.name}' ({network.cidr}) has no address left for '{machine.name}'"
            found.problems.append((("machines", machine.base, "nics", network.name), text))
            return
        taken[free] = machine.name
        found.by_nic[machine.name, network.name] = free


def _fixed(found: Addresses, network: inventory.Network, machine: inventory.Machine, taken: dict[ipaddress.IPv4Address, str]) -> None:
    number = int(ipaddress.IPv4Address(machine.nics[network.name])) + max(machine.number - 1, 0)
    address = ipaddress.IPv4Address(min(number, 2**32 - 1))
    loc = ("machines", machine.base, "nics", network.name)
    if not usable(ipaddress.IPv4Network(network.cidr), address):
        found.problems.append((loc, _not_usable(address, network)))
    elif address in taken:
        found.problems.append((loc, _clash(address, taken[address], network)))
    else:
        taken[address] = machine.name
    found.by_nic[machine.name, network.name] = address


def usable(cidr: ipaddress.IPv4Network, address: ipaddress.IPv4Address) -> bool:
    """Whether a guest may have the address: inside, and neither the network's own nor broadcast."""
    return address in cidr and address not in {cidr.network_address, cidr.broadcast_address}


def own_gateway(network: inventory.Network) -> ipaddress.IPv4Address | None:
    """The address kept free for labctl's gateway: the first usable one, or the one that `gateway` names."""
    if network.block.gateway == "auto":
        return ipaddress.IPv4Network(network.cidr).network_address + 1
    try:
        return ipaddress.IPv4Address(network.block.gateway)
    except ValueError:
        return None


def _not_usable(address: ipaddress.IPv4Address, network: inventory.Network) -> str:
    return f"{address} is not a usable address of '{network.name}' ({network.cidr})"


def _clash(address: ipaddress.IPv4Address, owner: str, network: inventory.Network) -> str:
    if owner == LABCTL_GATEWAY:
        return f"{address} is already taken by labctl's gateway; move one of them, or set gateway on '{network.name}'"
    return f"{address} is already taken by '{owner}'; move one of them"
