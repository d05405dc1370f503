"""`GET /cluster/resources` and the rows other lists share.

Ids, pools, tags and locks are current; names, status and figures are those of the last broadcast (`broadcast`).
"""

from __future__ import annotations

from typing import Any

from labctl.sandbox import calls, register
from labctl.sandbox import node as node_


def guest_row(node: node_.Node, vmid: str, guest: register.Guest) -> dict[str, Any]:
    """A guest among resources."""
    row: dict[str, Any] = {"id": f"{guest['type']}/{vmid}", "type": guest["type"], "vmid": int(vmid), "node": guest.get("node", node.name)}
    row |= {"status": "unknown"} | node.broadcast.guests.get(vmid, {})
    if node.away(row["node"]):
        row = {key: row[key] for key in ("id", "type", "vmid", "node", "name", "template") if key in row} | {"status": "unknown"}
    if row["status"] == "running" and node.runtime.kind == "paper":  # not gathered again and again only for this
        row["uptime"] = max(row["uptime"], node.runtime.usage(int(vmid)).uptime)
    for key in ("tags", "lock"):
        if guest["config"].get(key):
            row[key] = guest["config"][key]
    pool = register.pool_of(node, vmid)
    if pool:
        row["pool"] = pool
    row.pop("cpus", None)
    return row


def storage_row(node: node_.Node, name: str) -> dict[str, Any]:
    """A storage among resources."""
    facts = node.content["storage"][name]
    row: dict[str, Any] = {
        "id": f"storage/{node.name}/{name}", "type": "storage", "storage": name, "node": node.name, "plugintype": facts.get("type", "dir"),
        "content": ",".join(facts.get("content", [])), "shared": int(facts.get("shared", 0)), "status": "available",
    }  # fmt: skip
    if not node.broadcast.gathered or node.away(node.name):
        return row | {"status": "unknown"}
    space = node.hardware.space(name)
    return row | {"disk": space["used"], "maxdisk": space["total"]}


def node_row(node: node_.Node) -> dict[str, Any]:
    """A node among resources."""
    row: dict[str, Any] = {"id": f"node/{node.name}", "type": "node", "node": node.name}
    if node.away(node.name):
        return row | {"status": "offline"}
    if not node.broadcast.gathered:
        return row | {"status": "unknown"}
    return row | {"status": "online", "level": "", "cgroup-mode": 2} | node_figures(node)


def node_figures(node: node_.Node) -> dict[str, Any]:
    """What a node has and what of it is used."""
    known, memory, space = node.hardware, node.hardware.memory(), node.hardware.root()
    return {
        "cpu": known.cpu(), "maxcpu": known.cores(), "mem": memory["used"], "maxmem": memory["total"], "disk": space["used"],
        "maxdisk": space["total"], "uptime": known.uptime(),
    }  # fmt: skip


@calls.on("GET", "/cluster/resources")
def resources(call: calls.Call) -> list[dict[str, Any]]:
    """Everything the caller may see; `type=vm|storage|node|sdn`."""
    kind, node = call.text("type"), call.node
    rows: list[dict[str, Any]] = []
    if not kind:
        rows += [
            {"id": f"/pool/{name}", "type": "pool", "pool": name}
            for name in sorted(node.content["pools"])
            if call.may(f"/pool/{name}", "Pool.Audit")
        ]
    if kind in {"", "vm"}:
        for vmid, guest in sorted(node.content["guests"].items(), key=lambda item: int(item[0])):
            if call.may(f"/vms/{vmid}", "VM.Audit"):
                row = guest_row(node, vmid, guest)
                if "pool" in row and not call.may(f"/pool/{row['pool']}", "Pool.Audit"):
                    del row["pool"]
                rows.append(row)
    if kind in {"", "node"}:
        rows += [node_row(peer) if call.may(f"/nodes/{name}", "Sys.Audit") else _bare(node_row(peer)) for name, peer in node.peers.items()]
    if kind in {"", "storage"}:
        rows += [
            storage_row(peer, name)
            for peer in node.peers.values()
            for name in sorted(node.content["storage"])
            if call.may(f"/storage/{name}", "Datastore.Audit") and _here(peer, name)
        ]
    if kind in {"", "sdn"}:
        rows += _zones(call)
    return rows


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("id", "type", "node", "status", "level") if key in row}


def _here(node: node_.Node, name: str) -> bool:
    facts = node.content["storage"][name]
    return not facts.get("disable") and (not facts.get("nodes") or node.name in facts["nodes"])


def _zones(call: calls.Call) -> list[dict[str, Any]]:
    running = call.node.content["sdn"].get("running", {}).get("zones", {})
    names = [*running, "localnetwork"]
    return [
        {"id": f"sdn/{peer}/{name}", "type": "sdn", "sdn": name, "node": peer, "status": "ok"}
        for peer in call.node.peers
        for name in sorted(names)
        if call.may(f"/sdn/zones/{name}", "SDN.Audit") or call.may(f"/sdn/zones/{name}", "SDN.Allocate")
    ]
