"""Create and delete VMs (`proxmox-truth.md` 3.5 end, 2.1 delete; `client-sequence.md` 2 and 4)."""

from __future__ import annotations

import time
from typing import Any

from labctl.sandbox import answers, calls, drives, guest_formats, guest_tags, qemu_config, qemu_writing, register, removal, tasks


@calls.on("POST", "/nodes/{node}/qemu")
def create(call: calls.Call) -> str:
    """The VMID is taken before the answer; the rest is the task's."""
    vmid, pool = call.text("vmid"), call.params.get("pool")
    for name in ("archive", "ha-managed"):
        if name == "ha-managed" and call.flag(name):
            call.need("/", "Sys.Console")
    if pool is not None:
        _need_pool(call, str(pool))
    _may_create(call, vmid, pool)
    if call.text("archive"):
        if call.text("archive") == "-":
            answers.die("pipe requires cli environment")
        if ":" not in call.text("archive"):
            answers.die(f"can't find file '{call.text('archive')}'")
        answers.die(f"volume '{call.text('archive')}' does not exist")
    call.node.check_quorum()
    change = qemu_config.Change(values={name: value for name, value in call.params.items() if name in qemu_config.options()})
    if "cdrom" in change.values:
        change.values["ide2"] = str(change.values.pop("cdrom")) + (",media=cdrom" if "media=" not in call.text("cdrom") else "")
    tags = change.values.pop("tags", None)
    found = qemu_config.check(call, vmid, change, None, str(pool) if pool else None)
    register.assert_free(call.node, vmid, f"unable to create VM {vmid} - ")
    if tags is not None:
        change.values["tags"] = tags
    with call.node.state.change() as content:
        register.assert_free(call.node, vmid, f"unable to create VM {vmid} - ")
        content["guests"][vmid] = register.fresh(call.node, "qemu", "create")
    return call.node.tasks.start("qmcreate", vmid, call.who, lambda job: _create(call, int(vmid), change, found, job))


def _may_create(call: calls.Call, vmid: str, pool: Any) -> None:
    """VM.Allocate on the pool or the VMID; Proxmox says no more than 403 (`client-sequence.md` 5)."""
    if call.may(f"/vms/{vmid}", "VM.Allocate") or (pool is not None and call.may(f"/pool/{pool}", "VM.Allocate")):
        return
    answers.forbid()


def _need_pool(call: calls.Call, pool: str) -> None:
    if pool not in call.node.content["pools"]:
        answers.forbid(f"pool '{pool}' does not exist")


def _create(call: calls.Call, vmid: int, change: qemu_config.Change, found: dict[str, drives.Drive], job: tasks.Job) -> None:
    node = call.node
    made: list[str] = []
    try:
        with node.locks.guest("qemu", vmid, 1.0):
            if "tags" in change.values:  # asked without the pool: a pool-only right is not enough (section 0)
                guest_tags.need(call, str(vmid), None, "", str(change.values["tags"]))
            guest: register.Guest = {"type": "qemu", "config": {}, "pending": {}, "delete": [], "snapshots": {}}
            _fill(call, vmid, guest, change, found, made, job)
            qemu_writing.fill_imported(node, vmid, made)
            register.arrive(node, vmid, guest["config"], call.params.get("pool"))
    except BaseException as failure:
        removal.discard(node, vmid, made)
        if isinstance(failure, answers.Refused):
            raise answers.Refused(500, f"unable to create VM {vmid} - {failure.as_task_error()}\n") from failure
        raise
    if call.flag("start"):
        from labctl.sandbox.endpoints import power

        with node.locks.guest("qemu", vmid):
            power.boot(call, "qemu", vmid, job)


def _fill(
    call: calls.Call,
    vmid: int,
    guest: register.Guest,
    change: qemu_config.Change,
    found: dict[str, drives.Drive],
    made: list[str],
    job: tasks.Job,
) -> None:
    config: dict[str, Any] = guest["config"]
    for key, value in change.values.items():
        if key not in found:
            config[key] = qemu_config.canonical(call.node, key, value)
            continue
        before = len(made)
        config[key] = drives.realise(call.node, vmid, key, found[key], made)
        if len(made) > before:
            job.say(f"{key}: successfully created disk '{config[key]}'")
    for key, value in qemu_config.identity().items():
        config.setdefault(key, value)
    if config.get("vmgenid") in {1, "1"}:
        config["vmgenid"] = qemu_config.identity()["vmgenid"]
    config["meta"] = f"creation-qemu=10.0.2,ctime={int(time.time())}"
    if "boot" not in config:
        devices = _boot_order(config)
        config["boot"] = f"order={';'.join(devices)}" if devices else " "


def _boot_order(config: dict[str, Any]) -> list[str]:
    """First disk, first CD-ROM, first card."""
    disks = [key for key in guest_formats.DRIVES[:-2] if key in config]
    disk = next((key for key in disks if "media=cdrom" not in str(config[key])), None)
    disc = next(
        (key for key in disks if "media=cdrom" in str(config[key])),
        None,
    )
    card = next((f"net{number}" for number in range(32) if f"net{number}" in config), None)
    return [device for device in (disk, disc, card) if device]


@calls.on("DELETE", "/nodes/{node}/qemu/{vmid}")
def delete(call: calls.Call) -> str:
    """Refused at once: protection, running. In the task: locks, a base in use."""
    vmid = call.number("vmid")
    if "skiplock" in call.params and not call.is_root:
        answers.bad(skiplock="Only root may use this option.")
    guest = register.find(call.node, "qemu", vmid)
    register.check_protection(guest, f"VM {vmid}")
    if register.runs(call.node, vmid):
        answers.die(f"VM {vmid} is running - destroy failed")

    def work(job: tasks.Job) -> None:
        with call.node.locks.guest("qemu", vmid):
            present = register.find(call.node, "qemu", vmid)
            if not call.flag("skiplock") and present["config"].get("lock") != "suspended":
                register.check_lock(present)
            register.check_protection(present, f"VM {vmid}")
            if register.runs(call.node, vmid):
                answers.die(f"VM {vmid} is running - destroy failed")
            removal.destroy(call.node, vmid, present, job, unreferenced=call.flag("destroy-unreferenced-disks"))

    return call.node.tasks.start("qmdestroy", str(vmid), call.who, work)


@calls.on("GET", "/nodes/{node}/qemu/{vmid}")
def index(call: calls.Call) -> list[dict[str, str]]:
    """What there is below a VM."""
    register.find(call.node, "qemu", call.text("vmid"))
    return [
        {"subdir": name}
        for name in ("config", "pending", "status", "snapshot", "clone", "agent", "firewall", "resize", "template", "unlink")
    ]
