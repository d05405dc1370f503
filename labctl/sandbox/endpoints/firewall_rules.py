"""Rules, security groups and options of firewalls (`proxmox-truth.md` 2.1 and section 0, 2). See `firewall`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labctl.sandbox import answers, calls, firewall, formats

PLACES = ("/cluster/firewall", "/nodes/{node}/firewall", "/nodes/{node}/qemu/{vmid}/firewall", "/nodes/{node}/lxc/{vmid}/firewall")


def everywhere(verb: str, tail: str, places: tuple[str, ...] = PLACES) -> Callable[[calls.Handler], calls.Handler]:
    """Register one handler for each place that has a firewall."""

    def register(handler: calls.Handler) -> calls.Handler:
        for place in places:
            calls.on(verb, f"{place}{tail}")(handler)
        return handler

    return register


@everywhere("GET", "/options")
def options(call: calls.Call) -> dict[str, Any]:
    """What is set."""
    known: dict[str, Any] = firewall.read(call)["options"]
    return known | {"digest": firewall.digest(known)}


@everywhere("PUT", "/options")
def set_options(call: calls.Call) -> None:
    """What is given; `delete` takes options away."""
    changed = firewall.read(call)
    firewall.check_digest(call, changed["options"])
    names = set(call.method.properties) - {"node", "vmid", "delete", "digest"}
    for name in formats.split_list(call.text("delete")):
        if name not in names:
            answers.bad(delete=f"no such option '{name}'")
        changed["options"].pop(name, None)
    for name in names & set(call.params):
        kind = call.method.properties[name].get("type")
        changed["options"][name] = int(call.text(name)) if kind in {"boolean", "integer"} else call.text(name)
    firewall.write(call, changed)


def _rules(call: calls.Call, whole: dict[str, Any]) -> list[firewall.Rule]:
    """The list a call is about: a group's, or the place's own."""
    if "group" not in call.params:
        found: list[firewall.Rule] = whole["rules"]
        return found
    group = whole["groups"].get(call.text("group"))
    if group is None:
        answers.die(f"no such security group '{call.text('group')}'")
    known: list[firewall.Rule] = group["rules"]
    return known


@everywhere("GET", "/rules")
@calls.on("GET", "/cluster/firewall/groups/{group}")
def rules(call: calls.Call) -> list[firewall.Rule]:
    """In their order."""
    known = _rules(call, firewall.read(call))
    own = firewall.digest(known)
    return [firewall.shown(call, rule, position, own) for position, rule in enumerate(known)]


@everywhere("POST", "/rules")
@calls.on("POST", "/cluster/firewall/groups/{group}")
def add_rule(call: calls.Call) -> None:
    """At the top whatever `pos` says, and disabled unless `enable=1` (section 0, 2; `client-sequence.md` 6)."""
    changed = firewall.read(call)
    known = _rules(call, changed)
    rule = {"enable": 0} | firewall.given(call)
    firewall.check(call, rule)
    known.insert(0, rule)
    firewall.write(call, changed)


def _at(call: calls.Call, known: list[firewall.Rule]) -> int:
    position = call.number("pos")
    if position >= len(known):
        answers.die(f"no rule at position {position}")
    return position


@everywhere("GET", "/rules/{pos}")
@calls.on("GET", "/cluster/firewall/groups/{group}/{pos}")
def rule(call: calls.Call) -> firewall.Rule:
    """One rule."""
    known = _rules(call, firewall.read(call))
    position = _at(call, known)
    return firewall.shown(call, known[position], position, firewall.digest(known))


@everywhere("PUT", "/rules/{pos}")
@calls.on("PUT", "/cluster/firewall/groups/{group}/{pos}")
def change_rule(call: calls.Call) -> None:
    """Move it (`moveto`), or change what is given."""
    changed = firewall.read(call)
    known = _rules(call, changed)
    firewall.check_digest(call, known)
    position = _at(call, known)
    if "moveto" in call.params:
        _move(known, position, call.number("moveto"))
    else:
        rule = dict(known[position])
        for name in formats.split_list(call.text("delete")):
            if name not in firewall.FIELDS:
                answers.bad(delete=f"no such property ('{name}')")
            rule.pop(name, None)
        for name in firewall.FIELDS:
            if call.params.get(name) == "":
                rule.pop(name, None)
        rule |= firewall.given(call)
        firewall.check(call, rule)
        known[position] = rule
    firewall.write(call, changed)


def _move(known: list[firewall.Rule], position: int, target: int) -> None:
    """To before what stands at `target` now, or to the end."""
    moved = known[position]
    marker: Any = known[target] if target < len(known) else None
    if marker is moved:
        return
    del known[position]
    known.insert(next((index for index, one in enumerate(known) if one is marker), len(known)), moved)


@everywhere("DELETE", "/rules/{pos}")
@calls.on("DELETE", "/cluster/firewall/groups/{group}/{pos}")
def delete_rule(call: calls.Call) -> None:
    """The others move up."""
    changed = firewall.read(call)
    known = _rules(call, changed)
    firewall.check_digest(call, known)
    del known[_at(call, known)]
    firewall.write(call, changed)


@calls.on("GET", "/cluster/firewall/groups")
def groups(call: calls.Call) -> list[dict[str, Any]]:
    """Security groups."""
    known = firewall.read(call)["groups"]
    own = firewall.digest(known)
    return [
        {"group": name, "digest": own} | ({"comment": facts["comment"]} if facts.get("comment") else {})
        for name, facts in sorted(known.items())
    ]


@calls.on("POST", "/cluster/firewall/groups")
def add_group(call: calls.Call) -> None:
    """A new one, or `rename` an old one."""
    changed = firewall.read(call)
    known, name, old = changed["groups"], call.text("group"), call.params.get("rename")
    if old is not None:
        firewall.check_digest(call, known)
        if old not in known:
            answers.bad(group=f"Security group '{old}' does not exist")
        if name in known and name != old:
            answers.bad(group=f"Security group '{name}' already exists")
        known[name] = known.pop(old)
    elif name in known:
        answers.bad(group=f"Security group '{name}' already exists")
    else:
        known[name] = {"comment": "", "rules": []}
    if "comment" in call.params:
        known[name]["comment"] = call.text("comment").replace("\n", " ")
    firewall.write(call, changed)


@calls.on("DELETE", "/cluster/firewall/groups/{group}")
def delete_group(call: calls.Call) -> None:
    """Only an empty one."""
    changed = firewall.read(call)
    if _rules(call, changed):
        answers.die(f"Security group '{call.text('group')}' is not empty")
    del changed["groups"][call.text("group")]
    firewall.write(call, changed)


@calls.on("GET", "/cluster/firewall/macros")
def macros(call: calls.Call) -> list[dict[str, str]]:
    """Names only: what they stand for is not built."""
    _ = call
    return [{"macro": name, "descr": name} for name in sorted(firewall.MACROS.values())]
