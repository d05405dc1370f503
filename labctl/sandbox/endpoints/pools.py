"""`/pools`: nested pools and their members (`proxmox-truth.md` 2.1 and section 0; `client-sequence.md` 4)."""

from __future__ import annotations

import re
from typing import Any

from labctl.sandbox import answers, calls, formats, register
from labctl.sandbox.endpoints import resources


@calls.on("GET", "/pools")
def listed(call: calls.Call) -> list[dict[str, Any]]:
    """All that the caller may see; with `poolid` that one with its members (which needs no privilege, `client-sequence.md` 2)."""
    if "type" in call.params and "poolid" not in call.params:
        answers.bad(poolid="missing property required by 'type'")
    if "poolid" in call.params:
        name = call.text("poolid")
        return [{"poolid": name} | _with_members(call, name, call.text("type"))]
    rows = []
    for name, facts in sorted(call.node.content["pools"].items()):
        if call.may(f"/pool/{name}", "Pool.Audit"):
            rows.append({"poolid": name} | ({"comment": facts["comment"]} if facts.get("comment") else {}))
    return rows


def _with_members(call: calls.Call, name: str, kind: str) -> dict[str, Any]:
    facts = _pool(call, name)
    rows = []
    if kind != "storage":
        for vmid in facts.get("vms", []):
            guest = call.node.content["guests"].get(str(vmid))
            if guest and (not kind or guest["type"] == kind):
                row = resources.guest_row(call.node, str(vmid), guest)
                for key in ("pool", "tags", "lock"):
                    row.pop(key, None)
                rows.append(row)
    if kind in {"", "storage"}:
        rows += [
            resources.storage_row(call.node, storage) for storage in facts.get("storage", []) if storage in call.node.content["storage"]
        ]
    found: dict[str, Any] = {"members": rows}
    if facts.get("comment"):
        found["comment"] = facts["comment"]
    return found


def _pool(call: calls.Call, name: str, prefix: str = "") -> dict[str, Any]:
    facts = call.node.content["pools"].get(name)
    if facts is None:
        answers.die(f"{prefix}pool '{name}' does not exist")
    known: dict[str, Any] = facts
    return known


@calls.on("GET", "/pools/{poolid}")
def one(call: calls.Call) -> dict[str, Any]:
    """The old way to see one; nested pools cannot be named in a path."""
    return {"poolid": call.text("poolid")} | _with_members(call, call.text("poolid"), call.text("type"))


@calls.on("POST", "/pools")
def create(call: calls.Call) -> None:
    """The parent has to exist; a bad first letter is 500 (section 0)."""
    name, prefix = call.text("poolid"), "create pool failed: "
    with call.node.locks.cluster("file-user_cfg", prefix), call.node.state.change() as content:
        if name in content["pools"]:
            answers.die(f"{prefix}pool '{name}' already exists")
        if not re.match("[A-Za-z]", name):
            answers.die(f"{prefix}pool name must start with a letter")
        parent = name.rpartition("/")[0]
        if parent and parent not in content["pools"]:
            answers.die(f"{prefix}parent '{parent}' of pool '{name}' does not exist")
        content["pools"][name] = {"comment": call.text("comment"), "vms": [], "storage": []}


@calls.on("PUT", "/pools")
@calls.on("PUT", "/pools/{poolid}")
def update(call: calls.Call) -> None:
    """Comment and members; `allow-move` takes a guest out of its other pool."""
    name, prefix = call.text("poolid"), "update pools failed: "
    with call.node.locks.cluster("file-user_cfg", prefix), call.node.state.change() as content:
        facts = _pool(call, name, prefix)
        if "comment" in call.params:
            facts["comment"] = call.text("comment")
        for text in formats.split_list(call.text("vms")):
            _member(call, content, facts, int(text), prefix)
        for storage in formats.split_list(call.text("storage")):
            _storage(call, facts, storage, prefix)


def _member(call: calls.Call, content: dict[str, Any], facts: dict[str, Any], vmid: int, prefix: str) -> None:
    call.need(f"/vms/{vmid}", "VM.Allocate")
    if call.flag("delete"):
        if vmid not in facts["vms"]:
            answers.die(f"{prefix}VM {vmid} is not a pool member")
        facts["vms"].remove(vmid)
        return
    if vmid in facts["vms"]:
        answers.die(f"{prefix}VM {vmid} is already a pool member")
    other = register.pool_of(call.node, vmid)
    if other:
        if not call.flag("allow-move"):
            answers.die(f"{prefix}VM {vmid} belongs already to pool '{other}' and 'allow-move' is not set")
        call.need(f"/pool/{other}", "Pool.Allocate")
        content["pools"][other]["vms"].remove(vmid)
    facts["vms"] = sorted([*facts["vms"], vmid])


def _storage(call: calls.Call, facts: dict[str, Any], storage: str, prefix: str) -> None:
    call.need(f"/storage/{storage}", "Datastore.Allocate")
    if call.flag("delete"):
        if storage not in facts["storage"]:
            answers.die(f"{prefix}Storage '{storage}' is not a pool member")
        facts["storage"].remove(storage)
        return
    if storage in facts["storage"]:
        answers.die(f"{prefix}Storage '{storage}' is already a pool member")
    facts["storage"].append(storage)


@calls.on("DELETE", "/pools")
@calls.on("DELETE", "/pools/{poolid}")
def delete(call: calls.Call) -> None:
    """Only when nothing is in it."""
    name, prefix = call.text("poolid"), "delete pool failed: "
    with call.node.locks.cluster("file-user_cfg", prefix), call.node.state.change() as content:
        facts = _pool(call, name, prefix)
        child = next((other for other in sorted(content["pools"]) if other.startswith(name + "/")), None)
        if child:
            answers.die(f"{prefix}pool '{name}' is not empty (contains pool '{child}')")
        present = [vmid for vmid in facts["vms"] if str(vmid) in content["guests"]]
        if present:
            answers.die(f"{prefix}pool '{name}' is not empty (contains VM {present[0]})")
        if facts["storage"]:
            answers.die(f"{prefix}pool '{name}' is not empty (contains storage '{facts['storage'][0]}')")
        del content["pools"][name]
        # ACL lines on the pool stay: Proxmox leaves them too (`client-sequence.md` 3).
