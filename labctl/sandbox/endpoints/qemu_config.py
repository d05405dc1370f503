"""`/nodes/{node}/qemu/{vmid}/config`, `pending`, `unlink`, `resize`, `cloudinit`, `feature`."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import answers, calls, formats, qemu_config, qemu_writing, register, tasks, volumes


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/config")
def config(call: calls.Call) -> dict[str, Any]:
    """With pending values unless `current`; of a snapshot if one is named."""
    guest = register.find(call.node, "qemu", call.text("vmid"))
    if "snapshot" in call.params:
        return {**_snapshot(guest, call.text("snapshot")), "digest": register.digest(guest)}
    shown = dict(guest["config"])
    if not call.flag("current"):
        shown |= guest.get("pending", {})
        for key in guest.get("delete", []):
            shown.pop(key, None)
    return _shown(shown) | {"digest": register.digest(guest)}


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    out = dict(values)
    if "cipassword" in out:
        out["cipassword"] = "**********"
    if out.get("tags") == "":
        out["tags"] = " "
    return out


def _snapshot(guest: register.Guest, name: str) -> dict[str, Any]:
    known = guest.get("snapshots", {}).get(name)
    if known is None:
        answers.die(f"snapshot '{name}' does not exist")
    return _shown(known)


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/pending")
def pending(call: calls.Call) -> list[dict[str, Any]]:
    """Key by key: the value, what is pending, whether it is to go."""
    guest = register.find(call.node, "qemu", call.text("vmid"))
    rows: list[dict[str, Any]] = []
    values, waiting = _shown(guest["config"]), _shown(guest.get("pending", {}))
    for key, value in values.items():
        row: dict[str, Any] = {"key": key, "value": value}
        if key in waiting:
            row["pending"] = waiting[key]
        if key in guest.get("delete", []):
            row["delete"] = 1
        rows.append(row)
    rows += [{"key": key, "pending": value} for key, value in waiting.items() if key not in values]
    rows.append({"key": "digest", "value": register.digest(guest)})
    return rows


@calls.on("PUT", "/nodes/{node}/qemu/{vmid}/config")
def put(call: calls.Call) -> None:
    """At once, under the lock."""
    change = qemu_config.read(call)
    guest = register.find(call.node, "qemu", call.text("vmid"))
    found = qemu_config.check(call, call.text("vmid"), change, guest)
    qemu_writing.apply(call, call.number("vmid"), change, found)


@calls.on("POST", "/nodes/{node}/qemu/{vmid}/config")
def post(call: calls.Call) -> str | None:
    """In a task; `background_delay` waits for it that long."""
    change = qemu_config.read(call)
    guest = register.find(call.node, "qemu", call.text("vmid"))
    found = qemu_config.check(call, call.text("vmid"), change, guest)

    def work(job: tasks.Job) -> None:
        _ = job
        qemu_writing.apply(call, call.number("vmid"), change, found)

    upid = call.node.tasks.start("qmconfig", call.text("vmid"), call.who, work)
    if "background_delay" in call.params and call.node.tasks.wait(upid, call.number("background_delay")):
        status = call.node.tasks.exit_status(upid)
        if status != "OK":
            answers.die(f"failed to update VM {call.text('vmid')}: {status}")
        return None
    return upid


@calls.on("PUT", "/nodes/{node}/qemu/{vmid}/unlink")
def unlink(call: calls.Call) -> None:
    """`config` with `delete`, by another name."""
    call.params["delete"] = call.params.pop("idlist")
    put(call)


@calls.on("PUT", "/nodes/{node}/qemu/{vmid}/resize")
def resize(call: calls.Call) -> str:
    """Grows; the size is a label here, the guest's disk has the whole storage behind it."""
    vmid, disk = call.number("vmid"), call.text("disk")
    if "skiplock" in call.params and not call.is_root:
        answers.bad(skiplock="Only root may use this option.")

    def work(job: tasks.Job) -> None:
        node = call.node
        with node.locks.guest("qemu", vmid), node.state.change():
            guest = register.find(node, "qemu", vmid)
            if call.text("digest") and call.text("digest") != register.digest(guest):
                answers.die("checksum mismatch (file change by other user?)")
            if not call.flag("skiplock"):
                register.check_lock(guest)
            _resize(call, guest, disk, job)

    return call.node.tasks.start("resize", str(vmid), call.who, work)


def _resize(call: calls.Call, guest: register.Guest, disk: str, job: tasks.Job) -> None:
    if disk not in guest["config"]:
        answers.die(f"disk '{disk}' does not exist")
    drive = register.fields("qemu", disk, str(guest["config"][disk]))
    volid = str(drive["file"])
    if ":" not in volid:
        answers.die(f"unable to parse volume ID '{volid}'")
    call.need(f"/storage/{volumes.split(volid)[0]}", "Datastore.AllocateSpace")
    size = volumes.size_of(call.node, volid)
    if size is None:
        answers.die(f"volume '{volid}' does not exist")
    text = call.text("size")
    wanted = formats.parse_size(text.removeprefix("+")) or 0
    if text.startswith("+"):
        wanted += size
    wanted = (wanted + 511) // 512 * 512
    if wanted < size:
        answers.die("shrinking disks is not supported")
    if wanted == size:
        return
    call.node.content["volumes"][volid]["size"] = wanted
    drive["size"] = formats.format_size(wanted)
    from labctl.sandbox import drives

    guest["config"][disk] = drives.write(disk, drive)
    job.say("Image resized.")


_CLOUDINIT = {"cicustom", "cipassword", "citype", "ciuser", "ciupgrade", "nameserver", "searchdomain", "sshkeys"}


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/cloudinit")
def cloudinit(call: calls.Call) -> list[dict[str, Any]]:
    """The cloud-init keys; nothing is pending, because the drive is written at each start."""
    guest = register.find(call.node, "qemu", call.text("vmid"))
    keys = [key for key in guest["config"] if (key in _CLOUDINIT) or key.startswith("ipconfig")]
    shown = _shown(guest["config"])
    return [{"key": key, "value": shown[key]} for key in keys]


@calls.on("PUT", "/nodes/{node}/qemu/{vmid}/cloudinit")
def regenerate(call: calls.Call) -> None:
    """The drive is written again at the next start anyway."""
    with call.node.locks.guest("qemu", call.text("vmid")):
        guest = register.find(call.node, "qemu", call.text("vmid"))
        register.check_lock(guest)


@calls.on("GET", "/nodes/{node}/qemu/{vmid}/feature")
def feature(call: calls.Call) -> dict[str, Any]:
    """snapshot, clone (linked, of templates only) or copy."""
    guest = register.find(call.node, "qemu", call.text("vmid"))
    wanted, named = call.text("feature"), call.text("snapname")
    if named:
        _snapshot(guest, named)
    has = {"snapshot": not register.is_template(guest), "clone": register.is_template(guest) and not named, "copy": True}[wanted]
    return {"hasFeature": int(has), "nodes": [call.node.name] if has else []}
