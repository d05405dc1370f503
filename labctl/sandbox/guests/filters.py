"""What guests' cards may send and receive, as the kernel's rules: the same bridges, connection tracking and order as Proxmox's own
(pve-firewall 6f1311f, `Firewall.pm`: compile_iptables_filter, generate_tap_rules_direction, compile_ebtables_filter). What is asked for
is worked out by `firewall_cards`; here it becomes two tables in the node's namespace, replaced whole.

    bridge   what is no IP: the card's own hardware address, ARP for its own addresses only
    inet     invalid packets go, answers pass, then the card's chain: inwards (`-IN`) or outwards (`-OUT`)

A packet is tracked on the card's bridge and again on the VNet's. So a refusal (RST) of a connection that was never answered is let
through by the first, which forgets the connection at once, and dropped by the second as invalid: a closed port of a guest with a
filtered card is silent. That is the kernel's own doing, so to be expected there too (not run on Proxmox).

Which way a packet crosses a card's bridge nft cannot see (there is no physdev here), so the bridge table marks it on its way in.

Where it differs from Proxmox, it is stricter: REJECT drops without an answer, a rule that is not understood here (macros, ICMP types
by name, `nomatch`) closes its direction of the card from there on. Left out: smurfs and TCP flags, logging, rates, SYN floods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labctl.sandbox.guests import network
from labctl.sandbox.guests.runtime import RuntimeFailure

TABLE = "pvefw"
_OUTWARDS, _INWARDS = 1, 2


@dataclass(frozen=True)
class Card:
    """One card with `firewall=1` of a guest whose firewall is on. `own`: the addresses that it may send from, None for any. `inwards` and
    `outwards` are nft's words, one rule each, the policy last.
    """

    vmid: int
    index: int
    mac: str
    inwards: tuple[str, ...]
    outwards: tuple[str, ...]
    own: tuple[str, ...] | None = None
    arp: tuple[str, ...] = ()
    macfilter: bool = True
    radv: bool = False
    ndp: bool = True
    dhcp: bool = True

    @property
    def port(self) -> str:
        """The card's host end, after which Proxmox names its chains."""
        return network.port(self.vmid, self.index)


@dataclass(frozen=True)
class Filter:
    """What is in force on a node; `cards` do not matter while it is off."""

    on: bool = False
    cards: tuple[Card, ...] = ()
    invalid: bool = False
    """Whether packets of no known connection pass (the node's `nf_conntrack_allow_invalid`)."""
    layer2: bool = True
    """The datacenter's `ebtables`."""


def load(net: network.Network, wanted: Filter) -> None:
    """Put it in force, in one transaction. Raises RuntimeFailure with nft's words."""
    if wanted.on:
        # What makes bridged packets pass the rules at all; Proxmox sets it too (enable_bridge_firewall).
        network.run(*net.inside(), "sysctl", "-qw", *(f"net.bridge.bridge-nf-call-{tables}=1" for tables in ("iptables", "ip6tables")))
    done = network.fed(text(wanted), *net.inside(), "nft", "-f", "-")
    if done.returncode:
        raise RuntimeFailure(f"the firewall's rules were refused: {done.stderr.strip()}")


def text(wanted: Filter) -> str:
    """For `nft -f -`: what was there goes, and what is wanted comes."""
    old = "".join(f"add table {family} {TABLE}\ndelete table {family} {TABLE}\n" for family in ("bridge", "inet"))
    return old + (_bridge(wanted) + _inet(wanted) if wanted.on else "")


def _bridge(wanted: Filter) -> str:
    cards = wanted.cards if wanted.layer2 else ()
    chains = "".join(_chain(f"{card.port}-ARP", [f"arp saddr ip {_set(card.arp)} return", "drop"]) for card in cards if card.arp)
    for card in cards:
        lines = [f"ether saddr != {card.mac} drop"] if card.macfilter else []
        lines += [f"ether type arp jump {card.port}-ARP"] if card.arp else []
        chains += _chain(f"{card.port}-OUT", lines)
    ways = [f'iifname "fwln*" meta mark set {_INWARDS}', f'iifname "veth*" meta mark set {_OUTWARDS}']
    inspect = ["ether type { ip, ip6 } accept", *(f'iifname "{card.port}" jump {card.port}-OUT' for card in cards)]
    return (
        f"table bridge {TABLE} {{\n{chains}"
        + _chain("way", ["type filter hook prerouting priority -300; policy accept;", *ways])
        + _chain("frames", ["type filter hook forward priority 100; policy accept;", *inspect])
        + "}\n"
    )


def _inet(wanted: Filter) -> str:
    chains = "".join(_chain(f"{card.port}-IN", _inwards(card)) + _chain(f"{card.port}-OUT", _outwards(card)) for card in wanted.cards)
    first = [] if wanted.invalid else ["ct state invalid drop"]
    bridge = network.firewall_bridge
    each = [
        f'meta mark {mark} iifname "{bridge(card.vmid, card.index)}" goto {card.port}-{way}'
        for card in wanted.cards
        for mark, way in ((_INWARDS, "IN"), (_OUTWARDS, "OUT"))
    ]
    forward = ["type filter hook forward priority filter; policy accept;", *first, "ct state established,related accept", *each]
    return f"table inet {TABLE} {{\n{chains}{_chain('forward', forward)}}}\n"


def _inwards(card: Card) -> list[str]:
    lines = ["udp sport 67 udp dport 68 accept", "udp sport 547 udp dport 546 accept"] if card.dhcp else []
    ndp = "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept"
    return [*lines, *([ndp] if card.ndp else []), *card.inwards]


def _outwards(card: Card) -> list[str]:
    lines = ["udp sport 68 udp dport 67 accept", "udp sport 546 udp dport 547 accept"] if card.dhcp else []
    lines += [f"ether saddr != {card.mac} drop"] if card.macfilter else []
    lines += [] if card.radv else ["icmpv6 type nd-router-advert drop"]
    if card.own is not None:
        for family, own in (("ip", [one for one in card.own if ":" not in one]), ("ip6", [one for one in card.own if ":" in one])):
            lines.append(f"{family} saddr != {_set(own)} drop" if own else f"meta nfproto {'ipv6' if family == 'ip6' else 'ipv4'} drop")
    kinds = ["nd-router-solicit", *(["nd-router-advert"] if card.radv else []), "nd-neighbor-solicit", "nd-neighbor-advert"]
    return [*lines, *([f"icmpv6 type {_set(kinds)} accept"] if card.ndp else []), *card.outwards]


def _set(of: Sequence[str]) -> str:
    return f"{{ {', '.join(of)} }}"


def _chain(name: str, lines: Sequence[str]) -> str:
    return f"  chain {name} {{\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"
