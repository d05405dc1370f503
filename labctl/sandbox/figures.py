"""The figures of a guest that lists, `status/current` and the broadcast share. What it uses is asked of the runtime."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from labctl.sandbox import formats, machine, register
from labctl.sandbox.guests import runtime

if TYPE_CHECKING:
    from labctl.sandbox import node as node_


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


def of(node: node_.Node, vmid: str, guest: register.Guest, running: AbstractSet[int] | None = None) -> dict[str, Any]:
    """What both lists and `status/current` tell; `running` is the runtime's answer when the caller has asked already."""
    runs = int(vmid) in (node.runtime.running() if running is None else running)
    usage = node.runtime.usage(int(vmid)) if runs else runtime.Usage()
    config, qemu = guest["config"], guest["type"] == "qemu"
    row: dict[str, Any] = {
        "status": "running" if runs else "stopped",
        "name": config.get("name", f"VM {vmid}") if qemu else config.get("hostname", f"CT{vmid}"),
        "cpus": cores_of(guest),
        "maxcpu": cores_of(guest),
        "maxmem": memory_of(guest),
        "maxdisk": disk_of(guest),
        "template": int(register.is_template(guest)),
        "uptime": usage.uptime,
        "mem": usage.memory,
        "disk": 0 if qemu else usage.disk,
        "cpu": round(usage.cpu_seconds / usage.uptime / cores_of(guest), 6) if usage.uptime else 0,
        "netin": 0,
        "netout": 0,
    }
    if qemu:
        row["memhost"] = usage.memory
    if not qemu:
        row |= {"diskread": 0, "diskwrite": 0}
    return row
