"""`status/current`, the guest lists, and the figures they share.

A container that stands in for a VM says so: `running-qemu` and `running-machine` read "stand-in (container)" instead of a QEMU
version and a machine type (`node.STAND_IN` says it for the whole node).
"""

from __future__ import annotations

from typing import Any

from labctl.sandbox import calls, figures, register

STAND_IN = "stand-in ({})"


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/status/current")
def qemu_current(call: calls.Call) -> dict[str, Any]:
    """The truth about a VM now."""
    vmid = call.text("vmid")
    guest = register.find(call.node, "qemu", vmid)
    row = figures.of(call.node, vmid, guest)
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
    row = figures.of(call.node, vmid, guest)
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
    rows, running = [], call.node.runtime.running()
    for vmid, guest in sorted(call.node.content["guests"].items(), key=lambda item: int(item[0])):
        if guest["type"] != kind or guest.get("node", call.node.name) != call.node.name or not call.may(f"/vms/{vmid}", "VM.Audit"):
            continue
        row = figures.of(call.node, vmid, guest, running) | {"vmid": int(vmid)}
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
