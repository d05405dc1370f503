"""`status/current`, the guest lists, and the figures they share.

A container that stands in for a VM says so: `running-qemu` and `running-machine` read "stand-in (container)" instead of a QEMU
version and a machine type (`node.STAND_IN` says it for the whole node).
"""

from __future__ import annotations

from typing import Any

from labctl.sandbox import calls, formats, machine, register
from labctl.sandbox import node as node_
from labctl.sandbox.guests import runtime

STAND_IN = "stand-in ({})"


def memory_of(guest: register.Guest) -> int:
    """Bytes of memory it is given."""
    return int(str(guest["config"].get("memory", 512)).partition(",")[0].rpartition("=")[2]) * 1024**2


def cores_of(guest: register.Guest) -> int:
    """CPUs it is given."""
    config = guest["config"]
    if guest["type"] == "lxc":
        return int(config.get("cores", 0)) or machine.cores()
    return int(config.get("sockets", 1)) * int(config.get("cores", 1))


def disk_of(guest: register.Guest) -> int:
    """Bytes of its root or first disk."""
    config = guest["config"]
    keys = (
        ["rootfs"]
        if guest["type"] == "lxc"
        else [*formats.split_list(str(config.get("boot", "")).partition("order=")[2]), "scsi0", "virtio0", "sata0", "ide0"]
    )
    for key in keys:
        if key in config and not key.startswith("net") and "media=cdrom" not in config[key]:
            return formats.parse_size(register.fields(guest["type"], key, config[key]).get("size", "0")) or 0
    return 0


def figures(node: node_.Node, vmid: str, guest: register.Guest) -> dict[str, Any]:
    """What both lists and `status/current` tell."""
    running = register.runs(node, vmid)
    usage = node.runtime.usage(int(vmid)) if running else runtime.Usage()
    config, qemu = guest["config"], guest["type"] == "qemu"
    row: dict[str, Any] = {
        "status": "running" if running else "stopped",
        "name": config.get("name", f"VM {vmid}") if qemu else config.get("hostname", f"CT{vmid}"),
        "cpus": cores_of(guest), "maxcpu": cores_of(guest), "maxmem": memory_of(guest), "maxdisk": disk_of(guest), "template": int(register.is_template(guest)),
        "uptime": usage.uptime, "mem": usage.memory, "disk": 0 if qemu else usage.disk,
        "cpu": round(usage.cpu_seconds / usage.uptime / cores_of(guest), 6) if usage.uptime else 0,
        "netin": 0, "netout": 0, "diskread": 0, "diskwrite": 0,
    }  # fmt: skip
    return row


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/status/current")
def qemu_current(call: calls.Call) -> dict[str, Any]:
    """The truth about a VM now."""
    vmid = call.text("vmid")
    guest = register.find(call.node, "qemu", vmid)
    row = figures(call.node, vmid, guest)
    del row["maxcpu"]
    if not row["template"]:
        del row["template"]
    row |= {"vmid": int(vmid), "ha": {"managed": 0}, "qmpstatus": row["status"]}
    if int(vmid) in call.node.paused and row["status"] == "running":
        row["qmpstatus"] = "paused"
    _common(row, guest)
    if register.fields("qemu", "agent", str(guest["config"].get("agent", "0"))).get("enabled") == 1:
        row["agent"] = 1
    if row["status"] == "running" and call.node.stands_in:
        row["running-qemu"] = row["running-machine"] = STAND_IN.format(call.node.runtime.kind)
    return row


@calls.on("GET", "/nodes/{node}/lxc/{vmid}/status/current")
def lxc_current(call: calls.Call) -> dict[str, Any]:
    """The truth about a container now."""
    vmid = call.text("vmid")
    guest = register.find(call.node, "lxc", vmid)
    row = figures(call.node, vmid, guest)
    del row["maxcpu"]
    if not row["template"]:
        del row["template"]
    row |= {"vmid": int(vmid), "type": "lxc", "ha": {"managed": 0}, "swap": 0, "maxswap": int(guest["config"].get("swap", 512)) * 1024**2}
    _common(row, guest)
    return row


def _common(row: dict[str, Any], guest: register.Guest) -> None:
    for key in ("lock", "tags"):
        if guest["config"].get(key):
            row[key] = guest["config"][key]


def _list(call: calls.Call, kind: str) -> list[dict[str, Any]]:
    rows = []
    for vmid, guest in sorted(call.node.content["guests"].items(), key=lambda item: int(item[0])):
        if guest["type"] != kind or guest.get("node", call.node.name) != call.node.name or not call.may(f"/vms/{vmid}", "VM.Audit"):
            continue
        row = figures(call.node, vmid, guest) | {"vmid": int(vmid)}
        del row["maxcpu"]
        if not row["template"]:
            del row["template"]
        if kind == "lxc":
            row |= {"type": "lxc", "swap": 0, "maxswap": int(guest["config"].get("swap", 512)) * 1024**2}
        _common(row, guest)
        rows.append(row)
    return rows


@calls.on("GET", "/nodes/{node}/qemu")
def qemu_list(call: calls.Call) -> list[dict[str, Any]]:
    """VMs the caller may see."""
    return _list(call, "qemu")


@calls.on("GET", "/nodes/{node}/lxc")
def lxc_list(call: calls.Call) -> list[dict[str, Any]]:
    """Containers the caller may see."""
    return _list(call, "lxc")
