"""`/cluster/sdn/zones` and `/vnets`: read and write what waits to be applied (`client-sequence.md` 2 and 4)."""

from __future__ import annotations

from labctl.sandbox import answers, calls, catalogue, formats, sdn
from labctl.sandbox import node as node_

_COMMON = {"nodes", "mtu", "dns", "reversedns", "dnszone", "ipam"}
ZONE_FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "simple": (_COMMON | {"dhcp"}, set()),
    "vlan": (_COMMON | {"bridge", "bridge-disable-mac-learning"}, {"bridge"}),
    "qinq": (_COMMON | {"bridge", "tag", "vlan-protocol"}, {"bridge", "tag"}),
    "vxlan": (_COMMON | {"peers", "vxlan-port", "fabric"}, set()),
    "evpn": (
        _COMMON | {
            "controller", "vrf-vxlan", "exitnodes", "exitnodes-local-routing", "exitnodes-primary", "advertise-subnets",
            "disable-arp-nd-suppression", "mac", "rt-import",
        },
        {"controller", "vrf-vxlan"},
    ),
}  # fmt: skip
"""Fields of each zone type: (allowed, required)."""

_NOT_FIELDS = {"vnet", "type", "digest", "delete", "lock-token", "pending", "running", "verbose"}
_INTEGERS = {"mtu", "tag", "vxlan-port", "vrf-vxlan", "vlanaware", "isolate-ports", "advertise-subnets", "bridge-disable-mac-learning"}


def fields(call: calls.Call, ident: str) -> sdn.Thing:
    """The object's own parameters, numbers as numbers."""
    return {
        name: int(str(value)) if name in _INTEGERS else str(value)
        for name, value in call.params.items()
        if name not in _NOT_FIELDS | {ident}
    }


def row(node: node_.Node, kind: str, name: str, call: calls.Call) -> sdn.Thing | None:
    """One object as `running`, `pending` or plain asks for it."""
    word = sdn.NAME[kind]
    if call.flag("running"):
        live = sdn.running(node, kind).get(name)
        return {word: name, "digest": None} | live if live else None
    if not call.flag("pending"):
        wanted = sdn.one(node, kind, name)
        return {word: name, "digest": sdn.digest(node, kind)} | wanted if wanted else None
    live, wanted, state = sdn.state_of(node, kind, name)
    shown: sdn.Thing = {word: name, "type": (wanted or live)["type"], "digest": None}
    if state == "":
        return shown | live
    if state == "deleted":
        return shown | live | {"state": state, "pending": {}}
    changed = {key: wanted.get(key, "deleted") for key in {*live, *wanted} - {"type"} if live.get(key) != wanted.get(key)}
    return shown | live | {"state": state, "pending": changed}


def rows(call: calls.Call, kind: str, paths: dict[str, str]) -> list[sdn.Thing]:
    """All of a kind that the caller may see; `paths` are ACL paths by name."""
    names = sorted({*sdn.written(call.node, kind), *(sdn.running(call.node, kind) if call.flag("pending") or call.flag("running") else {})})
    found = []
    for name in names:
        if call.may(paths[name], "SDN.Audit", "SDN.Allocate", any_of=True):
            known = row(call.node, kind, name, call)
            if known:
                found.append(known)
    return found


@calls.on("GET", "/cluster/sdn/zones")
def zones(call: calls.Call) -> list[sdn.Thing]:
    """Zones, optionally of one type."""
    everything = {**sdn.running(call.node, "zones"), **sdn.written(call.node, "zones")}
    found = rows(call, "zones", {name: f"/sdn/zones/{name}" for name in everything})
    return [known for known in found if "type" not in call.params or known["type"] == call.text("type")]


@calls.on("GET", "/cluster/sdn/zones/{zone}")
def zone(call: calls.Call) -> sdn.Thing:
    """One zone."""
    known = row(call.node, "zones", call.text("zone"), call) if _exists(call, "zones", call.text("zone")) else None
    if known is None:
        answers.die(f"sdn '{call.text('zone')}' does not exist")
    return known


def _exists(call: calls.Call, kind: str, name: str) -> bool:
    if sdn.one(call.node, kind, name) is not None:
        return True
    return (call.flag("pending") or call.flag("running")) and name in sdn.running(call.node, kind)


def _check_fields(kind: str, given: sdn.Thing, *, new: bool) -> None:
    allowed, required = ZONE_FIELDS.get(kind, (set(), set()))
    for name in sorted(given):
        if name not in allowed:
            answers.die(f"unexpected property '{name}'")
    if new:
        for name in sorted(required):
            if name not in given:
                answers.die(f"missing value for required option '{name}'")


def _check_zone(kind: str, thing: sdn.Thing) -> None:
    if kind == "vxlan" and ("peers" in thing) == ("fabric" in thing):
        text = "must have exactly one of peers / fabric defined"
        answers.bad(peers=text, fabric=text)
    if thing.get("ipam") not in {None, "", "pve"}:
        answers.bad(ipam=f"{thing['ipam']} not existing")
    if kind == "evpn":
        answers.die_at(f"controller {thing.get('controller')} don't exist")
    if thing.get("dns"):
        answers.bad(dns=f"{thing['dns']} don't exist")
    if thing.get("reversedns"):
        answers.bad(reversedns=f"{thing['reversedns']} don't exist")
    if thing.get("dnszone"):
        answers.bad(dnszone="missing dns server")


@calls.on("POST", "/cluster/sdn/zones")
def create_zone(call: calls.Call) -> None:
    """A zone that waits to be applied."""
    name, kind, prefix = call.text("zone"), call.text("type"), "create sdn zone object failed: "
    given = fields(call, "zone")
    call.node.check_quorum()
    _check_fields(kind, given, new=True)
    with sdn.writing(call.node, call.params.get("lock-token"), prefix) as content:
        if f"zones/{name}" in content:
            answers.die(f"sdn zone object ID '{name}' already defined")
        content[f"zones/{name}"] = {"type": kind} | given
        _check_zone(kind, content[f"zones/{name}"])


@calls.on("PUT", "/cluster/sdn/zones/{zone}")
def update_zone(call: calls.Call) -> None:
    """What is given; `delete` takes fields away."""
    name, prefix = call.text("zone"), "update sdn zone object failed: "
    with sdn.writing(call.node, call.params.get("lock-token"), prefix) as content:
        old_digest = sdn.digest(call.node, "zones")
        thing = dict(sdn.find(call.node, "zones", name))
        given = fields(call, "zone")
        _check_digest(call, old_digest)
        _check_fields(thing["type"], given, new=False)
        subnetted = any(subnet.get("zone") == name for subnet in sdn.written(call.node, "subnets").values())
        other = given.get("ipam", thing.get("ipam")) != thing.get("ipam") or "ipam" in formats.split_list(call.text("delete"))
        if subnetted and other:
            answers.bad(ipam="can't change ipam if a subnet is already defined in this zone")
        _delete_fields(call, thing, ZONE_FIELDS.get(thing["type"], (set(), set())))
        thing |= given
        _check_zone(thing["type"], thing)
        content[f"zones/{name}"] = thing


def _delete_fields(call: calls.Call, thing: sdn.Thing, known: tuple[set[str], set[str]]) -> None:
    for key in formats.split_list(call.text("delete")):
        if key and key in known[1]:
            answers.die(f"unable to delete required option '{key}'")
        if key and key not in known[0]:
            answers.die(f"no such option '{key}'")
        thing.pop(key, None)


def _check_digest(call: calls.Call, own: str) -> None:
    if call.text("digest") and call.text("digest") != own:
        answers.die("detected modified configuration - file changed by other user? Try again.")


@calls.on("DELETE", "/cluster/sdn/zones/{zone}")
def delete_zone(call: calls.Call) -> None:
    """Not while a VNet is in it."""
    name, prefix = call.text("zone"), "delete sdn zone object failed: "
    with sdn.writing(call.node, call.params.get("lock-token"), prefix) as content:
        sdn.find(call.node, "zones", name)
        user = next((vnet for vnet, thing in sorted(sdn.written(call.node, "vnets").items()) if thing["zone"] == name), None)
        if user:
            answers.die_at(f"zone {name} is used by vnet {user}")
        del content[f"zones/{name}"]


def _vnet_paths(call: calls.Call) -> dict[str, str]:
    everything = {**sdn.running(call.node, "vnets"), **sdn.written(call.node, "vnets")}
    return {name: f"/sdn/zones/{thing['zone']}/{name}" for name, thing in everything.items()}


@calls.on("GET", "/cluster/sdn/vnets")
def vnets(call: calls.Call) -> list[sdn.Thing]:
    """VNets the caller may see."""
    return rows(call, "vnets", _vnet_paths(call))


def vnet_path(call: calls.Call, *, audit: bool = False) -> str:
    """Permission on the VNet of the path; 500 when there is none."""
    name = call.text("vnet")
    thing = sdn.one(call.node, "vnets", name) or sdn.running(call.node, "vnets").get(name)
    if thing is None:
        answers.die(f"sdn vnet '{name}' does not exist")
    path = f"/sdn/zones/{thing['zone']}/{name}"
    call.need(path, *(["SDN.Audit", "SDN.Allocate"] if audit else ["SDN.Allocate"]), any_of=audit)
    return path


@calls.on("GET", "/cluster/sdn/vnets/{vnet}")
def vnet(call: calls.Call) -> sdn.Thing:
    """One VNet."""
    vnet_path(call, audit=True)
    known = row(call.node, "vnets", call.text("vnet"), call) if _exists(call, "vnets", call.text("vnet")) else None
    if known is None:
        answers.die(f"sdn vnet '{call.text('vnet')}' does not exist")
    return known


def _check_vnet(call: calls.Call, name: str, thing: sdn.Thing) -> None:
    """Tag rules of the zone's type (`proxmox-truth.md` 3.11)."""
    zone_ = sdn.one(call.node, "zones", thing["zone"])
    if zone_ is None:
        answers.die_at("cannot lookup undefined type!")
    kind, tag = zone_["type"], thing.get("tag")
    if kind == "simple":
        if tag is not None:
            answers.bad(tag="vlan tag is not allowed on simple zone")
        return
    if tag is None:
        answers.bad(tag="missing vlan tag" if kind in {"vlan", "qinq"} else "missing vxlan tag")
    if kind in {"vlan", "qinq"} and tag > 4096:
        answers.bad(tag="vlan tag max value is 4096")
    others = call.node.vnet_tags.others(thing["zone"], tag, name)
    if others:
        answers.bad(tag=f"tag {tag} already exist in vnet {others[0]}")


@calls.on("POST", "/cluster/sdn/vnets")
def create_vnet(call: calls.Call) -> None:
    """A VNet that waits to be applied."""
    name, prefix = call.text("vnet"), "create sdn vnet object failed: "
    with sdn.writing(call.node, call.params.get("lock-token"), prefix) as content:
        if f"vnets/{name}" in content:
            answers.die(f"sdn vnet object ID '{name}' already defined")
        thing = {"type": "vnet"} | fields(call, "vnet")
        _check_vnet(call, name, thing)
        content[f"vnets/{name}"] = thing


@calls.on("PUT", "/cluster/sdn/vnets/{vnet}")
def update_vnet(call: calls.Call) -> None:
    """What is given; another zone needs rights there too."""
    vnet_path(call)
    name, prefix = call.text("vnet"), "update sdn vnet object failed: "
    if "zone" in call.params:
        call.need(f"/sdn/zones/{call.text('zone')}/{name}", "SDN.Allocate")
    with sdn.writing(call.node, call.params.get("lock-token"), prefix) as content:
        thing = dict(sdn.find(call.node, "vnets", name))
        _check_digest(call, sdn.digest(call.node, "vnets"))
        given = fields(call, "vnet")
        subnetted = any(subnet.get("vnet") == name for subnet in sdn.written(call.node, "subnets").values())
        if subnetted and given.get("zone", thing["zone"]) != thing["zone"]:
            answers.bad(zone="can't change zone if subnets exist")
        known = catalogue.load().methods["PUT", "/cluster/sdn/vnets/{vnet}"].properties
        _delete_fields(call, thing, (set(known) - _NOT_FIELDS, {"zone"}))
        thing |= given
        _check_vnet(call, name, thing)
        content[f"vnets/{name}"] = thing


@calls.on("DELETE", "/cluster/sdn/vnets/{vnet}")
def delete_vnet(call: calls.Call) -> None:
    """Also while NICs use it (`client-sequence.md` 4)."""
    vnet_path(call)
    name, prefix = call.text("vnet"), "delete sdn vnet object failed: "
    with sdn.writing(call.node, call.params.get("lock-token"), prefix) as content:
        sdn.find(call.node, "vnets", name)
        if any(subnet.get("vnet") == name for subnet in sdn.written(call.node, "subnets").values()):
            answers.bad(vnet="Can't delete vnet if subnets exists")
        del content[f"vnets/{name}"]
