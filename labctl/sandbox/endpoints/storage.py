"""Storages, as configured and as this node sees them, and the volumes on them (`proxmox-truth.md` 2)."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from labctl.sandbox import answers, calls, formats, volumes


def _sees(call: calls.Call, name: str) -> bool:
    return call.may(f"/storage/{name}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True)


@calls.on("GET", "/storage")
def configured(call: calls.Call) -> list[dict[str, Any]]:
    """All that the caller may see."""
    rows = []
    for name, facts in sorted(call.node.content["storage"].items()):
        if _sees(call, name) and ("type" not in call.params or facts.get("type") == call.text("type")):
            rows.append(_config_row(call, name))
    return rows


def _config_row(call: calls.Call, name: str) -> dict[str, Any]:
    facts = volumes.storage(call.node, name)
    row = {"storage": name, "type": facts.get("type", "dir"), "digest": _digest(call), "content": ",".join(facts.get("content", []))}
    row |= {key: facts[key] for key in ("path", "pool", "disable", "shared") if key in facts}
    if facts.get("nodes"):
        row["nodes"] = ",".join(facts["nodes"])
    return row


def _digest(call: calls.Call) -> str:
    return hashlib.sha1(json.dumps(call.node.content["storage"], sort_keys=True).encode(), usedforsecurity=False).hexdigest()


@calls.on("GET", "/storage/{storage}")
def configured_one(call: calls.Call) -> dict[str, Any]:
    """One storage's settings."""
    return _config_row(call, call.text("storage"))


def _active(call: calls.Call, facts: dict[str, Any]) -> bool:
    return not facts.get("disable") and (not facts.get("nodes") or call.node.name in facts["nodes"])


def status_row(call: calls.Call, name: str) -> dict[str, Any]:
    """Space is that of the filesystem the node's home is on, or as described."""
    facts = volumes.storage(call.node, name)
    row: dict[str, Any] = {
        "storage": name,
        "type": facts.get("type", "dir"),
        "content": ",".join(facts.get("content", [])),
        "shared": int(facts.get("shared", 0)),
        "enabled": int(_active(call, facts)),
        "active": int(_active(call, facts)),
        "total": 0,
        "used": 0,
        "avail": 0,
    }
    if _active(call, facts):
        space = call.node.hardware.space(name)
        row |= {"total": space["total"], "used": space["used"], "avail": space["avail"]}
        row["used_fraction"] = round(space["used"] / space["total"], 6) if space["total"] else 0
    return row


@calls.on("GET", "/nodes/{node}/storage")
def listed(call: calls.Call) -> list[dict[str, Any]]:
    """Those of this node; filtered by content, target, enabled."""
    rows = []
    wanted = set(formats.split_list(call.text("content")))
    if "storage" in call.params and call.text("storage") not in call.node.content["storage"]:
        answers.bad(storage="No such storage.")
    for name, facts in sorted(call.node.content["storage"].items()):
        if not _sees(call, name) or ("storage" in call.params and name != call.text("storage")):
            continue
        picky = call.flag("enabled") or "content" in call.params
        if (picky and not _active(call, facts)) or ("content" in call.params and not wanted & set(facts.get("content", []))):
            continue
        if call.text("target", call.node.name) != call.node.name and not facts.get("shared"):
            continue
        row = status_row(call, name)
        if call.flag("format"):
            known = ("raw", "qcow2", "vmdk", "subvol")
            if _active(call, facts):
                row |= {"format": [dict.fromkeys(known, 1), "raw"], "formats": {"supported": sorted(known), "default": "raw"}}
        rows.append(row)
    return rows


@calls.on("GET", "/nodes/{node}/storage/{storage}")
def index(call: calls.Call) -> list[dict[str, str]]:
    """What there is below a storage."""
    _ = call
    return [{"subdir": name} for name in ("content", "status")]


@calls.on("GET", "/nodes/{node}/storage/{storage}/status")
def status(call: calls.Call) -> dict[str, Any]:
    """One storage's space."""
    if call.text("storage") not in call.node.content["storage"]:
        answers.bad(storage="No such storage.")
    row = status_row(call, call.text("storage"))
    for key in ("storage", "used_fraction"):
        row.pop(key, None)
    return row


def _kind(call: calls.Call, volid: str) -> str:
    """A disk of a container is `rootdir`, whatever its name."""
    kind = volumes.content_type(call.node, volid)
    guest = call.node.content["guests"].get(str(volumes.owner(volid)))
    return "rootdir" if kind == "images" and guest and guest["type"] == "lxc" else kind


@calls.on("GET", "/nodes/{node}/storage/{storage}/content")
def content(call: calls.Call) -> list[dict[str, Any]]:
    """Guest volumes are shown to who may touch their guest (`client-sequence.md` 2)."""
    storage = call.text("storage")
    volumes.usable(call.node, storage)
    rows = []
    for volid, facts in sorted(call.node.content["volumes"].items()):
        if volumes.split(volid)[0] != storage or not volumes.is_here(call.node, volid):
            continue
        kind = _kind(call, volid)
        owner = volumes.owner(volid) if kind in {"images", "rootdir"} else None
        if "vmid" in call.params and owner is None and kind != "snippets":
            continue
        if ("content" in call.params and kind != call.text("content")) or (
            "vmid" in call.params and owner is not None and str(owner) != call.text("vmid")
        ):
            continue
        if owner is not None and not (call.may(f"/storage/{storage}", "Datastore.Allocate") or call.may(f"/vms/{owner}", "VM.Config.Disk")):
            continue
        row: dict[str, Any] = {
            "volid": volid,
            "content": kind,
            "format": _SHOWN_FORMATS.get(kind, facts.get("format", "raw")),
            "size": facts["size"],
            "ctime": facts.get("ctime", 0),
        }
        if owner is not None:
            row |= {"vmid": owner, "used": 0}
        if owner is not None and call.node.content["storage"][storage].get("type", "dir") == "dir":
            row["parent"] = None
        if facts.get("parent"):
            row["parent"] = volumes.split(facts["parent"])[1]
        rows.append(row)
    return rows


_SHOWN_FORMATS = {"snippets": "snippet", "iso": "iso", "vztmpl": "tgz"}


def _volume(call: calls.Call) -> str:
    text = call.text("volume")
    volid = text if ":" in text else f"{call.text('storage')}:{text}"
    if volumes.split(volid)[0] != call.text("storage"):
        answers.bad(volume=f"storage ID mismatch ({volumes.split(volid)[0]} != {call.text('storage')})\n")
    volumes.content_type(call.node, volid)
    return volid


@calls.on("GET", "/nodes/{node}/storage/{storage}/content/{volume}")
def volume(call: calls.Call) -> dict[str, Any]:
    """Size and format of one volume."""
    volid = _volume(call)
    _need_volume(call, volid)
    facts = call.node.content["volumes"].get(volid)
    if facts is None:
        answers.die(f"volume_size_info on '{volid}' failed - no format")
    path = f"/var/lib/vz/images/{volumes.split(volid)[1]}"
    return {"path": path, "size": facts["size"], "used": facts["size"], "format": facts.get("format", "raw")}


def _need_volume(call: calls.Call, volid: str) -> None:
    owner = volumes.owner(volid)
    if owner is not None and call.may(f"/vms/{owner}", "VM.Config.Disk"):
        return
    if owner is None:
        call.need(f"/storage/{call.text('storage')}", "Datastore.AllocateSpace", "Datastore.Audit", any_of=True)
    else:
        call.need(f"/storage/{call.text('storage')}", "Datastore.Allocate")


@calls.on("DELETE", "/nodes/{node}/storage/{storage}/content/{volume}")
def delete(call: calls.Call) -> str | None:
    """A guest's own volume needs VM.Config.Disk there, any other Datastore.Allocate."""
    volid = _volume(call)
    owner = volumes.owner(volid)
    if owner is None or not call.may(f"/vms/{owner}", "VM.Config.Disk"):
        call.need(f"/storage/{call.text('storage')}", "Datastore.Allocate")

    def work(job: object) -> None:
        _ = job
        with call.node.locks.storage(call.text("storage")):
            if volid not in call.node.content["volumes"] or not volumes.is_here(call.node, volid):
                answers.die(f"disk image '{volid}' does not exist")
            call.node.acts.spend("free")
            volumes.free(call.node, volid)

    upid = call.node.tasks.start("imgdel", f"{owner or ''}@{call.text('storage')}" if owner else call.text("storage"), call.who, work)
    if "delay" in call.params and call.node.tasks.wait(upid, call.number("delay")):
        result = call.node.tasks.exit_status(upid)
        if result != "OK":
            answers.die(result)
        return None
    return upid


@calls.on("POST", "/nodes/{node}/storage/{storage}/content")
def allocate(call: calls.Call) -> str:
    """A volume under a guest's name, whoever the guest belongs to (`client-sequence.md` 3)."""
    storage, vmid, name = call.text("storage"), call.text("vmid"), call.text("filename")
    volumes.usable(call.node, storage)
    size = formats.parse_size(call.text("size"))
    kind = call.node.content["storage"][storage].get("type", "dir")
    fmt = call.text("format") or (name.rpartition(".")[2] if "." in name else "raw")
    if not name:
        volid = volumes.new_name(call.node, storage, int(vmid), fmt=call.text("format") or "raw")
        return volumes.add(call.node, volid, size or 0)
    if not re.match(r"vm-\d+-", name) or "/" in name:
        if "/" not in name and "." in name:
            answers.die(f"illegal name '{name}' - should be 'vm-{vmid}-*'")
        answers.die(f"unable to parse volume filename '{name}'")
    if "." in name and name.rpartition(".")[2] != fmt:
        answers.bad(format=f"different storage formats ({fmt} != {name.rpartition('.')[2]})")
    volid = f"{storage}:{vmid}/{name}" if kind == "dir" else f"{storage}:{name}"
    with call.node.locks.storage(storage):
        if volid in call.node.content["volumes"]:
            answers.die(f"disk image '/var/lib/vz/images/{vmid}/{name}' already exists")
        return volumes.add(call.node, volid, (size or 0) if call.text("size")[-1:] in "KMGT" else (size or 0) * 1024)
