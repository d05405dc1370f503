"""Which privilege each key of a VM's config needs (`client-sequence.md` 2, `proxmox-truth.md` 3.8 and 5.1)."""

from __future__ import annotations

import re
from typing import Any

from labctl.sandbox import answers, calls, guest_formats, register, volumes

_OPTIONS: dict[str, set[str]] = {
    "VM.Config.CPU": {"cores", "cpu", "cpulimit", "cpuunits", "smp", "sockets", "vcpus", "numa"},
    "VM.Config.Memory": {"memory", "balloon", "shares", "hugepages", "keephugepages", "allow-ksm"},
    "VM.Config.HWType": {
        "acpi", "hotplug", "kvm", "machine", "scsihw", "smbios1", "tablet", "vga", "watchdog", "audio0", "rng0", "arch",
        "ivshmem", "spice_enhancements",
    },
    "VM.Config.Options": {
        "agent", "autostart", "bios", "description", "keyboard", "localtime",
        "migrate_downtime", "migrate_speed", "name", "onboot", "ostype",
        "protection", "reboot", "startdate", "startup", "tdf", "template",
    },
    "VM.PowerMgmt": {"freeze"},
    "VM.Config.Disk": {"boot", "bootdisk", "vmstatestorage"},
}  # fmt: skip
_CLOUDINIT = {"cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"}
ROOT_ONLY = {"args", "lock", "hookscript", "affinity", "vmgenid", "running", "import-working-storage"}


def need(call: calls.Call, vmid: str, pool: str | None, key: str, value: Any, *, verb: str = "set") -> None:
    """403 (or 500 "only root can set ...") unless the caller may touch that key. `value` None: it is deleted."""
    if call.is_root or key in {"tags", "digest"} or key.startswith("unused"):
        return
    if key in guest_formats.DRIVES or key == "cdrom":
        return
    access = call.node.access
    if re.fullmatch(r"(serial|usb|hostpci)\d+", key):
        _need_device(call, vmid, pool, key, value, verb)
    elif re.fullmatch(r"net\d+", key):
        access.need_on_guest(call.who, vmid, pool, "VM.Config.Network")
    elif key in _CLOUDINIT or re.fullmatch(r"ipconfig\d+", key):
        access.need_on_guest(call.who, vmid, pool, "VM.Config.Cloudinit", "VM.Config.Network", any_of=True)
    elif re.fullmatch(r"numa\d+", key):
        access.need_on_guest(call.who, vmid, pool, "VM.Config.CPU")
    else:
        privilege = next((name for name, keys in _OPTIONS.items() if key in keys), None)
        if privilege is None:
            answers.die(f"only root can set '{key}' config")
        access.need_on_guest(call.who, vmid, pool, privilege)
        if key == "startup":
            call.need("/", "Sys.Modify")


def _need_device(call: calls.Call, vmid: str, pool: str | None, key: str, value: Any, verb: str) -> None:
    """A socket or a mapped device needs VM.Config.HWType; real devices are root@pam's."""
    if key.startswith("usb"):
        _need_usb(call, vmid, pool, key, value)
        return
    if key.startswith("serial") and value not in {None, "socket"}:
        answers.die(f"only root can {verb} '{key}' config for real devices")
    if key.startswith("hostpci") and "mapping=" not in str(value):
        answers.die(f"only root can set '{key}' config for non-mapped devices")
    call.node.access.need_on_guest(call.who, vmid, pool, "VM.Config.HWType")


def _need_usb(call: calls.Call, vmid: str, pool: str | None, key: str, value: Any) -> None:
    text = str(value or "")
    if value is None or re.search(r"(^|,)(host=)?spice(,|$)", text, re.IGNORECASE):
        call.node.access.need_on_guest(call.who, vmid, pool, "VM.Config.HWType")
    elif "mapping=" in text:
        call.node.access.need_on_guest(call.who, vmid, pool, "VM.Config.HWType")
        answers.forbid()
    else:
        answers.die(f"only root can set '{key}' config for real devices")


def need_bridge(call: calls.Call, key: str, *values: Any) -> None:
    """SDN.Use on the bridge of the old and the new card (section 0: also when it is deleted)."""
    for value in values:
        if value is None:
            continue
        nic = register.fields("qemu", key, str(value))
        if nic.get("bridge"):
            call.need(register.bridge_path(call.node, nic["bridge"], nic.get("tag")), "SDN.Use")


def need_drive(call: calls.Call, vmid: str, pool: str | None, drive: dict[str, Any]) -> None:
    """Rights on a drive that is set: CD-ROM, cloud-init, or a disk and space (`client-sequence.md` 2)."""
    file = str(drive["file"])
    if drive.get("media") == "cdrom":
        call.node.access.need_on_guest(call.who, vmid, pool, "VM.Config.CDROM")
    elif is_cloudinit(file):
        call.node.access.need_on_guest(call.who, vmid, pool, "VM.Config.Cloudinit")
    else:
        call.node.access.need_on_guest(call.who, vmid, pool, "VM.Config.Disk")


def need_space(call: calls.Call, vmid: str, drive: dict[str, Any], *, new: bool = False) -> None:
    """Rights on the storage a drive's volume is or will be on."""
    file = str(drive["file"])
    if file in {"none", "cdrom"}:
        return
    if file.startswith("/"):
        if not call.is_root:
            answers.die("Only root can pass arbitrary filesystem paths.")
        return
    storage, rest = volumes.split(file)
    if new:
        volumes.storage(call.node, storage)  # whether it is enabled is told by the task
    else:
        volumes.usable(call.node, storage)
    if is_cloudinit(file) or re.fullmatch(r"\d+(\.\d+)?", rest):
        call.need(f"/storage/{storage}", "Datastore.AllocateSpace")
        if drive.get("media") != "cdrom" and "images" not in volumes.storage(call.node, storage).get("content", []):
            answers.bad(storage=f"storage '{storage}' does not support vm images")
        return
    _need_volume(call, vmid, file)


def _need_volume(call: calls.Call, vmid: str, file: str) -> None:
    """A volume that is there: the guest's own, or of a guest one may change, or media one may read."""
    kind, storage, owner = volumes.content_type(call.node, file), volumes.split(file)[0], volumes.owner(file)
    if call.is_root:
        return
    if kind not in {"images", "rootdir"}:
        call.need(f"/storage/{storage}", "Datastore.AllocateSpace", "Datastore.Audit", any_of=True)
    elif owner is None:
        call.need(f"/storage/{storage}", "Datastore.AllocateSpace")
    elif owner != int(vmid):
        call.need(f"/vms/{owner}", "VM.Config.Disk")


def is_cloudinit(file: str) -> bool:
    """A drive that is, or is to become, the cloud-init drive."""
    return bool(re.search(r":cloudinit\Z", file) or re.search(r"vm-\d+-cloudinit(\.\w+)?\Z", file))
