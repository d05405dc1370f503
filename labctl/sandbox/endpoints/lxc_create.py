"""Create, clone, template and delete containers (`proxmox-truth.md` 3.5 LXC, `client-sequence.md` 4 and 5).

The clone's quirk is kept: the POST itself locks the source (`disk`) until the task has ended, so a second clone of the same
source is refused at once with "CT is locked (disk)".
"""

from __future__ import annotations

import copy
import re
import urllib.parse
from typing import Any

from labctl.sandbox import (
    answers,
    calls,
    guest_secrets,
    guest_tags,
    lxc_config,
    property_strings,
    register,
    removal,
    tasks,
    volumes,
)
from labctl.sandbox.endpoints import placing, power

DEFAULTS = {"arch": "amd64", "memory": 512, "swap": 512}


@calls.on("POST", "/nodes/{node}/lxc")
def create(call: calls.Call) -> str:
    """From a `vztmpl` volume; tags under a pool ACL are refused at once here (section 0)."""
    node, vmid, pool = call.node, call.text("vmid"), call.params.get("pool")
    if pool is not None and str(pool) not in node.content["pools"]:
        answers.forbid(f"pool '{pool}' does not exist")
    if not (call.may(f"/vms/{vmid}", "VM.Allocate") or (pool is not None and call.may(f"/pool/{pool}", "VM.Allocate"))):
        answers.forbid()
    if call.flag("unprivileged", default=True) is False:
        call.need("/", "Sys.Modify")
    node.check_quorum()
    register.assert_free(node, vmid, "")
    if "ssh-public-keys" in call.params:
        guest_secrets.check_ssh_keys(urllib.parse.quote(call.text("ssh-public-keys")))
    image = _image(call)
    storage = call.text("storage", "local")
    if ("storage" in call.params or "rootfs" not in call.params) and "rootdir" not in volumes.usable(node, storage).get("content", []):
        answers.bad(storage=f"storage '{storage}' does not support container directories")
    change = lxc_config.Change(values={name: value for name, value in call.params.items() if name in lxc_config.options()})
    tags = change.values.pop("tags", None)
    lxc_config.check(call, vmid, change, None, str(pool) if pool else None)
    if "rootfs" not in change.values:
        call.need(f"/storage/{storage}", "Datastore.AllocateSpace")
    if tags is not None:
        guest_tags.need(call, vmid, None, "", str(tags))
        change.values["tags"] = tags
    with node.state.change() as content:
        register.assert_free(node, vmid, "")
        content["guests"][vmid] = register.fresh(node, "lxc", "create")
    return node.tasks.start("vzcreate", vmid, call.who, lambda job: _create(call, int(vmid), change, storage, image, job))


def _image(call: calls.Call) -> str:
    volume = call.text("ostemplate")
    storage, _ = volumes.split(volume)
    volumes.usable(call.node, storage)
    if volumes.content_type(call.node, volume) != "vztmpl":
        answers.die(f"unable to use volume {volume} - content type needs to be 'vztmpl'")
    call.need(f"/storage/{storage}", "Datastore.AllocateSpace", "Datastore.Audit", any_of=True)
    return volume


def _create(call: calls.Call, vmid: int, change: lxc_config.Change, storage: str, image: str, job: tasks.Job) -> None:
    node = call.node
    made: list[str] = []
    try:
        with node.locks.guest("lxc", vmid):
            config: dict[str, Any] = dict(DEFAULTS) | {"hostname": f"CT{vmid}", "unprivileged": 1, "ostype": "debian"}
            values = dict(change.values)
            mounts = {key: values.pop(key) for key in list(values) if key == "rootfs" or re.fullmatch(r"mp\d+", key)}
            mounts.setdefault("rootfs", f"{storage}:4")
            config |= {key: lxc_config.canonical(node, key, value) for key, value in values.items()}
            for key, value in mounts.items():
                config[key] = lxc_config.realised(node, vmid, key, value)
                volid = str(register.fields("lxc", key, config[key])["volume"])
                if volid not in node.content["volumes"]:
                    answers.die(f"volume '{volid}' does not exist")
                made.append(volid)
            job.say(f"extracting archive '{call.text('ostemplate')}'")
            node.acts.spend("copy")
            known = node.content["volumes"].get(image)
            if known is None:
                answers.die(f"volume '{image}' does not exist")
            node.runtime.provide(vmid, str(known.get("image", "")))
            with node.state.change() as content:
                for volid in made:
                    content["volumes"][volid]["system"] = 1
            register.arrive(node, vmid, config, call.params.get("pool"))
    except BaseException as failure:
        removal.discard(node, vmid, made)
        if isinstance(failure, answers.Refused):
            raise answers.Refused(500, f"unable to create CT {vmid} - {failure.as_task_error()}\n") from failure
        raise
    if call.flag("start"):
        with node.locks.guest("lxc", vmid):
            power.boot(call, "lxc", vmid, job)


@calls.on("POST", "/nodes/{node}/lxc/{vmid}/clone")
def clone(call: calls.Call) -> str:
    """Locks source and target before the answer."""
    node, source, target = call.node, call.number("vmid"), call.number("newid")
    pool = call.params.get("pool")
    if pool is not None and str(pool) not in node.content["pools"]:
        answers.forbid(f"pool '{pool}' does not exist")
    placing.check_target(call)
    with node.locks.guest("lxc", source), node.state.change() as content:
        guest = register.find(node, "lxc", source)
        register.check_lock(guest)
        full = call.flag("full", default=not register.is_template(guest))
        _check_clone(call, source, guest, full=full)
        if str(target) in content["guests"]:
            answers.die(f"unable to create CT {target}: config file already exists")
        guest["config"]["lock"] = "disk"
        content["guests"][str(target)] = register.fresh(node, "lxc", "create", **{"clone-of": source})
    return node.tasks.start("vzclone", str(source), call.who, lambda job: _clone(call, source, target, job, full=full))


def _check_clone(call: calls.Call, source: int, guest: register.Guest, *, full: bool) -> None:
    if "storage" in call.params and not full:
        answers.die("parameter 'storage' not allowed for linked clones")
    if "snapname" in call.params and call.text("snapname") not in guest.get("snapshots", {}):
        answers.die(f"snapshot '{call.text('snapname')}' does not exist")
    if full and register.runs(call.node, source) and "snapname" not in call.params:
        answers.die("Full clone of a running container is only possible from a snapshot")
    for key, value in guest["config"].items():
        if _is_mount(key):
            volume = str(register.fields("lxc", key, str(value))["volume"])
            if not full and not register.is_template(guest):
                answers.die(f"Linked clone feature for '{volume}' is not available")
            storage = call.text("storage") or volumes.split(volume)[0]
            call.need(f"/storage/{storage}", "Datastore.AllocateSpace")
    register.need_bridges(call, guest)
    mounts = [str(register.fields("lxc", key, str(value))["volume"]) for key, value in guest["config"].items() if _is_mount(key)]
    placing.check_shared(call, "CT", [call.text("storage") or volumes.split(volume)[0] for volume in mounts])


def _is_mount(key: str) -> bool:
    return key == "rootfs" or bool(re.fullmatch(r"mp\d+", key))


def _clone(call: calls.Call, source: int, target: int, job: tasks.Job, *, full: bool) -> None:
    node = call.node
    made: list[str] = []
    try:
        with node.locks.guest("lxc", target):
            config = _new_config(call, register.find(node, "lxc", source), source)
            for key in [key for key in config if key == "rootfs" or re.fullmatch(r"mp\d+", key)]:
                job.checkpoint()
                _clone_mount(call, target, key, config, full=full, made=made, job=job)
            node.runtime.clone(source, target, linked=not full)
            with node.state.change() as content:
                if str(source) in content["firewall"]:
                    content["firewall"][str(target)] = copy.deepcopy(content["firewall"][str(source)])
            register.arrive(node, target, config, call.params.get("pool"), on=call.text("target"))
    except BaseException as failure:
        removal.discard(node, target, made)
        if isinstance(failure, answers.Refused):
            raise answers.Refused(500, f"clone failed: {failure.as_task_error()}\n") from failure
        raise
    finally:
        unlock_source(call, source)


def unlock_source(call: calls.Call, source: int) -> None:
    """The source is free again."""
    with call.node.state.change() as content:
        guest = content["guests"].get(str(source))
        if guest and guest["config"].get("lock") == "disk":
            del guest["config"]["lock"]


def _new_config(call: calls.Call, guest: register.Guest, source: int) -> dict[str, Any]:
    origin = guest["snapshots"][call.text("snapname")] if "snapname" in call.params else guest["config"]
    skipped = {"lock", "template", "parent", "snaptime"}
    config = {key: value for key, value in copy.deepcopy(origin).items() if key not in skipped and not key.startswith("unused")}
    for key in list(config):
        if re.fullmatch(r"net\d+", key):
            nic = register.fields("lxc", key, str(config[key]))
            nic.pop("hwaddr", None)
            config[key] = lxc_config.network(key, property_strings.emit(register.layout("lxc", key), nic))
    config["hostname"] = call.text("hostname") or f"Copy-of-{origin.get('hostname', f'CT{source}')}"
    if "description" in call.params:
        config["description"] = call.text("description")
    return config


def _clone_mount(call: calls.Call, target: int, key: str, config: dict[str, Any], *, full: bool, made: list[str], job: tasks.Job) -> None:
    node = call.node
    mount = register.fields("lxc", key, str(config[key]))
    origin = str(mount["volume"])
    storage, rest = volumes.split(origin)
    if full:
        storage = call.text("storage") or storage
    with node.locks.storage(storage):
        job.say(f"create {'full' if full else 'linked'} clone of mountpoint {key} ({origin})")
        volid = volumes.new_name(node, storage, target, container=True, base="" if full else rest)
        volumes.add(node, volid, volumes.size_of(node, origin) or 0, **({"system": 1} if full else {"parent": origin}))
        made.append(volid)
        node.acts.spend("allocate" if full else "clone")
    if full:
        node.acts.spend("copy", volumes.gib(node, origin))
    config[key] = property_strings.emit(register.layout("lxc", key), mount | {"volume": volid, "size": volumes.size_text(node, volid)})


@calls.on("POST", "/nodes/{node}/lxc/{vmid}/template")
def template(call: calls.Call) -> None:
    """Null, while a task `vztemplate` runs (`proxmox-truth.md` 2.1)."""
    vmid = call.number("vmid")
    guest = register.find(call.node, "lxc", vmid)
    register.check_lock(guest)
    if guest.get("snapshots"):
        answers.die("unable to create template, because CT contains snapshots")
    if register.is_template(guest):
        answers.die("you can't convert a template to a template")
    if register.runs(call.node, vmid):
        answers.die("you can't convert a CT to template if the CT is running")

    def work(job: tasks.Job) -> None:
        _ = job
        node = call.node
        node.acts.spend("template")
        with node.locks.guest("lxc", vmid), node.state.change():
            present = register.find(node, "lxc", vmid)
            register.check_lock(present)
            for key in [key for key in present["config"] if key == "rootfs" or re.fullmatch(r"mp\d+", key)]:
                mount = register.fields("lxc", key, str(present["config"][key]))
                mount["volume"] = volumes.to_base(node, str(mount["volume"]))
                present["config"][key] = property_strings.emit(register.layout("lxc", key), mount)
            node.runtime.freeze_template(vmid)
            present["config"]["template"] = 1

    call.node.tasks.start("vztemplate", str(vmid), call.who, work)


@calls.on("DELETE", "/nodes/{node}/lxc/{vmid}")
def delete(call: calls.Call) -> str:
    """A running one is refused unless `force`."""
    vmid = call.number("vmid")
    guest = register.find(call.node, "lxc", vmid)
    register.check_protection(guest, f"CT {vmid}")
    register.check_lock(guest)
    if register.runs(call.node, vmid) and not call.flag("force"):
        answers.die(f"unable to destroy CT {vmid} - container is running")

    def work(job: tasks.Job) -> None:
        node = call.node
        with node.locks.guest("lxc", vmid):
            present = register.find(node, "lxc", vmid)
            register.check_lock(present)
            if register.runs(node, vmid):
                if not call.flag("force"):
                    answers.die(f"unable to destroy CT {vmid} - container is running")
                node.runtime.stop(vmid)
            removal.destroy(node, vmid, present, job, unreferenced=call.flag("destroy-unreferenced-disks"))

    return call.node.tasks.start("vzdestroy", str(vmid), call.who, work)
