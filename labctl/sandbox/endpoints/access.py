"""`/access`: tickets and permissions; users, roles and tokens are in `access_users`, ACLs in `access_acl`."""

from __future__ import annotations

from typing import Any

from labctl.sandbox import access_control, answers, calls, formats

_SHOWN = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms", "/mapping")


@calls.on("POST", "/access/ticket")
def login(call: calls.Call) -> dict[str, Any]:
    """A ticket for a password; no TFA here."""
    user = call.text("username")
    if "@" not in user and "realm" in call.params:
        user = f"{user}@{call.text('realm')}"
    if not call.node.sessions.login(user, call.text("password")):
        raise answers.Refused(401, "authentication failure\n")
    if "path" in call.params:
        if not call.node.access.may(user, call.text("path"), formats.split_list(call.text("privs"))):
            raise answers.Refused(401, "authentication failure\n")
        return {"username": user}
    return {
        "username": user,
        "ticket": call.node.sessions.ticket(user),
        "CSRFPreventionToken": call.node.sessions.csrf(user),
        "cap": _capabilities(call, user),
    }


def _capabilities(call: calls.Call, user: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    places = {"vms": "/vms", "storage": "/storage", "access": "/access", "nodes": "/nodes", "dc": "/", "sdn": "/sdn", "mapping": "/mapping"}
    for word, path in places.items():
        found[word] = dict.fromkeys(call.node.access.privileges(user, path), 1)
    return found


@calls.on("GET", "/access/ticket")
def ticket_dummy(call: calls.Call) -> None:
    """Proxmox has it for forms; null."""
    _ = call


@calls.on("GET", "/access/permissions")
def permissions(call: calls.Call) -> dict[str, dict[str, int]]:
    """The caller's own, or (with Sys.Audit on /access) somebody else's."""
    who = call.text("userid", call.who)
    if who != call.who and access_control.owner(who) != call.who:
        call.need("/access", "Sys.Audit")
    if "path" in call.params:
        path = access_control.normalise(call.text("path"))
        if path is None:
            answers.bad(path=f"invalid ACL path '{call.text('path')}'")
        return {call.text("path"): _at(call, who, path).get(path, {})}
    content = call.node.content
    paths = {*_SHOWN, *(entry["path"] for entry in content["acl"].values())}
    paths |= {f"/pool/{name}" for name in content["pools"]} | {f"/storage/{name}" for name in content["storage"]}
    for facts in content["pools"].values():
        paths |= {f"/vms/{vmid}" for vmid in facts.get("vms", [])}
    found: dict[str, dict[str, int]] = {}
    for path in sorted(paths):
        found |= _at(call, who, path)
    return found


def _at(call: calls.Call, who: str, path: str) -> dict[str, dict[str, int]]:
    held = call.node.access.privileges(who, path) if call.node.access.is_enabled(access_control.owner(who)) else {}
    return {path: {name: int(propagate) for name, propagate in sorted(held.items())}} if held else {}
