"""The guest's firewall on its management card (`access.md` 1.3): it answers labctl and starts nothing, under its own address only.

It takes effect only where the card has `firewall=1` and the datacenter's firewall is on (`proxmox-truth.md` 2.1); `findings` says when
that is not so. Nodes put what is written in force every ten seconds (pve-firewall `Service/pve_firewall.pm`); until then the VNet's
isolated ports are the wall. A clone brings its template's whole firewall along (`client-sequence.md` 5), so what is not ours goes, and a
golden template keeps its set of addresses, but empty.

**A firewall is switched on last**, when all else of it is written, and that of a golden template is off: a node that looks in between, at a
clone whose set is still empty say, would close the guest to labctl until it looks again, ten seconds later, and a class would stand still.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import answers, client, cluster, guests
from labctl.model import site as site_

OPTIONS = {"enable": "1", "policy_in": "DROP", "policy_out": "DROP", "macfilter": "1", "ipfilter": "1", "dhcp": "0", "radv": "0"}
"""`access.md` 1.3. Replies pass by connection tracking."""

OWN = "ipfilter-net0"
"""The set of addresses that the management card may have (pve-firewall `Firewall.pm`, compute_ipfilter_ipset_name)."""

_REMEMBERED = 60.0
"""Seconds for which it is believed that a template's firewall is as it was: a class clones the same one hundreds of times."""


@dataclass(frozen=True)
class Wall:
    """`admits`: the one address that may open TCP connections to the guest. `own`: the one address that the guest has."""

    admits: str
    own: str

    @property
    def rule(self) -> dict[str, str]:
        """Without `enable` it would be stored and do nothing (`client-sequence.md` 6)."""
        return {"type": "in", "action": "ACCEPT", "proto": "tcp", "source": self.admits, "enable": "1"}


@dataclass(frozen=True)
class Found:
    """A guest's firewall as Proxmox says it. `members` is None where there is no such set; `rules` in order."""

    options: Mapping[str, str]
    rules: tuple[Mapping[str, str], ...]
    members: tuple[str, ...] | None


def look(to: cluster.Cluster, place: guests.Place) -> Found:
    """Three or four calls."""
    path = f"{place.path}/firewall"
    rules = sorted(to.client.get(f"{path}/rules"), key=lambda rule: int(rule["pos"]))
    sets = {str(row["name"]) for row in to.client.get(f"{path}/ipset")}
    members = tuple(str(row["cidr"]) for row in to.client.get(f"{path}/ipset/{OWN}")) if OWN in sets else None
    options = {name: str(value) for name, value in to.client.get(f"{path}/options").items() if name != "digest"}
    return Found(options, tuple({name: str(value) for name, value in rule.items()} for rule in rules), members)


def differs(found: Found, wall: Wall) -> bool:
    """Whether anything has to be written."""
    return bool(list(_steps(found, wall)))


def hold(to: cluster.Cluster, place: guests.Place, wall: Wall, *, cloned: guests.Source | None = None) -> None:
    """Bring the guest's firewall to `wall`. `cloned`: the template of which it has just been made, whose firewall it has."""
    for attempt in to.client.patiently(_look_again):
        with attempt:
            inherited = cloned is not None and attempt.num == 1
            found = _of_template(to, place, cloned) if cloned is not None and inherited else look(to, place)
            for method, path, parameters in _steps(found, wall):
                to.client.call(method, f"{place.path}/firewall{path}", parameters)


def let_go(to: cluster.Cluster, place: guests.Place, own: str) -> None:
    """A template's firewall is off and its address is out of the set: whoever is cloned from it has another one. Repeatable."""
    found = look(to, place)
    if found.options.get("enable", "0") != "0":
        to.client.put(f"{place.path}/firewall/options", enable=0)
    if own in (_bare(one) for one in found.members or ()):
        to.client.delete(f"{place.path}/firewall/ipset/{OWN}/{own}")


def _look_again(error: Exception) -> bool:
    """After an unknown outcome, and where something is there already that should have been new."""
    return isinstance(error, (errors.TemporaryError, errors.Conflict)) and not isinstance(error, answers.Stopped)


def _of_template(to: cluster.Cluster, place: guests.Place, source: guests.Source) -> Found:
    known, fact = to.client.known, f"firewall of {place.kind} {source.vmid}"
    at: float
    found: Found | None
    at, found = known.get(fact, (0.0, None))
    if found is None or time.monotonic() - at > _REMEMBERED:
        found = look(to, guests.Place(source.node, place.kind, source.vmid))
        known[fact] = (time.monotonic(), found)
    return found


def _steps(found: Found, wall: Wall) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The calls that are still needed: method, path below the firewall, parameters. What switches it on goes last."""
    have = None if found.members is None else {_bare(one) for one in found.members}
    if have and have != {wall.own}:
        yield "DELETE", f"/ipset/{OWN}", {"force": 1}
        have = None
    if have is None:
        yield "POST", "/ipset", {"name": OWN}
    if not have:
        yield "POST", f"/ipset/{OWN}", {"cidr": wall.own}
    good = [number for number, rule in enumerate(found.rules) if _is(rule, wall.rule)]
    for number in reversed(range(len(found.rules))):  # from the end, for those behind move up
        if number not in good[:1]:
            yield "DELETE", f"/rules/{number}", {}
    if not good:
        yield "POST", "/rules", dict(wall.rule)
    if options := {name: value for name, value in OPTIONS.items() if found.options.get(name) != value}:
        yield "PUT", "/options", options


def _is(rule: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """The same in all that decides; nothing that narrows or widens it beside."""
    beside = set(rule) - set(wanted) - {"pos", "digest", "ipversion", "comment", "log"}
    return not beside and all(rule.get(name) == value for name, value in wanted.items())


def _bare(cidr: str) -> str:
    try:
        one = ip_network(cidr, strict=False)
    except ValueError:  # an alias
        return cidr
    return str(one.network_address) if one.prefixlen == one.max_prefixlen else str(one)


def findings(to: client.Client, site: site_.Site) -> Sequence[tuple[str, str]]:
    """(what is open, what to switch on) for everything that would leave guests' walls without effect. Raises what the client raises."""
    found = []
    try:
        on = str(to.get("/cluster/firewall/options").get("enable", 0)) == "1"
    except errors.Forbidden:
        found.append(
            ("labctl may not see whether the datacenter's firewall is on", "Give its token Sys.Audit on / (infra/deploy/proxmox-setup.sh).")
        )
    else:
        if not on:
            found.append(
                (
                    "the datacenter's firewall is off, so nothing holds guests on other nodes apart, nor to their own addresses",
                    "Look at the nodes' own rules first, then: pvesh set /cluster/firewall/options --enable 1",
                )
            )
    vnet = next((row for row in to.get("/cluster/sdn/vnets") if row.get("vnet") == site.management_vnet), None)
    if vnet is not None and str(vnet.get("isolate-ports", 0)) != "1":
        found.append(
            (
                f"the VNet {site.management_vnet} does not isolate its ports, so guests on one node reach each other",
                f"Proxmox VE 8.3 or newer: pvesh set /cluster/sdn/vnets/{site.management_vnet} --isolate-ports 1 && pvesh set /cluster/sdn",
            )
        )
    return found
