"""`/cluster`: next free VMID, status, recent tasks, and the node list."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, calls, upid
from labctl.sandbox import node as node_
from labctl.sandbox.endpoints import resources


@calls.on("GET", "/cluster/nextid")
def nextid(call: calls.Call) -> str:
    """Reserves nothing; `vmid` asks about that one; always a string (section 0)."""
    taken = call.node.content["guests"]
    if "vmid" in call.params:
        vmid = call.text("vmid")
        if vmid in taken:
            answers.bad(vmid=f"VM {vmid} already exists")
        return vmid
    options = call.node.content["meta"].get("next-id", {})
    lower, upper = int(options.get("lower", 100)), int(options.get("upper", 1_000_000))
    for number in range(lower, upper):
        if str(number) not in taken:
            return str(number)
    raise answers.Refused(500, f"unable to get any free VMID in range [{lower}, {upper}]\n")


@calls.on("GET", "/cluster/status")
def status(call: calls.Call) -> list[dict[str, Any]]:
    """One node and no cluster; else the cluster, then its nodes."""
    node, peers = call.node, call.node.peers
    rows: list[dict[str, Any]] = []
    if len(peers) > 1:
        quorate = int(node.locks.quorate)
        rows.append(
            {"id": "cluster", "type": "cluster", "name": node.settings.name, "nodes": len(peers), "quorate": quorate, "version": len(peers)}
        )
    for number, name in enumerate(peers, 1 if rows else 0):
        facts = {"id": f"node/{name}", "type": "node", "name": name, "ip": "127.0.0.1", "level": ""}
        rows.append(facts | {"local": int(name == node.name), "nodeid": number, "online": int(not node.away(name))})
    return rows


@calls.on("GET", "/cluster/tasks")
def tasks(call: calls.Call) -> list[dict[str, Any]]:
    """Running ones and the newest 25; a token without Sys.Audit on / sees nothing, not even its own (`proxmox-truth.md` 2.1)."""
    everything = call.may("/", "Sys.Audit")
    rows, finished = [], 0
    known = {name: facts for peer in call.node.peers.values() for name, facts in peer.tasks.known().items()}
    for name in sorted(known, key=lambda text: known[text].get("starttime", 0), reverse=True):
        parsed = upid.parse(name)
        if not parsed or not (everything or parsed.owner == call.who):
            continue
        row = parsed.facts() | {"node": parsed.node, "saved": "0"}
        on = call.node.peers.get(parsed.node, call.node).tasks
        if not on.running(name):
            finished += 1
            if finished > 25:
                continue
            row |= {"endtime": known[name].get("endtime", parsed.starttime), "status": on.exit_status(name), "saved": "1"}
        rows.append(row)
    return rows


def _offline(call: calls.Call, name: str) -> dict[str, Any]:
    return {"id": f"node/{name}", "type": "node", "node": name, "status": "offline", "ssl_fingerprint": call.node.fingerprint}


@calls.on("GET", "/nodes")
def nodes(call: calls.Call) -> list[dict[str, Any]]:
    """All of them; figures need Sys.Audit."""
    known = call.node.peers
    here = [_row(call, peer) if not call.node.away(name) else _offline(call, name) for name, peer in known.items()]
    return [*here, *(_offline(call, name) for name in sorted(call.node.offline) if name not in known)]


def _row(call: calls.Call, node: node_.Node) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": f"node/{node.name}",
        "type": "node",
        "node": node.name,
        "status": "unknown",
        "ssl_fingerprint": node.fingerprint,
    }
    if not node.broadcast.gathered:
        return row
    row |= {"status": "online", "level": ""}
    if call.may(f"/nodes/{node.name}", "Sys.Audit"):
        row |= resources.node_figures(node)
    return row


@calls.on("GET", "/nodes/{node}/status")
def node_status(call: calls.Call) -> dict[str, Any]:
    """Real figures of this machine, or the description's; `pveversion` says that containers stand in for VMs, or paper for guests."""
    kind = call.node.runtime.kind
    return call.node.hardware.status({"container": "containers stand in for VMs", "qemu": "VMs are VMs"}.get(kind, f"guests are {kind}"))


@calls.on("GET", "/nodes/{node}")
def node_index(call: calls.Call) -> list[dict[str, str]]:
    """What there is below a node, as far as it is built."""
    _ = call
    return [{"name": name} for name in ("lxc", "qemu", "sdn", "status", "storage", "tasks", "version")]
