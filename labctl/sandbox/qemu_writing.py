"""Writing a checked change into a VM's config, under its lock: volumes made or let go, pending or at once.

Hot-plugging is not done: what would be plugged into a running VM waits for its next start, and `pending` says so.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from labctl.sandbox import answers, calls, drives, formats, guest_formats, qemu_config, qemu_rights, register
from labctl.sandbox import node as node_


def apply(call: calls.Call, vmid: int, change: qemu_config.Change, found: dict[str, drives.Drive]) -> None:
    """Under the guest's lock: look again, make volumes, write."""
    node = call.node
    with node.locks.guest("qemu", vmid):
        guest = copy.deepcopy(register.find(node, "qemu", vmid))
        if change.digest and change.digest != register.digest(guest):
            answers.die("checksum mismatch (file change by other user?)")
        if not change.skiplock:
            register.check_lock(guest)
        _protect(guest, change, found)
        _check_boot(guest, change)
        running = register.runs(node, vmid)
        made: list[str] = []
        node.check_writable("qemu", vmid)
        try:
            _write(node, vmid, guest, change, found, made, running=running)
        except BaseException:
            with node.state.change() as content:
                for volid in made:
                    content["volumes"].pop(volid, None)
            raise
        with node.state.change() as content:
            content["guests"][str(vmid)] = guest
            if not running:
                settle_pending(node, vmid)
        fill_imported(node, vmid, made)


def fill_imported(node: node_.Node, vmid: int, made: list[str]) -> None:
    """Disks that were made from an image get the guest its system."""
    for volid in made:
        image = node.content["volumes"].get(volid, {}).get("image")
        if image:
            node.runtime.provide(vmid, str(image))


def _protect(guest: register.Guest, change: qemu_config.Change, found: dict[str, drives.Drive]) -> None:
    config = guest["config"]
    for key in change.delete:
        if key in config and (key.startswith("unused") or (key in guest_formats.DRIVES and "media=cdrom" not in str(config[key]))):
            word = "unused disk" if key.startswith("unused") else "drive"
            register.check_protection(guest, f"{word} '{key}'")
    for key, drive in found.items():
        if key in config and "media=cdrom" not in str(config[key]) and str(config[key]).partition(",")[0] != drive["file"]:
            register.check_protection(guest, f"drive '{key}'")


def _check_boot(guest: register.Guest, change: qemu_config.Change) -> None:
    text = change.values.get("boot")
    if text is None:
        return
    order = register.fields("qemu", "boot", str(text)).get("order", "")
    for device in formats.split_list(str(order)):
        known = (device in guest["config"] or device in guest.get("pending", {}) or device in change.values) and device not in change.delete
        if not known:
            answers.die(f"invalid bootorder: device '{device}' does not exist'")


def _write(
    node: node_.Node,
    vmid: int,
    guest: register.Guest,
    change: qemu_config.Change,
    found: dict[str, drives.Drive],
    made: list[str],
    *,
    running: bool,
) -> None:
    config, pending, gone = guest["config"], guest.setdefault("pending", {}), guest.setdefault("delete", [])
    for key in change.revert:
        pending.pop(key, None)
        if key in gone:
            gone.remove(key)
    for key in change.delete:
        _delete(node, vmid, guest, key, at_once=not running or at_once(key), force=change.force)
    for key, value in change.values.items():
        text = drives.realise(node, vmid, key, found[key], made) if key in found else qemu_config.canonical(node, key, value)
        if key in found and register.is_template(guest) and drives.is_disk(text):
            text = drives.to_base(node, key, text, made)
        if key in gone:
            gone.remove(key)
        if running and not at_once(key):
            _postpone(config, pending, key, text)
            continue
        pending.pop(key, None)
        if key in found:
            _plug(node, vmid, config, key, found[key], text)
        elif not (key.startswith("unused") and _in_use(config, text)):
            config[key] = text


def _postpone(config: dict[str, Any], pending: dict[str, Any], key: str, text: Any) -> None:
    if config.get(key) == text:
        pending.pop(key, None)
    else:
        pending[key] = text


def _in_use(config: dict[str, Any], volume: str) -> bool:
    return volume in {str(other).partition(",")[0] for other in config.values()}


def _plug(node: node_.Node, vmid: int, config: dict[str, Any], key: str, drive: drives.Drive, text: str) -> None:
    """A drive takes its place; another one that was there becomes unused."""
    if key in config and str(config[key]).partition(",")[0] != text.partition(",")[0]:
        drives.unplug(node, vmid, config, key, force=False)
    _no_longer_unused(config, text.partition(",")[0])
    _boot_new_disc(config, key, drive)
    config[key] = text


def _boot_new_disc(config: dict[str, Any], key: str, drive: drives.Drive) -> None:
    """A new CD-ROM joins an explicit boot order, so that it can be booted from."""
    order = str(config.get("boot", ""))
    is_disc = drive.get("media") == "cdrom" and not qemu_rights.is_cloudinit(str(drive["file"]))
    if is_disc and key not in config and order.startswith("order=") and key not in formats.split_list(order.removeprefix("order=")):
        config["boot"] = f"{order};{key}"


def _no_longer_unused(config: dict[str, Any], volume: str) -> None:
    for key in [key for key in config if key.startswith("unused") and config[key] == volume]:
        del config[key]


def at_once(key: str) -> bool:
    """Whether a key takes effect on a running VM."""
    return key in qemu_config.AT_ONCE or bool(re.fullmatch(r"ipconfig\d+|unused\d+", key))


def _delete(node: node_.Node, vmid: int, guest: register.Guest, key: str, *, at_once: bool, force: bool) -> None:
    config, pending = guest["config"], guest["pending"]
    pending.pop(key, None)
    if key not in config:
        return
    if not at_once:
        guest["delete"] = [*guest["delete"], key] if key not in guest["delete"] else guest["delete"]
        return
    if key in guest_formats.DRIVES or key.startswith("unused"):
        drives.unplug(node, vmid, config, key, force=force)
    else:
        del config[key]
    _unboot(config, key)


def _unboot(config: dict[str, Any], key: str) -> None:
    """A device that is gone does not stay in the boot order."""
    order = str(config.get("boot", ""))
    if order.startswith("order="):
        left = [device for device in formats.split_list(order.removeprefix("order=")) if device != key]
        config["boot"] = f"order={';'.join(left)}" if left else " "


def settle_pending(node: node_.Node, vmid: int) -> None:
    """At a start, what was pending becomes true."""
    with node.state.change() as content:
        guest = content["guests"][str(vmid)]
        for key in list(guest.get("delete", [])):
            if key in guest["config"]:
                if key in guest_formats.DRIVES:
                    drives.unplug(node, vmid, guest["config"], key, force=False)
                else:
                    del guest["config"][key]
                _unboot(guest["config"], key)
        guest["delete"] = []
        for key, value in guest.get("pending", {}).items():
            if key in guest_formats.DRIVES and key in guest["config"]:
                drives.unplug(node, vmid, guest["config"], key, force=False)
            guest["config"][key] = value
        guest["pending"] = {}
