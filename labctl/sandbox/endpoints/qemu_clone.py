"""Clone VMs and make templates of them (`proxmox-truth.md` 3.5; `client-sequence.md` 5)."""

from __future__ import annotations

import copy
from typing import Any

from labctl.sandbox import (
    answers,
    calls,
    drives,
    guest_formats,
    property_strings,
    qemu_config,
    qemu_rights,
    register,
    removal,
    tasks,
    volumes,
)
from labctl.sandbox import node as node_
from labctl.sandbox.endpoints import placing

NOT_CLONED = {"template", "parent", "snaptime", "lock", "vmstate", "runningmachine", "runningcpu"}


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/clone")
def clone(call: calls.Call) -> str:
    """Checks at once, work in task `qmclone:<source>`; a linked clone unless told, when the source is a template."""
    source, target = call.number("vmid"), call.number("newid")
    pool = call.params.get("pool")
    if pool is not None and str(pool) not in call.node.content["pools"]:
        answers.forbid(f"pool '{pool}' does not exist")
    placing.check_target(call)
    call.node.check_quorum()
    plan = _plan(call, source)
    if str(target) in call.node.content["guests"]:
        answers.die(f"unable to create VM {target}: config file already exists")
    return call.node.tasks.start("qmclone", str(source), call.who, lambda job: _clone(call, source, target, plan, job))


def _plan(call: calls.Call, source: int) -> dict[str, bool]:
    """Drive key -> linked, for each volume that is copied; all sync checks."""
    node = call.node
    guest = node.content["guests"].get(str(source))
    if guest is None or guest["type"] != "qemu":
        answers.die(f"unable to find configuration file for VM {source} on node '{node.name}'")
    if "storage" in call.params:
        known = volumes.usable(node, call.text("storage"))
        if "images" not in known.get("content", []):
            answers.bad(storage=f"storage '{call.text('storage')}' does not support vm images")
    register.check_lock(guest)
    config = guest["config"]
    if "snapname" in call.params:
        config = guest.get("snapshots", {}).get(call.text("snapname"))
        if config is None:
            answers.die(f"snapshot '{call.text('snapname')}' does not exist")
    full = call.flag("full", default=not register.is_template(guest))
    for name in ("storage", "format"):
        if name in call.params and not full:
            answers.die(f"parameter '{name}' not allowed for linked clones")
    plan = _drive_plan(call, guest, config, full=full)
    register.need_bridges(call, guest)
    return plan


def _drive_plan(call: calls.Call, guest: register.Guest, config: dict[str, Any], *, full: bool) -> dict[str, bool]:
    plan: dict[str, bool] = {}
    for key in guest_formats.DRIVES:
        volume = str(config.get(key, "")).partition(",")[0].removeprefix("file=")
        if not volume or ":" not in volume:
            continue
        is_cloudinit = qemu_rights.is_cloudinit(volume)
        if "media=cdrom" in str(config[key]) and not is_cloudinit:
            continue
        linked = not full and not is_cloudinit
        if linked and not register.is_template(guest):
            place = f"a snapshot of '{volume}'" if "snapname" in call.params else f"'{volume}'"
            answers.die(f"Linked clone feature is not supported for {place} ({key})")
        storage = call.text("storage") or volumes.split(volume)[0]
        call.need(f"/storage/{storage}", "Datastore.AllocateSpace")
        plan[key] = linked
    placing.check_shared(call, "VM", [call.text("storage") or volumes.split(str(config[key]).removeprefix("file="))[0] for key in plan])
    return plan


def _clone(call: calls.Call, source: int, target: int, plan: dict[str, bool], job: tasks.Job) -> None:
    """Locks first (one second each, `proxmox-truth.md` 3.4); what goes wrong after that leaves no trace of the new guest."""
    node = call.node
    made: list[str] = []
    with node.locks.guest("qemu", source, 1.0, shared=not register.runs(node, source)), node.locks.guest("qemu", target, 1.0):
        plan = _plan(call, source)
        _claim(call, source, target)
        try:
            job.say(f"creating a clone of VM {source} with ID {target}")
            config = _new_config(call, register.find(node, "qemu", source), source)
            for key, linked in plan.items():
                job.checkpoint()
                _clone_drive(call, target, key, config, linked=linked, made=made, job=job)
            if any(drives.is_disk(str(config[key])) for key in plan):
                node.runtime.clone(source, target, linked=any(plan.values()))
            register.arrive(node, target, config, call.params.get("pool"), on=call.text("target"))
        except BaseException as failure:
            removal.discard(node, target, made)
            if isinstance(failure, answers.Refused):
                raise answers.Refused(500, f"clone failed: {failure.as_task_error()}\n") from failure
            raise


def _claim(call: calls.Call, source: int, target: int) -> None:
    """The new guest's place, marked as half made; the firewall file comes along (`client-sequence.md` 5)."""
    with call.node.state.change() as content:
        if str(target) in content["guests"]:
            answers.die(f"unable to create VM {target}: config file already exists")
        content["guests"][str(target)] = register.fresh(call.node, "qemu", "clone", **{"clone-of": source})
        if str(source) in content["firewall"]:
            content["firewall"][str(target)] = copy.deepcopy(content["firewall"][str(source)])


def _new_config(call: calls.Call, guest: register.Guest, source: int) -> dict[str, Any]:
    """New MACs and firmware uuid; tags, description, onboot and protection come along (`client-sequence.md` 5)."""
    origin = guest.get("snapshots", {}).get(call.text("snapname"), guest["config"]) if "snapname" in call.params else guest["config"]
    config = {key: value for key, value in copy.deepcopy(origin).items() if key not in NOT_CLONED and not key.startswith("unused")}
    for key in list(config):
        if key.startswith("net") and key[3:].isdigit():
            nic = register.fields("qemu", key, str(config[key])) | {"macaddr": qemu_config.random_mac()}
            config[key] = property_strings.emit(register.layout("qemu", key), nic)
    fresh = qemu_config.identity()
    smbios = property_strings.parse(guest_formats.LAYOUTS["pve-qm-smbios1"], str(config.get("smbios1", "")), "smbios1", checked=False)
    smbios["uuid"] = fresh["smbios1"].removeprefix("uuid=")
    config["smbios1"] = property_strings.emit(guest_formats.LAYOUTS["pve-qm-smbios1"], smbios)
    if "vmgenid" in config:
        config["vmgenid"] = fresh["vmgenid"]
    config["name"] = call.text("name") or f"Copy-of-VM-{origin.get('name', f'VM{source}')}"
    if "description" in call.params:
        config["description"] = call.text("description")
    return config


def _clone_drive(call: calls.Call, target: int, key: str, config: dict[str, Any], *, linked: bool, made: list[str], job: tasks.Job) -> None:
    node = call.node
    drive = register.fields("qemu", key, str(config[key]))
    origin = str(drive["file"])
    storage, rest = volumes.split(origin)
    if call.text("storage") and not linked:
        storage = call.text("storage")
    cloudinit = qemu_rights.is_cloudinit(origin)
    with node.locks.storage(storage):
        job.say(f"create {'linked' if linked else 'full'} clone of drive {key} ({origin})")
        volid = volumes.new_name(node, storage, target, base=rest if linked else "", suffix="cloudinit" if cloudinit else "")
        volumes.add(node, volid, volumes.size_of(node, origin) or 0, **({"parent": origin} if linked else _system(node, origin)))
        made.append(volid)
        node.acts.spend("clone" if linked else "allocate")
    if not linked and not cloudinit:
        node.acts.spend("copy", volumes.gib(node, origin))
    drive["file"] = volid
    if not cloudinit or "size" in drive:
        drive["size"] = volumes.size_text(node, volid)
    config[key] = drives.write(key, drive)


def _system(node: node_.Node, origin: str) -> dict[str, int]:
    """Whether a full copy has a system on it, as its source has."""
    facts = node.content["volumes"].get(origin, {})
    return {"system": 1} if any(facts.get(key) for key in ("image", "parent", "system")) else {}


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/template")
def template(call: calls.Call) -> str:
    """Task `qmtemplate`: the disks become bases."""
    vmid = call.number("vmid")
    guest = register.find(call.node, "qemu", vmid)
    register.check_lock(guest)
    if guest.get("snapshots"):
        answers.die("unable to create template, because VM contains snapshots")
    if register.is_template(guest) and "disk" not in call.params:
        answers.die("you can't convert a template to a template")
    if register.runs(call.node, vmid):
        answers.die("you can't convert a VM to template if VM is running")
    if "disk" in call.params and call.text("disk") not in guest["config"]:
        answers.die(f"disk '{call.text('disk')}' does not exist")

    def work(job: tasks.Job) -> None:
        _ = job
        node = call.node
        node.acts.spend("template")
        with node.locks.guest("qemu", vmid):
            present = copy.deepcopy(register.find(node, "qemu", vmid))
            register.check_lock(present)
            for key in guest_formats.DRIVES:
                volume = drives.owned(node, vmid, str(present["config"].get(key, "")))
                if volume and not qemu_rights.is_cloudinit(volume) and "media=cdrom" not in str(present["config"][key]):
                    drive = register.fields("qemu", key, str(present["config"][key])) | {"file": volumes.to_base(node, volume)}
                    present["config"][key] = drives.write(key, drive)
            if any(node.content["volumes"].get(volume) for volume in removal.referenced(present)):
                node.runtime.freeze_template(vmid)
            present["config"]["template"] = 1
            with node.state.change() as content:
                content["guests"][str(vmid)] = present

    return call.node.tasks.start("qmtemplate", str(vmid), call.who, work)
