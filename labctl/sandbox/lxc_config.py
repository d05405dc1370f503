"""Changing a container's config: the work of PUT `config` and of create (`proxmox-truth.md` 3.8, `client-sequence.md` 2 and 6).

Quirk kept: a card on a bridge that is not there is stored although the answer is 500, and so is every later change until the card is
gone or the bridge is there (`client-sequence.md` 6).
"""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

from labctl.sandbox import answers, calls, catalogue, formats, guest_tags, property_strings, qemu_config, register, volumes
from labctl.sandbox import node as node_

NOT_OPTIONS = {"node", "vmid", "digest", "delete", "revert"}
Change = qemu_config.Change

_PRIVILEGES: dict[str, set[str]] = {
    "VM.Config.CPU": {"cores", "cpulimit", "cpuunits"},
    "VM.Config.Memory": {"memory", "swap"},
    "VM.Config.Network": {"nameserver", "searchdomain", "hostname"},
    "VM.Config.Options": {
        "arch", "cmode", "console", "description", "onboot", "ostype", "protection", "startup", "timezone", "tty", "tags", "debug",
        "template", "unprivileged", "env", "entrypoint",
    },
}  # fmt: skip


@functools.cache
def options() -> dict[str, Any]:
    """The keys a container's config may have, with their facts."""
    known = catalogue.load().methods["PUT", "/nodes/{node}/lxc/{vmid}/config"].properties
    return {name: facts for name, facts in known.items() if name not in NOT_OPTIONS}


def network(key: str, value: str) -> str:
    """The stored form of a card: with a MAC and type veth."""
    nic = register.fields("lxc", key, value)
    nic.setdefault("hwaddr", qemu_config.random_mac())
    nic.setdefault("type", "veth")
    return property_strings.emit(register.layout("lxc", key), nic)


def canonical(node: node_.Node, key: str, value: Any) -> Any:
    """A checked value as it is stored."""
    facts, text = options().get(key, {}), str(value)
    if key == "tags":
        return guest_tags.stored(node, text)
    if re.fullmatch(r"net\d+", key):
        return network(key, text)
    if facts.get("type") in {"boolean", "integer"}:
        return int(text)
    if key in {"nameserver", "searchdomain"}:
        return " ".join(formats.split_list(text))
    return text


def read(call: calls.Call) -> Change:
    """The call's parameters as a change."""
    change = Change(digest=call.text("digest") or None)
    change.values = {name: value for name, value in call.params.items() if name in options()}
    for param, into in (("delete", change.delete), ("revert", change.revert)):
        for name in formats.split_list(call.text(param)):
            if name not in options():
                answers.bad_params({param: f"unknown option '{name}'"})
            if name in change.values:
                answers.bad_params({param: f"you can't use '-{name}' and -{param} {name}' at the same time"})
            into.append(name)
    if not (change.values or change.delete or change.revert):
        answers.die("no options specified")
    return change


def check(call: calls.Call, vmid: str, change: Change, guest: register.Guest | None, pool: str | None = None) -> None:
    """Permissions, key by key."""
    old = guest["config"] if guest else {}
    if "rootfs" in change.delete:
        answers.die("unable to delete required option 'rootfs'")
    for key in [*change.delete, *change.values]:
        _need(call, vmid, pool, key, change.values.get(key))
    if guest is not None:
        _check_fixed(call, change)
    if "tags" in change.values or "tags" in change.delete:
        guest_tags.need(call, vmid, pool, str(old.get("tags", "")), str(change.values.get("tags", "")))
    for key in [*change.values, *change.delete]:
        if re.fullmatch(r"net\d+", key):
            need_bridge(call, key, old.get(key), change.values.get(key))
    for key, value in change.values.items():
        if key == "rootfs" or re.fullmatch(r"mp\d+", key):
            _check_mount(call, key, str(value))


def _check_fixed(call: calls.Call, change: Change) -> None:
    """Options that only create may set, and scripts (nothing here is executable)."""
    if "unprivileged" in change.values or "unprivileged" in change.delete:
        answers.die("unable to modify read-only option: 'unprivileged'")
    volume = change.values.get("hookscript")
    if volume is not None:
        missing = str(volume) not in call.node.content["volumes"]
        answers.die(f"script '{volume}' {'does not exist' if missing else 'is not executable'}")


def need_bridge(call: calls.Call, key: str, *values: Any) -> None:
    """SDN.Use on the bridges of the old and the new card."""
    for value in values:
        if value is not None:
            nic = register.fields("lxc", key, str(value))
            if nic.get("bridge"):
                call.need(register.bridge_path(call.node, nic["bridge"], nic.get("tag")), "SDN.Use")


def _need(call: calls.Call, vmid: str, pool: str | None, key: str, value: Any) -> None:
    if call.is_root or key == "tags":
        return
    access = call.node.access
    if re.fullmatch(r"(rootfs|mp\d+|unused\d+)", key):
        access.need_on_guest(call.who, vmid, pool, "VM.Config.Disk")
    elif re.fullmatch(r"net\d+", key):
        access.need_on_guest(call.who, vmid, pool, "VM.Config.Network")
    elif key == "features":
        only_nesting = value is None or set(register.fields("lxc", "features", str(value))) <= {"nesting"}
        if not only_nesting:
            answers.forbid("changing feature flags (except nesting) is only allowed for root@pam")
        access.need_on_guest(call.who, vmid, pool, "VM.Allocate")
    elif re.fullmatch(r"dev\d+", key):
        answers.forbid("configuring device passthrough is only allowed for root@pam")
    elif key == "hookscript":
        answers.forbid("changing the hookscript is only allowed for root@pam")
    else:
        privilege = next((name for name, keys in _PRIVILEGES.items() if key in keys), "VM.Config.Options")
        access.need_on_guest(call.who, vmid, pool, privilege)


def _check_mount(call: calls.Call, key: str, value: str) -> None:
    volume = str(register.fields("lxc", key, value).get("volume", ""))
    if volume.startswith("/"):
        if not call.is_root:
            answers.forbid(f"mount point type {'device' if volume.startswith('/dev/') else 'bind'} is only allowed for root@pam")
        return
    storage, rest = volumes.split(volume)
    volumes.usable(call.node, storage)
    if re.fullmatch(r"\d+(\.\d+)?", rest):
        call.need(f"/storage/{storage}", "Datastore.AllocateSpace")
        if "rootdir" not in volumes.storage(call.node, storage).get("content", []):
            answers.bad(storage=f"storage '{storage}' does not support container directories")
    elif not call.is_root and volumes.owner(volume) is None:
        call.need(f"/storage/{storage}", "Datastore.AllocateSpace")


def apply(call: calls.Call, vmid: int, change: Change) -> None:
    """Under the container's lock."""
    node = call.node
    with node.locks.guest("lxc", vmid):
        guest = copy.deepcopy(register.find(node, "lxc", vmid))
        if change.digest and change.digest != register.digest(guest):
            answers.die("detected modified configuration - file changed by other user? Try again.")
        register.check_lock(guest)
        _protect(guest, change)
        running = register.runs(node, vmid)
        node.check_writable("lxc", vmid)
        _write(node, vmid, guest, change, running=running)
        with node.state.change() as content:
            content["guests"][str(vmid)] = guest
        there = node.runtime.bridges()
        for nic in register.nics(guest).values():
            if nic.get("bridge", "") not in there:
                answers.die(f"bridge '{nic.get('bridge', '')}' does not exist")  # stored all the same: see the module


def _protect(guest: register.Guest, change: Change) -> None:
    for key in change.delete:
        if key in guest["config"] and re.fullmatch(r"mp\d+|unused\d+|rootfs", key):
            register.check_protection(guest, f"drive '{key}'")


def _write(node: node_.Node, vmid: int, guest: register.Guest, change: Change, *, running: bool) -> None:
    config, pending, gone = guest["config"], guest.setdefault("pending", {}), guest.setdefault("delete", [])
    for key in change.revert:
        pending.pop(key, None)
        guest["delete"] = gone = [name for name in gone if name != key]
    for key in change.delete:
        pending.pop(key, None)
        if key not in config:
            continue
        if running and not at_once(key):
            guest["delete"] = gone = [*[name for name in gone if name != key], key]
        else:
            delete_key(node, vmid, config, key)
    for key, value in change.values.items():
        text = realised(node, vmid, key, value)
        if key.startswith("unused") and text in {str(other).partition(",")[0] for other in config.values()}:
            continue  # a volume in use is not unused
        guest["delete"] = gone = [name for name in gone if name != key]
        if running and not at_once(key):
            pending[key] = text
        else:
            config[key] = text
            pending.pop(key, None)


def realised(node: node_.Node, vmid: int, key: str, value: Any) -> Any:
    """The stored form of a value; a mount point that asks for a new volume gets it."""
    if key != "rootfs" and not re.fullmatch(r"mp\d+", key):
        return canonical(node, key, value)
    mount = register.fields("lxc", key, str(value))
    storage, rest = volumes.split(str(mount["volume"]))
    if re.fullmatch(r"\d+(\.\d+)?", rest):
        with node.locks.storage(storage):
            volid = volumes.new_name(node, storage, vmid, container=True)
            volumes.add(node, volid, int(float(rest) * 1024**3))
            node.acts.spend("allocate")
        mount |= {"volume": volid, "size": volumes.size_text(node, volid)}
        return property_strings.emit(register.layout("lxc", key), mount)
    return str(value)


def at_once(key: str) -> bool:
    """Keys that a running container takes at once."""
    return key in {
        "description",
        "tags",
        "onboot",
        "protection",
        "startup",
        "hookscript",
        "lock",
        "hostname",
        "memory",
        "swap",
        "cores",
        "cpulimit",
        "cpuunits",
    }


def delete_key(node: node_.Node, vmid: int, config: dict[str, Any], key: str) -> None:
    """A mount point leaves its volume as `unusedN`; an unused volume goes for good."""
    value = str(config.pop(key))
    volume = value.partition(",")[0].removeprefix("volume=")
    if volume not in node.content["volumes"] or volumes.owner(volume) != vmid:
        return
    if key.startswith("unused"):
        volumes.free(node, volume)
    elif re.fullmatch(r"mp\d+|rootfs", key):
        free = next(number for number in range(256) if f"unused{number}" not in config)
        config[f"unused{free}"] = volume


def settle_pending(node: node_.Node, vmid: int) -> None:
    """At a start, what was pending becomes true."""
    with node.state.change() as content:
        guest = content["guests"][str(vmid)]
        for key in guest.get("delete", []):
            if key in guest["config"]:
                delete_key(node, vmid, guest["config"], key)
        guest["config"] |= guest.get("pending", {})
        guest["pending"], guest["delete"] = {}, []
