"""`/access/users`, their tokens, and roles (`proxmox-truth.md` 3.3 of access; texts from recorded answers)."""

from __future__ import annotations

import uuid
from typing import Any

from labctl.sandbox import answers, calls, formats, privileges, sessions

_TEXTS = ("comment", "email", "firstname", "lastname", "keys")


def _shown(facts: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"enable": int(facts.get("enable", 1)), "expire": int(facts.get("expire", 0))}
    return row | {key: facts[key] for key in _TEXTS if facts.get(key)}


def _groups(call: calls.Call, user: str) -> list[str]:
    return sorted(name for name, facts in call.node.content["groups"].items() if user in facts.get("users", []))


def _tokens(call: calls.Call, user: str) -> dict[str, dict[str, Any]]:
    return {name.partition("!")[2]: facts for name, facts in call.node.content["tokens"].items() if name.partition("!")[0] == user}


def _token_row(facts: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"expire": int(facts.get("expire", 0)), "privsep": int(facts.get("privsep", 1))}
    return row | ({"comment": facts["comment"]} if facts.get("comment") else {})


def _find(call: calls.Call, prefix: str = "") -> dict[str, Any]:
    user = call.text("userid")
    facts = call.node.content["users"].get(user)
    if facts is None:
        answers.die(f"{prefix}no such user ('{user}')")
    found: dict[str, Any] = facts
    return found


@calls.on("GET", "/access/users")
def listed(call: calls.Call) -> list[dict[str, Any]]:
    """All, with User.Modify or Sys.Audit on /access/groups; else oneself and the members of groups one has that on."""
    everybody = call.may("/access/groups", "User.Modify", "Sys.Audit", any_of=True)
    rows = []
    for user, facts in sorted(call.node.content["users"].items()):
        mine = any(call.may(f"/access/groups/{name}", "User.Modify", "Sys.Audit", any_of=True) for name in _groups(call, user))
        if not (everybody or user == call.user or mine) or (
            "enabled" in call.params and call.flag("enabled") != bool(facts.get("enable", 1))
        ):
            continue
        row = {"userid": user, "realm-type": user.rpartition("@")[2]} | _shown(facts)
        if call.flag("full"):
            tokens = [{"tokenid": name} | _token_row(token) for name, token in sorted(_tokens(call, user).items())]
            row |= {"groups": ",".join(_groups(call, user)), "tokens": tokens or None}
        rows.append(row)
    return rows


@calls.on("GET", "/access/users/{userid}")
def one(call: calls.Call) -> dict[str, Any]:
    """With groups and tokens."""
    facts = _find(call)
    row = _shown(facts) | {"tokens": {name: _token_row(token) for name, token in _tokens(call, call.text("userid")).items()}}
    return row | {"groups": _groups(call, call.text("userid"))}


@calls.on("POST", "/access/users")
def create(call: calls.Call) -> None:
    """A user of `pve` or `pam`."""
    prefix, user = "create user failed: ", call.text("userid")
    with call.node.locks.cluster("file-user_cfg", prefix), call.node.state.change() as content:
        if user in content["users"]:
            answers.die(f"{prefix}user '{user}' already exists")
        if user.rpartition("@")[2] not in {"pam", "pve"}:
            answers.die(f"{prefix}domain '{user.rpartition('@')[2]}' does not exist")
        content["users"][user] = {"enable": int(call.flag("enable", default=True)), "expire": call.number("expire")}
        _fill(call, content, user, prefix)
        if "password" in call.params:
            content["users"][user]["password"] = sessions.hash_password(call.text("password"))


def _fill(call: calls.Call, content: dict[str, Any], user: str, prefix: str) -> None:
    facts = content["users"][user]
    for key in _TEXTS:
        if key in call.params:
            facts[key] = call.text(key)
    if "groups" in call.params:
        wanted = formats.split_list(call.text("groups"))
        if not call.flag("append"):
            for group in content["groups"].values():
                group["users"] = [member for member in group["users"] if member != user]
        for name in wanted:
            if name not in content["groups"]:
                answers.die(f"{prefix}no such group '{name}'")
            content["groups"][name]["users"] = sorted({*content["groups"][name]["users"], user})


@calls.on("PUT", "/access/users/{userid}")
def update(call: calls.Call) -> None:
    """What is given."""
    prefix, user = "update user failed: ", call.text("userid")
    with call.node.locks.cluster("file-user_cfg", prefix), call.node.state.change() as content:
        _find(call, prefix)
        facts = content["users"][user]
        if "enable" in call.params:
            facts["enable"] = int(call.flag("enable"))
        if "expire" in call.params:
            facts["expire"] = call.number("expire")
        _fill(call, content, user, prefix)


@calls.on("DELETE", "/access/users/{userid}")
def delete(call: calls.Call) -> None:
    """With tokens, group membership and ACLs."""
    prefix, user = "delete user failed: ", call.text("userid")
    with call.node.locks.cluster("file-user_cfg", prefix), call.node.state.change() as content:
        content["users"].pop(user, None)
        for name in [name for name in content["tokens"] if name.startswith(f"{user}!")]:
            del content["tokens"][name]
        for group in content["groups"].values():
            group["users"] = [member for member in group["users"] if member != user]
        for key in [key for key, entry in content["acl"].items() if entry["ugid"].partition("!")[0] == user]:
            del content["acl"][key]


@calls.on("GET", "/access/users/{userid}/token")
def tokens(call: calls.Call) -> list[dict[str, Any]]:
    """A user's tokens; never a secret."""
    _find(call)
    return [{"tokenid": name} | _token_row(facts) for name, facts in sorted(_tokens(call, call.text("userid")).items())]


def _token(call: calls.Call) -> tuple[str, dict[str, Any]]:
    user, name = call.text("userid"), call.text("tokenid")
    _find(call)
    facts = call.node.content["tokens"].get(f"{user}!{name}")
    if facts is None:
        answers.die(f"no such token '{name}' for user '{user}'")
    return f"{user}!{name}", facts


@calls.on("GET", "/access/users/{userid}/token/{tokenid}")
def token(call: calls.Call) -> dict[str, Any]:
    """One token."""
    return _token_row(_token(call)[1])


@calls.on("POST", "/access/users/{userid}/token/{tokenid}")
def create_token(call: calls.Call) -> dict[str, Any]:
    """The secret is in this answer and nowhere else afterwards."""
    user, name = call.text("userid"), call.text("tokenid")
    full = f"{user}!{name}"
    with call.node.locks.cluster("file-user_cfg", "generate token failed: "), call.node.state.change() as content:
        _find(call)
        if full in content["tokens"]:
            answers.bad(tokenid="Token already exists.")
        secret = str(uuid.uuid4())
        facts = {"privsep": int(call.flag("privsep", default=True)), "expire": call.number("expire"), "comment": call.text("comment")}
        content["tokens"][full] = facts | {"secret": sessions.hash_token(secret)}
    return {"full-tokenid": full, "value": secret, "info": _info(call, content["tokens"][full])}


def _info(call: calls.Call, facts: dict[str, Any]) -> dict[str, Any]:
    info: dict[str, Any] = {"privsep": call.text("privsep") if "privsep" in call.params else 1}
    if "expire" in call.params:
        info["expire"] = str(facts["expire"])
    return info | ({"comment": facts["comment"]} if facts.get("comment") else {})


@calls.on("PUT", "/access/users/{userid}/token/{tokenid}")
def update_token(call: calls.Call) -> dict[str, Any]:
    """`regenerate` gives a new secret (9.1)."""
    with call.node.locks.cluster("file-user_cfg", "update token failed: "), call.node.state.change():
        full, facts = _token(call)
        if "privsep" in call.params:
            facts["privsep"] = int(call.flag("privsep"))
        if "expire" in call.params:
            facts["expire"] = call.number("expire")
        if "comment" in call.params:
            facts["comment"] = call.text("comment")
        if call.params.get("delete") == "":
            answers.die_at(
                f'updating token info failed: Can\'t use string ("{call.text("delete")}") as a HASH ref while "strict refs" in use'
            )
        for key in formats.split_list(call.text("delete")):
            facts.pop(key, None)
        answer = _token_row(facts) | {key: call.text(key) for key in ("expire", "privsep") if key in call.params}
        if call.flag("regenerate"):
            secret = str(uuid.uuid4())
            facts["secret"] = sessions.hash_token(secret)
            answer |= {"full-tokenid": full, "value": secret}
    return answer


@calls.on("DELETE", "/access/users/{userid}/token/{tokenid}")
def delete_token(call: calls.Call) -> None:
    """With its ACLs."""
    with call.node.locks.cluster("file-user_cfg", "delete token failed: "), call.node.state.change() as content:
        full, _ = _token(call)
        del content["tokens"][full]
        for key in [key for key, entry in content["acl"].items() if entry["ugid"] == full]:
            del content["acl"][key]


@calls.on("GET", "/access/roles")
def roles(call: calls.Call) -> list[dict[str, Any]]:
    """Built-in ones are marked special."""
    return [
        {"roleid": name, "privs": ",".join(sorted(known)), "special": int(name in privileges.BUILTIN_ROLES)}
        for name, known in sorted(call.node.content["roles"].items())
    ]


@calls.on("GET", "/access/roles/{roleid}")
def role(call: calls.Call) -> dict[str, int]:
    """Privilege -> 1."""
    known = call.node.content["roles"].get(call.text("roleid"))
    if known is None:
        answers.die(f"role '{call.text('roleid')}' does not exist")
    return dict.fromkeys(known, 1)


@calls.on("POST", "/access/roles")
def create_role(call: calls.Call) -> None:
    """A new role."""
    name = call.text("roleid")
    if name.startswith("PVE"):
        answers.bad(roleid="cannot use role ID starting with the (case-insensitive) 'PVE' namespace")
    with call.node.locks.cluster("file-user_cfg", "create role failed: "), call.node.state.change() as content:
        if name in content["roles"]:
            answers.die(f"create role failed: role '{name}' already exists")
        content["roles"][name] = sorted(set(formats.split_list(call.text("privs"))))


@calls.on("PUT", "/access/roles/{roleid}")
def update_role(call: calls.Call) -> None:
    """Replaces, or adds with `append`."""
    name = call.text("roleid")
    if name in privileges.BUILTIN_ROLES:
        answers.die(f"auto-generated role '{name}' cannot be modified")
    with call.node.locks.cluster("file-user_cfg", "update role failed: "), call.node.state.change() as content:
        if name not in content["roles"]:
            answers.die(f"update role failed: role '{name}' does not exist")
        old = content["roles"][name] if call.flag("append") else []
        content["roles"][name] = sorted({*old, *formats.split_list(call.text("privs"))})


@calls.on("DELETE", "/access/roles/{roleid}")
def delete_role(call: calls.Call) -> None:
    """Not a built-in one."""
    name = call.text("roleid")
    if name in privileges.BUILTIN_ROLES:
        answers.die(f"auto-generated role '{name}' cannot be deleted")
    with call.node.locks.cluster("file-user_cfg", "delete role failed: "), call.node.state.change() as content:
        if name not in content["roles"]:
            answers.die(f"delete role failed: role '{name}' does not exist")
        del content["roles"][name]
