"""Changing a VM's config: the work of PUT and POST `config`, `unlink`, and of create (`proxmox-truth.md` 2.1 and 3.8).

Values come checked. They are brought to the form Proxmox stores, permissions are asked key by key, and then, under the guest's
lock, either written (stopped guest, or keys that take effect at once) or left pending (running guest). The writing
is in `qemu_writing`.
"""

from __future__ import annotations

import functools
import re
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from labctl.sandbox import (
    answers,
    calls,
    catalogue,
    drives,
    formats,
    guest_formats,
    guest_secrets,
    guest_tags,
    property_strings,
    qemu_rights,
    register,
    volumes,
)
from labctl.sandbox import node as node_

NOT_OPTIONS = {"node", "vmid", "digest", "delete", "revert", "force", "skiplock", "background_delay", "import-working-storage"}
AT_ONCE = {
    "name", "description", "tags", "onboot", "protection", "startup", "hookscript", "lock", "shares", "migrate_downtime", "migrate_speed",
    "vmstatestorage", "balloon", "hotplug", "ciuser", "cipassword", "cicustom", "citype", "ciupgrade",
    "sshkeys", "nameserver", "searchdomain",
}  # fmt: skip
"""Keys that take effect on a running VM at once (`proxmox-truth.md` 2.1)."""


@dataclass
class Change:
    """What a call wants changed."""

    values: dict[str, Any] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)
    revert: list[str] = field(default_factory=list)
    force: bool = False
    digest: str | None = None
    skiplock: bool = False


@functools.cache
def options() -> dict[str, Any]:
    """The keys a VM's config may have, with their facts."""
    known = catalogue.load().methods["PUT", "/nodes/{node}/qemu/{vmid}/config"].properties
    return {name: facts for name, facts in known.items() if name not in NOT_OPTIONS}


def random_mac() -> str:
    """In Proxmox's own range."""
    return "BC:24:11:" + ":".join(f"{byte:02X}" for byte in secrets.token_bytes(3))


def network(key: str, value: str) -> str:
    """The stored form of a card: with a MAC."""
    nic = register.fields("qemu", key, value)
    nic.setdefault("macaddr", random_mac())
    return property_strings.emit(register.layout("qemu", key), nic)


def canonical(node: node_.Node, key: str, value: Any) -> Any:
    """A checked value as it is stored: numbers as numbers, lists in their order."""
    facts, text = options().get(key, {}), str(value)
    if key == "tags":
        return guest_tags.stored(node, text)
    if re.fullmatch(r"net\d+", key):
        return network(key, text)
    kind = facts.get("type")
    if kind == "boolean":
        return int(text)
    if kind in {"integer", "number"}:
        return stored_number(key, kind, text)
    if key == "cipassword":
        return guest_secrets.hashed(text)
    return text


def stored_number(key: str, kind: str, text: str) -> Any:
    """What the config file's own, stricter check lets through (section 0, last point)."""
    if not re.fullmatch(r"-?[0-9]+" if kind == "integer" else r"-?[0-9]+(\.[0-9]+)?", text):
        answers.die(f"unable to parse value of '{key}' - type check ('{kind}') failed - got '{text}'")
    return int(text) if kind == "integer" else text


def read(call: calls.Call) -> Change:
    """The call's parameters as a change; refuses what can be refused without looking at the guest."""
    if "skiplock" in call.params and not call.is_root:
        answers.bad(skiplock="Only root may use this option.")
    change = Change(force=call.flag("force"), digest=call.text("digest") or None, skiplock=call.flag("skiplock"))
    change.values = {name: value for name, value in call.params.items() if name in options()}
    if "cdrom" in change.values:
        change.values["ide2"] = str(change.values.pop("cdrom")) + (",media=cdrom" if "media=" not in call.text("cdrom") else "")
    change.revert = _names(call, change, "revert")
    change.delete = _names(call, change, "delete")
    for name in change.revert:
        if name in change.delete:
            answers.bad(revert=f"you can't use '-delete {name}' and -revert {name}' at the same time")
    if not (change.values or change.delete or change.revert):
        answers.die("no options specified")
    return change


def _names(call: calls.Call, change: Change, param: str) -> list[str]:
    found = []
    for name in formats.split_list(call.text(param)):
        name = "ide2" if name == "cdrom" else name  # noqa: PLW2901 - Proxmox's alias
        if name not in options():
            answers.bad_params({param: f"unknown option '{name}'"})
        if name in change.values:
            answers.bad_params({param: f"you can't use '-{name}' and -{param} {name}' at the same time"})
        found.append(name)
    return found


def check(call: calls.Call, vmid: str, change: Change, guest: register.Guest | None, pool: str | None = None) -> dict[str, drives.Drive]:
    """Permissions and everything that can be told before the lock; the drives among the values."""
    old = guest["config"] if guest else {}
    if guest is not None and "hookscript" in change.values:
        _check_hookscript(call, str(change.values["hookscript"]))
    found = {key: drives.read(key, str(value)) for key, value in change.values.items() if key in guest_formats.DRIVES}
    for key in change.delete:
        _check_delete(call, vmid, key, old, pool)
    for key, value in change.values.items():
        qemu_rights.need(call, vmid, pool, key, value, verb="modify" if guest else "set")
    if "tags" in change.values or "tags" in change.delete:
        guest_tags.need(call, vmid, pool, str(old.get("tags", "")), str(change.values.get("tags", "")))
    if change.values.get("sshkeys"):
        guest_secrets.check_ssh_keys(str(change.values["sshkeys"]))
    _check_drives(call, vmid, found, pool, new=guest is None)
    _check_balloon(change, old)
    for key, value in change.values.items():
        if key.startswith("unused"):
            volumes.usable(call.node, volumes.split(str(value).partition(",")[0])[0])
        if re.fullmatch(r"net\d+", key):
            qemu_rights.need_bridge(call, key, old.get(key), value)
    return found


def _check_drives(call: calls.Call, vmid: str, found: dict[str, drives.Drive], pool: str | None, *, new: bool) -> None:
    """Rights in Proxmox's order: a cloud-init drive's own first, then space, then those on the other drives."""
    for key, drive in found.items():
        drives.check_import(call.node, key, drive, new=new)
        if qemu_rights.is_cloudinit(str(drive["file"])):
            qemu_rights.need_drive(call, vmid, pool, drive)
        qemu_rights.need_space(call, vmid, drive, new=new)
    for drive in found.values():
        qemu_rights.need_drive(call, vmid, pool, drive)


def _check_hookscript(call: calls.Call, volume: str) -> None:
    """A snippet that is there and executable; nothing here is executable, so only what is missing differs."""
    if volume not in call.node.content["volumes"]:
        answers.bad(hookscript=f"script '{volume}' does not exist\n")
    answers.bad(hookscript=f"script '{volume}' is not executable\n")


def _check_balloon(change: Change, old: dict[str, Any]) -> None:
    balloon = change.values.get("balloon", old.get("balloon"))
    memory = str(change.values.get("memory", old.get("memory", 512))).partition(",")[0].rpartition("=")[2]
    if ("balloon" in change.values or "memory" in change.values) and balloon is not None and int(str(balloon)) > int(memory):
        answers.die("balloon value too large (must be smaller than assigned memory)")


def _check_delete(call: calls.Call, vmid: str, key: str, old: dict[str, Any], pool: str | None) -> None:
    access = call.node.access
    if key in guest_formats.DRIVES or key.startswith("unused"):
        volume = str(old.get(key, ""))
        if qemu_rights.is_cloudinit(volume.partition(",")[0]):
            access.need_on_guest(call.who, vmid, pool, "VM.Config.Cloudinit")
        elif "media=cdrom" in volume:
            access.need_on_guest(call.who, vmid, pool, "VM.Config.CDROM")
        else:
            access.need_on_guest(call.who, vmid, pool, "VM.Config.Disk")
        return
    qemu_rights.need(call, vmid, pool, key, old.get(key) if key.startswith("serial") else None, verb="modify")
    if re.fullmatch(r"net\d+", key):
        qemu_rights.need_bridge(call, key, old.get(key))


def identity() -> dict[str, str]:
    """What a new VM gets: firmware uuid and generation id."""
    return {"smbios1": f"uuid={uuid.uuid4()}", "vmgenid": str(uuid.uuid4())}
