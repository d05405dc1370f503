"""`/access/acl`: who has which role where."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import access_control, answers, calls, formats

KINDS = {"users": "user", "groups": "group", "tokens": "token"}


@calls.on("GET", "/access/acl")
def listed(call: calls.Call) -> list[dict[str, Any]]:
    """Those on paths the caller may look at."""
    audit = call.may("/access", "Sys.Audit")
    rows = []
    for entry in call.node.content["acl"].values():
        if audit or _may_grant(call, entry["path"]):
            ugid = entry["ugid"]
            kind = "group" if ugid.startswith("@") else "token" if "!" in ugid else "user"
            rows.append(
                {
                    "path": entry["path"],
                    "type": kind,
                    "ugid": ugid.removeprefix("@"),
                    "roleid": entry["role"],
                    "propagate": int(entry["propagate"]),
                }
            )
    return sorted(rows, key=lambda row: (row["path"], row["ugid"], row["roleid"]))


def _may_grant(call: calls.Call, path: str) -> bool:
    try:
        call.node.access.need_to_grant(call.who, path)
    except answers.Refused:
        return False
    return True


@calls.on("PUT", "/access/acl")
def update(call: calls.Call) -> None:
    """Adds or deletes lines; with only an Allocate privilege no role wider than one's own (`client-sequence.md` 3)."""
    if not any(name in call.params for name in KINDS):
        answers.bad_params(dict.fromkeys(KINDS, "either 'users', 'groups' or 'tokens' is required."))
    path = access_control.normalise(call.text("path"))
    if path is None:
        answers.bad(path=f"invalid ACL path '{call.text('path')}'")
    prefix = "ACL update failed: "
    with call.node.locks.cluster("file-user_cfg", prefix), call.node.state.change() as content:
        propagate = call.flag("propagate", default=True)
        for role in formats.split_list(call.text("roles")):
            if role not in content["roles"]:
                answers.die(f"{prefix}role '{role}' does not exist")
            _assert_own(call, path, role, prefix)
            for ugid in _named(call, content, prefix):
                if ugid == access_control.ROOT:
                    continue  # has everything anyway; Proxmox keeps no line
                key = f"{path} {ugid} {role}"
                if call.flag("delete"):
                    content["acl"].pop(key, None)
                else:
                    content["acl"][key] = {"path": path, "ugid": ugid, "role": role, "propagate": int(propagate)}


def _assert_own(call: calls.Call, path: str, role: str, prefix: str) -> None:
    if call.may(path, "Permissions.Modify"):
        return
    for name in call.node.content["roles"][role]:
        if not call.may(path, name):
            answers.die(f"{prefix}Cannot modify role '{role}' - requires 'Permissions.Modify' or superset of privileges.")


def _named(call: calls.Call, content: dict[str, Any], prefix: str) -> list[str]:
    found = []
    for name in formats.split_list(call.text("groups")):
        if name not in content["groups"]:
            answers.die(f"{prefix}group '{name}' does not exist")
        found.append(f"@{name}")
    for name in formats.split_list(call.text("users")):
        if name not in content["users"]:
            answers.die(f"{prefix}user '{name}' does not exist")
        found.append(name)
    for name in formats.split_list(call.text("tokens")):
        if name not in content["tokens"]:
            user, _, token = name.partition("!")
            answers.die(f"{prefix}no such token '{token}' for user '{user}'")
        found.append(name)
    return found
