"""`/cluster`: next free VMID, status, recent tasks, and the node list."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, calls, machine, upid


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
    """One node, no cluster."""
    node = call.node
    return [
        {"id": f"node/{node.name}", "type": "node", "name": node.name, "ip": "127.0.0.1", "local": 1, "nodeid": 0, "online": 1, "level": ""}
    ]


@calls.on("GET", "/cluster/tasks")
def tasks(call: calls.Call) -> list[dict[str, Any]]:
    """Running ones and the newest 25; a token without Sys.Audit on / sees nothing, not even its own (`proxmox-truth.md` 2.1)."""
    everything = call.may("/", "Sys.Audit")
    rows, finished = [], 0
    known = call.node.tasks.known()
    for name in sorted(known, key=lambda text: known[text].get("starttime", 0), reverse=True):
        parsed = upid.parse(name)
        if not parsed or not (everything or parsed.owner == call.who):
            continue
        row = parsed.facts() | {"node": parsed.node, "saved": "0"}
        if not call.node.tasks.running(name):
            finished += 1
            if finished > 25:
                continue
            row |= {"endtime": known[name].get("endtime", parsed.starttime), "status": call.node.tasks.exit_status(name), "saved": "1"}
        rows.append(row)
    return rows


def _offline(call: calls.Call) -> list[dict[str, Any]]:
    """Nodes of a recorded cluster; a serving node is alone."""
    known = sorted(call.node.offline)
    return [
        {"id": f"node/{name}", "type": "node", "node": name, "status": "offline", "ssl_fingerprint": call.node.fingerprint}
        for name in known
    ]


@calls.on("GET", "/nodes")
def nodes(call: calls.Call) -> list[dict[str, Any]]:
    """The one node; figures need Sys.Audit."""
    node = call.node
    row: dict[str, Any] = {
        "id": f"node/{node.name}",
        "type": "node",
        "node": node.name,
        "status": "unknown",
        "ssl_fingerprint": node.fingerprint,
    }
    if not node.broadcast.gathered:
        return [row, *_offline(call)]
    row |= {"status": "online", "level": ""}
    if call.may(f"/nodes/{node.name}", "Sys.Audit"):
        memory, space = machine.memory(), machine.disk(node.home)
        row |= {
            "cpu": machine.cpu(), "maxcpu": machine.cores(), "mem": memory["used"], "maxmem": memory["total"], "disk": space["used"],
            "maxdisk": space["total"], "uptime": machine.uptime(),
        }  # fmt: skip
    return [row, *_offline(call)]


@calls.on("GET", "/nodes/{node}/status")
def node_status(call: calls.Call) -> dict[str, Any]:
    """Real figures of this machine; `pveversion` says that containers stand in for VMs."""
    kind = call.node.runtime.kind
    return machine.status(
        call.node.home, {"container": "containers stand in for VMs", "qemu": "VMs are VMs"}.get(kind, f"guests are {kind}")
    )


@calls.on("GET", "/nodes/{node}")
def node_index(call: calls.Call) -> list[dict[str, str]]:
    """What there is below a node, as far as it is built."""
    _ = call
    return [{"name": name} for name in ("lxc", "qemu", "sdn", "status", "storage", "tasks", "version")]
