"""Snapshots of VMs and containers (`proxmox-truth.md` 2.1 snapshot, `client-sequence.md` 4).

Disk only: there is no RAM of a stand-in to keep, so `vmstate=1` is refused in the task. On ZFS only the newest snapshot can be
rolled back to.
"""

from __future__ import annotations

import copy
import re
import time
from typing import Any

from labctl.sandbox import answers, calls, guest_formats, qemu_rights, register, tasks, volumes
from labctl.sandbox.endpoints import power

WORKERS = {"qemu": "qm", "lxc": "vz"}
_NOT_KEPT = {"lock", "template", "pending"}


def _kind(call: calls.Call) -> str:
    return "qemu" if "/qemu/" in call.method.template else "lxc"


def _find(call: calls.Call) -> register.Guest:
    return register.find(call.node, _kind(call), call.text("vmid"))


def _disks(guest: register.Guest) -> list[tuple[str, str]]:
    found = []
    for key, value in guest["config"].items():
        volume = str(value).partition(",")[0].removeprefix("file=").removeprefix("volume=")
        is_disk = (key in guest_formats.DRIVES and "media=cdrom" not in str(value)) or key == "rootfs" or re.fullmatch(r"mp\d+", key)
        if is_disk and ":" in volume and not qemu_rights.is_cloudinit(volume):
            found.append((key, volume))
    return found


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/snapshot")
@calls.on("GET", "/nodes/{node}/lxc/{vmid}/snapshot")
def listed(call: calls.Call) -> list[dict[str, Any]]:
    """All of them and `current`, which is no snapshot."""
    guest = _find(call)
    rows: list[dict[str, Any]] = []
    for name, facts in sorted(guest.get("snapshots", {}).items()):
        row = {"name": name, "description": facts.get("description", ""), "snaptime": facts.get("snaptime", 0)}
        if guest["type"] == "qemu":
            row["vmstate"] = 1 if facts.get("vmstate") else 0
        if facts.get("parent"):
            row["parent"] = facts["parent"]
        rows.append(row)
    current: dict[str, Any] = {"name": "current", "description": "You are here!", "digest": register.digest(guest)}
    current["running"] = int(register.runs(call.node, call.text("vmid")))
    if guest["config"].get("parent"):
        current["parent"] = guest["config"]["parent"]
    return [*rows, current]


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/snapshot")
@calls.on("POST", "/nodes/{node}/lxc/{vmid}/snapshot")
def create(call: calls.Call) -> str:
    """Only reserved names are refused at once."""
    kind, vmid, name = _kind(call), call.number("vmid"), call.text("snapname")
    if name in {"current", "pending"}:
        answers.die(f"unable to use snapshot name '{name}' (reserved name)")
    register.find(call.node, kind, vmid)
    return call.node.tasks.start(f"{WORKERS[kind]}snapshot", str(vmid), call.who, lambda job: _snapshot(call, kind, vmid, name, job))


def _snapshot(call: calls.Call, kind: str, vmid: int, name: str, job: tasks.Job) -> None:
    node = call.node
    with node.locks.guest(kind, vmid), node.state.change():
        guest = register.find(node, kind, vmid)
        register.check_lock(guest)
        if register.is_template(guest):
            answers.die("you can't take a snapshot if it's a template")
        if name in guest.get("snapshots", {}):
            answers.die(f"snapshot name '{name}' already used")
        if call.flag("vmstate") and register.runs(node, vmid):
            answers.die("a container stands in for this VM, and its memory cannot be saved")
        _check_storages(call, guest)
        node.check_writable(kind, vmid)
        guest["config"]["lock"] = "snapshot"
    try:
        for key, volume in _disks(guest):
            job.say(f"snapshotting 'drive-{key}' ({volume})")
        if _real(call, vmid):
            node.runtime.delete_snapshot(vmid, name)  # one that a killed node left: the config knows none of that name
            node.runtime.snapshot(vmid, name)
        with node.state.change():
            present = register.find(node, kind, vmid)
            kept = {key: value for key, value in copy.deepcopy(present["config"]).items() if key not in _NOT_KEPT | {"description"}}
            present.setdefault("snapshots", {})[name] = (
                kept | {"snaptime": int(time.time())} | ({"description": call.text("description")} if call.text("description") else {})
            )
            present["config"]["parent"] = name
    finally:
        _unlock(call, kind, vmid)


def _check_storages(call: calls.Call, guest: register.Guest) -> None:
    """`dir` can keep snapshots of qcow2 only (`client-sequence.md`, sources)."""
    for _key, volume in _disks(guest):
        storage = volumes.split(volume)[0]
        if volumes.storage(call.node, storage).get("type", "dir") == "dir" and not volume.endswith(".qcow2"):
            answers.die("snapshot feature is not available")


def _real(call: calls.Call, vmid: int) -> bool:
    """Whether the runtime has a disk for this guest (a VM made from nothing has none)."""
    guest = call.node.content["guests"].get(str(vmid))
    return guest is not None and has_system(call, guest)


def has_system(call: calls.Call, guest: register.Guest) -> bool:
    """Whether one of its volumes comes from an image or a clone."""
    known = call.node.content["volumes"]
    return any(
        known.get(volume, {}).get("image") or known.get(volume, {}).get("parent") or known.get(volume, {}).get("system")
        for _, volume in _disks(guest)
    )


def _unlock(call: calls.Call, kind: str, vmid: int) -> None:
    with call.node.state.change():
        register.find(call.node, kind, vmid)["config"].pop("lock", None)


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}")
@calls.on("GET", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}")
def index(call: calls.Call) -> list[dict[str, str]]:
    """What there is below a snapshot."""
    _ = call
    return [{"cmd": "rollback"}, {"cmd": "config"}]


def _one(guest: register.Guest, name: str) -> dict[str, Any]:
    known = guest.get("snapshots", {}).get(name)
    if known is None:
        answers.die(f"snapshot '{name}' does not exist")
    found: dict[str, Any] = known
    return found


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config")
@calls.on("GET", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config")
def config(call: calls.Call) -> dict[str, Any]:
    """What the guest was then."""
    return dict(_one(_find(call), call.text("snapname")))


@calls.on("PUT", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/config")
@calls.on("PUT", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config")
def describe(call: calls.Call) -> None:
    """Only the description can change."""
    with call.node.locks.guest(_kind(call), call.text("vmid")), call.node.state.change():
        guest = _find(call)
        register.check_lock(guest)
        known = _one(guest, call.text("snapname"))
        if "description" in call.params:
            known["description"] = call.text("description")


@calls.on("DELETE", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}")
@calls.on("DELETE", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}")
def delete(call: calls.Call) -> str:
    """A missing one is told by the task."""
    kind, vmid, name = _kind(call), call.number("vmid"), call.text("snapname")

    def work(job: tasks.Job) -> None:
        _ = job
        node = call.node
        with node.locks.guest(kind, vmid):
            with node.state.change():
                guest = register.find(node, kind, vmid)
                register.check_lock(guest)
                _one(guest, name)
                guest["config"]["lock"] = "snapshot-delete"
            try:
                if _real(call, vmid):
                    node.runtime.delete_snapshot(vmid, name)
                with node.state.change():
                    _take_out(register.find(node, kind, vmid), name)
            finally:
                _unlock(call, kind, vmid)

    return call.node.tasks.start(f"{WORKERS[kind]}delsnapshot", str(vmid), call.who, work)


def _take_out(guest: register.Guest, name: str) -> None:
    gone = guest["snapshots"].pop(name)
    for values in (guest["config"], *guest["snapshots"].values()):
        if values.get("parent") == name:
            if gone.get("parent"):
                values["parent"] = gone["parent"]
            else:
                del values["parent"]


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/snapshot/{snapname}/rollback")
@calls.on("POST", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback")
def rollback(call: calls.Call) -> str:
    """Stops a running guest; starts it again only with `start=1`, which needs VM.PowerMgmt."""
    kind, vmid, name = _kind(call), call.number("vmid"), call.text("snapname")
    if call.flag("start"):
        call.need(f"/vms/{vmid}", "VM.PowerMgmt")

    def work(job: tasks.Job) -> None:
        node = call.node
        with node.locks.guest(kind, vmid):
            _roll_back(call, kind, vmid, name)
            if call.flag("start"):
                power.boot(call, kind, vmid, job)

    return call.node.tasks.start(f"{WORKERS[kind]}rollback", str(vmid), call.who, work)


def _roll_back(call: calls.Call, kind: str, vmid: int, name: str) -> None:
    node = call.node
    with node.state.change():
        guest = register.find(node, kind, vmid)
        if register.is_template(guest):
            answers.die("you can't rollback if vm is a template" if kind == "qemu" else "you can't rollback if CT is a template")
        known = _one(guest, name)
        register.check_lock(guest)
        if guest["config"].get("parent") != name and _on_zfs(call, guest):
            answers.die(f"can't rollback, '{name}' is not most recent snapshot on '{_disks(guest)[0][1]}'")
        guest["config"]["lock"] = "rollback"
    try:
        node.runtime.stop(vmid)
        if _real(call, vmid):
            node.runtime.rollback(vmid, name)
        with node.state.change():
            present = register.find(node, kind, vmid)
            restored = {key: value for key, value in copy.deepcopy(known).items() if key not in {"snaptime", "description"}}
            description = {"description": present["config"]["description"]} if present["config"].get("description") else {}
            present["config"] = restored | description | {"parent": name, "lock": "rollback"}
            present["pending"], present["delete"] = {}, []
    finally:
        _unlock(call, kind, vmid)


def _on_zfs(call: calls.Call, guest: register.Guest) -> bool:
    return any(volumes.storage(call.node, volumes.split(volume)[0]).get("type") == "zfspool" for _, volume in _disks(guest))
