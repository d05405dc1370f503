"""From what is stored of the datacenter's, the node's and the guests' firewalls to what is to be in force on a node: `filters.Filter`.

Pure. Defaults are Proxmox's (pve-firewall, `Firewall.pm`): a guest's firewall filters when its `enable` is 1, its card has `firewall=1`
and the datacenter's `enable` is 1; then nothing comes in and everything goes out (`proxmox-truth.md` 2.1), hardware addresses are held,
addresses only with `ipfilter` or a set `ipfilter-netN`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from typing import Any

from labctl.sandbox import firewall_files, register
from labctl.sandbox import node as node_
from labctl.sandbox.guests import filters

Rules = dict[str, Any]
_PROTOCOLS = {"tcp", "udp", "icmp", "icmpv6", "ipv6-icmp", "sctp"}


class NotUnderstood(Exception):
    """Proxmox would filter by it; here nothing passes instead."""


def wanted(node: node_.Node) -> filters.Filter:
    """What is to be in force on this node now."""
    with node.state.reading() as content:
        known: dict[str, Rules] = content["firewall"]
        cluster, host = known.get("cluster") or firewall_files.empty(), known.get("host") or firewall_files.empty()
        if not _flag(cluster, "enable", 0):
            return filters.Filter()
        guests = {text: guest for text, guest in content["guests"].items() if guest.get("node", node.name) == node.name}
        cards = [
            card
            for text, guest in sorted(guests.items())
            if text in known and _flag(known[text], "enable", 0)
            for card in _cards(int(text), guest, known[text], cluster)
        ]
    return filters.Filter(True, tuple(cards), invalid=_flag(host, "nf_conntrack_allow_invalid", 0), layer2=_flag(cluster, "ebtables", 1))


def _flag(of: Rules, name: str, default: int) -> bool:
    return str(of["options"].get(name, default)) in {"1", "True"}


def _cards(vmid: int, guest: register.Guest, own: Rules, cluster: Rules) -> Iterator[filters.Card]:
    for index, nic in register.nics(guest).items():
        if nic.get("firewall") != 1:
            continue
        mac = str(nic.get("macaddr") or nic.get("hwaddr")).lower()
        told = own["ipsets"].get(f"ipfilter-net{index}")
        fixed = _fixed(nic) if guest["type"] == "lxc" else None
        filtered = _flag(own, "ipfilter", 0)
        held = _held(told, own, cluster)
        yield filters.Card(
            vmid,
            index,
            mac,
            inwards=_chain(own, cluster, "in", index),
            outwards=_chain(own, cluster, "out", index),
            own=(*held, _link_local(mac), *([fixed] if fixed else [])) if filtered or told is not None else None,
            arp=tuple(dict.fromkeys([*(one for one in held if ":" not in one), *([fixed] if fixed and filtered else [])])),
            macfilter=_flag(own, "macfilter", 1),
            radv=_flag(own, "radv", 0),
            ndp=_flag(own, "ndp", 1),
            dhcp=_flag(own, "dhcp", 1),
        )


def _held(told: Rules | None, own: Rules, cluster: Rules) -> tuple[str, ...]:
    """A card's set of addresses; none at all when it is not understood."""
    try:
        return _members(told or {"members": []}, own, cluster)
    except NotUnderstood:
        return ()


def _fixed(nic: dict[str, Any]) -> str | None:
    """A container's configured address, which Proxmox adds to its sets by itself."""
    bare = str(nic.get("ip", "")).partition("/")[0]
    return bare if re.fullmatch(r"[0-9.]+", bare) else None


def _link_local(mac: str) -> str:
    digits = bytes.fromhex(mac.replace(":", ""))
    host = bytes([digits[0] ^ 2, *digits[1:3], 0xFF, 0xFE, *digits[3:]])
    return str(ipaddress.IPv6Address(bytes([0xFE, 0x80, *[0] * 6]) + host))


def _chain(own: Rules, cluster: Rules, way: str, index: int) -> tuple[str, ...]:
    """A direction's rules as nft's words, its policy last. What follows a rule that is not understood never counts."""
    lines: list[str] = []
    try:
        for rule in _rules(own, cluster, way, index):
            lines += _words(rule, own, cluster)
    except NotUnderstood as reason:
        words = re.sub(r"[^A-Za-z0-9 .:/+_-]", "", str(reason))[:80]
        return (*lines, f'drop comment "not understood here: {words}"')
    policy = str(own["options"].get(f"policy_{way}") or ("DROP" if way == "in" else "ACCEPT"))
    if policy == "ACCEPT":
        return (*lines, "accept")
    # Proxmox's chain for the rest lets these two pass (PVEFW-Drop).
    passing = ["icmp type destination-unreachable icmp code frag-needed accept", "icmp type time-exceeded accept"]
    return (*lines, *passing, "drop")


def _rules(own: Rules, cluster: Rules, way: str, index: int) -> Iterator[Rules]:
    """Those that count for a card, a security group's among them."""
    for rule in own["rules"]:
        if not rule.get("enable") or rule.get("iface", f"net{index}") != f"net{index}":
            continue
        if rule.get("type") == "group":
            group = cluster["groups"].get(rule["action"]) or {"rules": []}
            yield from (one for one in group["rules"] if one.get("enable") and one.get("type") == way)
        elif rule.get("type") == way:
            yield rule


def _words(rule: Rules, own: Rules, cluster: Rules) -> list[str]:
    if "macro" in rule or "icmp-type" in rule:
        raise NotUnderstood(rule.get("macro") or rule["icmp-type"])
    parts = []
    protocol = str(rule.get("proto", ""))
    if protocol:
        if protocol not in _PROTOCOLS:
            raise NotUnderstood(protocol)
        parts.append(f"meta l4proto {'ipv6-icmp' if protocol == 'icmpv6' else protocol}")
    ports = {name: _ports(str(rule[name]), protocol) for name in ("sport", "dport") if rule.get(name)}
    parts += [f"th {name} {{ {', '.join(numbers)} }}" for name, numbers in ports.items()]
    verdict = "accept" if rule["action"] == "ACCEPT" else "drop"
    families = _families(rule, own, cluster)
    return [" ".join([*family, *parts, verdict]) for family in families]


def _families(rule: Rules, own: Rules, cluster: Rules) -> list[list[str]]:
    """Source and destination as nft's words, one list for each version of IP that the rule is about."""
    given = {way: _addresses(str(rule[name]), own, cluster) for name, way in (("source", "saddr"), ("dest", "daddr")) if rule.get(name)}
    if not given:
        return [[]]
    found = []
    for family in ("ip", "ip6"):
        sides = {way: [one for one in all_ if (":" in one) == (family == "ip6")] for way, all_ in given.items()}
        if all(sides.values()):
            found.append([f"{family} {way} {{ {', '.join(side)} }}" for way, side in sides.items()])
    return found


def _addresses(text: str, own: Rules, cluster: Rules) -> list[str]:
    if text.startswith("+"):
        name = text[1:].rpartition("/")[2]
        return list(_members(own["ipsets"].get(name) or cluster["ipsets"].get(name) or {"members": []}, own, cluster))
    return [_address(part, own, cluster) for part in re.split(r"[,; ]+", text) if part]


def _members(known: Rules, own: Rules, cluster: Rules) -> tuple[str, ...]:
    found = []
    for member in known["members"]:
        if member.get("nomatch"):
            raise NotUnderstood(f"!{member['cidr']}")
        found.append(_address(str(member["cidr"]), own, cluster))
    return tuple(found)


def _address(text: str, own: Rules, cluster: Rules) -> str:
    """An address, network, range or alias as nft takes it."""
    low, dash, high = text.partition("-")
    try:
        if dash:
            return f"{ipaddress.ip_address(low)}-{ipaddress.ip_address(high)}"
        return _bare(text)
    except ValueError:
        name = text.rpartition("/")[2].lower()
    for known in (own, cluster):
        for alias, facts in known["aliases"].items():
            if alias.lower() == name:
                return _bare(str(facts["cidr"]))
    raise NotUnderstood(text)


def _bare(text: str) -> str:
    network = ipaddress.ip_network(text, strict=False)
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _ports(text: str, protocol: str) -> Iterator[str]:
    for part in text.split(","):
        low, colon, high = part.partition(":")
        try:
            yield f"{int(low)}-{int(high)}" if colon else str(int(low) if low.isdigit() else socket.getservbyname(low, protocol))
        except OSError as error:
            raise NotUnderstood(text) from error
