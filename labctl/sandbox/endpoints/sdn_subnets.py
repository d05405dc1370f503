"""Subnets of VNets and the addresses of the built-in IPAM (`proxmox-truth.md` 3.11; texts from recorded answers).

Stored and checked; no DHCP server runs behind them. Changing an address (`PUT ips`) fails in Proxmox itself, so it does here.
"""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

from labctl.sandbox import answers, calls, formats, property_strings, sdn
from labctl.sandbox.endpoints import sdn_objects

_FIELDS = {"gateway", "snat", "dnszoneprefix", "dhcp-range", "dhcp-dns-server"}
_RANGE = {"start-address": {"type": "string", "format": "ip"}, "end-address": {"type": "string", "format": "ip"}}


def ident(zone: str, text: str) -> tuple[str, str]:
    """(id, network with mask): "10.0.0.0/24" in zone z1 is z1-10.0.0.0-24."""
    if "/" not in text:
        address, _, mask = text.rpartition("-")
        return text if text.startswith(f"{zone}-") else f"{zone}-{text}", f"{address.removeprefix(f'{zone}-')}/{mask}"
    return f"{zone}-{text.replace('/', '-')}", text


def _shown(call: calls.Call, name: str, row: sdn.Thing) -> sdn.Thing:
    zone, _, rest = name.partition("-")
    network, _, mask = rest.rpartition("-")
    row.setdefault("vnet", call.text("vnet"))
    ranges = row.pop("dhcp-range", [])
    row["dhcp-range"] = [property_strings.parse(_RANGE, text, "dhcp-range", checked=False) for text in ranges]
    return row | {"id": name, "subnet": name, "zone": zone, "network": network, "mask": mask, "cidr": f"{network}/{mask}"}


def _row(call: calls.Call, name: str) -> sdn.Thing | None:
    known = sdn_objects.row(call.node, "subnets", name, call)
    if known is None:
        return None
    pending = known.get("pending")
    if isinstance(pending, dict):
        for key in ("vnet", "zone"):
            pending.pop(key, None)
    return _shown(call, name, known)


def _vnet(call: calls.Call, *, audit: bool = False) -> sdn.Thing:
    sdn_objects.vnet_path(call, audit=audit)
    everything = {**sdn.running(call.node, "vnets"), **sdn.written(call.node, "vnets")}
    return everything[call.text("vnet")]


@calls.on("GET", "/cluster/sdn/vnets/{vnet}/subnets")
def listed(call: calls.Call) -> list[sdn.Thing]:
    """The subnets of one VNet."""
    _vnet(call, audit=True)
    everything = {**sdn.running(call.node, "subnets"), **sdn.written(call.node, "subnets")}
    rows = [_row(call, name) for name, thing in sorted(everything.items()) if thing.get("vnet") == call.text("vnet")]
    return [row for row in rows if row is not None]


@calls.on("GET", "/cluster/sdn/vnets/{vnet}/subnets/{subnet}")
def one(call: calls.Call) -> sdn.Thing:
    """One subnet."""
    name, _ = ident(str(_vnet(call, audit=True)["zone"]), call.text("subnet"))
    row = _row(call, name)
    if row is None:
        answers.die(f"sdn subnet '{name}' does not exist")
    return row


def _fields(call: calls.Call) -> sdn.Thing:
    given: sdn.Thing = {key: value for key, value in call.params.items() if key in _FIELDS and value != ""}
    if "snat" in given:
        given["snat"] = int(str(given["snat"]))
    return given


def _check(thing: sdn.Thing, cidr: str) -> None:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        network = None
    gateway = thing.get("gateway")
    if gateway and not _inside(network, str(gateway)):
        answers.bad(gateway=f"{gateway} is not in subnet {cidr}")
    spans = []
    for text in thing.get("dhcp-range", []):
        span = property_strings.parse(_RANGE, str(text), "dhcp-range", checked=False)
        start, end = str(span.get("start-address")), str(span.get("end-address"))
        for word, address in (("start-address", start), ("end-address", end)):
            if not _inside(network, address):
                answers.bad_params({"dhcp-range": f"{word} {address} is not in subnet {cidr}"})
        first, last = int(ipaddress.ip_address(start)), int(ipaddress.ip_address(end))
        if first > last:
            answers.bad_params({"dhcp-range": f"start-address {start} must be smaller than end-address {end}"})
        spans.append((first, last))
    for (_, end_), (start_, _) in itertools.pairwise(sorted(spans)):
        if start_ <= end_:
            answers.bad_params({"dhcp-range": "dhcp ranges must not overlap"})


def _inside(network: Any, address: str) -> bool:
    return network is not None and ipaddress.ip_address(address) in network


@calls.on("POST", "/cluster/sdn/vnets/{vnet}/subnets")
def create(call: calls.Call) -> None:
    """A subnet that waits to be applied; its gateway is taken in the IPAM at once."""
    zone = str(_vnet(call)["zone"])
    name, cidr = ident(zone, call.text("subnet"))
    with sdn.writing(call.node, call.params.get("lock-token"), "create sdn subnet object failed: ") as content:
        if f"subnets/{name}" in content:
            answers.die(f"sdn subnet object ID '{name}' already defined")
        thing = {"type": "subnet", "vnet": call.text("vnet"), "zone": zone} | _fields(call)
        _check(thing, cidr if "/" in call.text("subnet") else call.text("subnet").replace("-", "/", 1).rpartition("-")[0])
        content[f"subnets/{name}"] = thing
        if thing.get("gateway"):
            _addresses(content, zone, cidr)[str(thing["gateway"])] = {"gateway": 1}


@calls.on("PUT", "/cluster/sdn/vnets/{vnet}/subnets/{subnet}")
def update(call: calls.Call) -> None:
    """What is given; `delete` takes fields away."""
    name, cidr = ident(str(_vnet(call)["zone"]), call.text("subnet"))
    with sdn.writing(call.node, call.params.get("lock-token"), "update sdn subnet object failed: ") as content:
        thing = dict(sdn.find(call.node, "subnets", name))
        if call.text("digest") and call.text("digest") != sdn.digest(call.node, "subnets"):
            answers.die("detected modified configuration - file changed by other user? Try again.")
        for key in formats.split_list(call.text("delete")):
            if key not in _FIELDS:
                answers.die(f"no such option '{key}'")
            thing.pop(key, None)
        thing |= _fields(call)
        _check(thing, cidr)
        content[f"subnets/{name}"] = thing


@calls.on("DELETE", "/cluster/sdn/vnets/{vnet}/subnets/{subnet}")
def delete(call: calls.Call) -> None:
    """Not while an address other than its gateway is taken."""
    zone = str(_vnet(call)["zone"])
    name, cidr = ident(zone, call.text("subnet"))
    with sdn.writing(call.node, call.params.get("lock-token"), "delete sdn subnet object failed: ") as content:
        sdn.find(call.node, "subnets", name)
        taken = _addresses(content, zone, cidr)
        if any(not facts.get("gateway") for facts in taken.values()):
            answers.die(f"cannot delete subnet '{cidr}', not empty")
        taken.clear()
        del content[f"subnets/{name}"]


def _addresses(content: dict[str, Any], zone: str, cidr: str) -> dict[str, Any]:
    ipam = content.setdefault("ipam", {"zones": {}})
    subnets = ipam["zones"].setdefault(zone, {"subnets": {}})["subnets"]
    found: dict[str, Any] = subnets.setdefault(cidr, {"ips": {}})["ips"]
    return found


def _place(call: calls.Call, end: str = "") -> tuple[str, str]:
    """(zone, network) of a running subnet that holds the address."""
    if call.text("vnet") not in {**sdn.written(call.node, "vnets"), **sdn.running(call.node, "vnets")}:
        answers.die(f"no sdn zone ID specified{end}")
    address = ipaddress.ip_address(call.text("ip"))
    for name, thing in sdn.running(call.node, "subnets").items():
        if thing.get("vnet") == call.text("vnet"):
            zone, _, rest = name.partition("-")
            cidr = "/".join(rest.rsplit("-", 1))
            if address in ipaddress.ip_network(cidr, strict=False):
                return zone, cidr
    raise answers.Refused(500, f"can't find any subnet for ip {address} at /usr/share/perl5/PVE/Sandbox.pm line 1.\n{end}")


@calls.on("POST", "/cluster/sdn/vnets/{vnet}/ips")
def take(call: calls.Call) -> None:
    """Take an address in a running subnet."""
    zone, cidr = _place(call)
    with call.node.state.change() as content:
        taken = _addresses(content["sdn"], zone, cidr)
        if call.text("ip") in taken:
            answers.die(f"IP '{call.text('ip')}' already exist")
        taken[call.text("ip")] = {"mac": call.text("mac")}


@calls.on("PUT", "/cluster/sdn/vnets/{vnet}/ips")
def move(call: calls.Call) -> None:
    """Fails in Proxmox for every address."""
    if call.text("vnet") not in {**sdn.written(call.node, "vnets"), **sdn.running(call.node, "vnets")}:
        answers.die("no sdn zone ID specified")
    answers.die_at("can't find any subnet for ip ")


@calls.on("DELETE", "/cluster/sdn/vnets/{vnet}/ips")
def give(call: calls.Call) -> None:
    """Give an address back."""
    zone, cidr = _place(call, "\n")
    with call.node.state.change() as content:
        taken = _addresses(content["sdn"], zone, cidr)
        if call.text("ip") not in taken:
            answers.die(f"IP '{call.text('ip')}' does not exist in IPAM DB\n")
        del taken[call.text("ip")]


@calls.on("GET", "/cluster/sdn/ipams")
def ipams(call: calls.Call) -> list[sdn.Thing]:
    """The built-in one."""
    if not call.may("/sdn/ipams/pve", "SDN.Audit", "SDN.Allocate", any_of=True):
        return []
    return [{"ipam": "pve", "type": "pve", "digest": sdn.digest(call.node, "zones")}]


@calls.on("GET", "/cluster/sdn/ipams/{ipam}/status")
def ipam_status(call: calls.Call) -> list[sdn.Thing]:
    """Addresses of guests; none is given to guests here."""
    if call.text("ipam") != "pve":
        answers.die_at("Currently only PVE IPAM is supported!")
    return []
