"""IP sets and aliases of firewalls (`proxmox-truth.md` 2.1). See `firewall`."""

from __future__ import annotations

import ipaddress
from typing import Any

from labctl.sandbox import answers, calls, firewall
from labctl.sandbox.endpoints.firewall_rules import PLACES, everywhere

WITH_SETS = tuple(place for place in PLACES if place != "/nodes/{node}/firewall")


def _comment(call: calls.Call) -> dict[str, str]:
    text = call.text("comment").replace("\n", " ")
    return {"comment": text} if text else {}


@everywhere("GET", "/ipset", WITH_SETS)
def sets(call: calls.Call) -> list[dict[str, Any]]:
    """Names."""
    known = firewall.read(call)["ipsets"]
    own = firewall.digest(known)
    return [
        {"name": name, "digest": own} | ({"comment": facts["comment"]} if facts.get("comment") else {})
        for name, facts in sorted(known.items())
    ]


@everywhere("POST", "/ipset", WITH_SETS)
def add_set(call: calls.Call) -> None:
    """A new one, or `rename` an old one."""
    changed = firewall.read(call)
    known, name, old = changed["ipsets"], call.text("name"), call.params.get("rename")
    if old is not None:
        firewall.check_digest(call, known)
        if old not in known:
            answers.bad(name=f"IPSet '{old}' does not exist")
        if name in known and name != old:
            answers.bad(name=f"IPSet '{name}' already exists")
        known[name] = known.pop(old)
    elif name in known:
        answers.bad(name=f"IPSet '{name}' already exists")
    else:
        known[name] = {"comment": "", "members": []}
    known[name] |= _comment(call)
    firewall.write(call, changed)


def _members(call: calls.Call, whole: dict[str, Any]) -> list[dict[str, Any]]:
    known = whole["ipsets"].get(call.text("name"))
    if known is None:
        answers.die(f"no such IPSet '{call.text('name')}'")
    members: list[dict[str, Any]] = known["members"]
    return members


@everywhere("DELETE", "/ipset/{name}", WITH_SETS)
def delete_set(call: calls.Call) -> None:
    """Only an empty one, unless `force`."""
    changed = firewall.read(call)
    if _members(call, changed) and not call.flag("force"):
        answers.die(f"IPSet '{call.text('name')}' is not empty")
    del changed["ipsets"][call.text("name")]
    firewall.write(call, changed)


@everywhere("GET", "/ipset/{name}", WITH_SETS)
def members(call: calls.Call) -> list[dict[str, Any]]:
    """Its addresses and networks."""
    known = _members(call, firewall.read(call))
    own = firewall.digest(known)
    return [one | {"digest": own} for one in known]


@everywhere("POST", "/ipset/{name}", WITH_SETS)
def add_member(call: calls.Call) -> None:
    """Twice is refused."""
    changed = firewall.read(call)
    known, cidr = _members(call, changed), call.text("cidr")
    if any(member["cidr"] == cidr for member in known):
        answers.bad(cidr=f"address '{cidr}' already exists")
    known.append({"cidr": cidr} | ({"nomatch": 1} if call.flag("nomatch") else {}) | _comment(call))
    firewall.write(call, changed)


def _member(call: calls.Call, known: list[dict[str, Any]]) -> dict[str, Any]:
    found = next((member for member in known if member["cidr"] == call.text("cidr")), None)
    if found is None:
        answers.bad(cidr="no such IP/Network")
    return found


@everywhere("GET", "/ipset/{name}/{cidr}", WITH_SETS)
def member(call: calls.Call) -> dict[str, Any]:
    """One of them."""
    known = _members(call, firewall.read(call))
    return _member(call, known) | {"digest": firewall.digest(known)}


@everywhere("PUT", "/ipset/{name}/{cidr}", WITH_SETS)
def change_member(call: calls.Call) -> None:
    """`nomatch` and comment."""
    changed = firewall.read(call)
    known = _members(call, changed)
    firewall.check_digest(call, known)
    found = _member(call, known)
    found.pop("nomatch", None)
    found |= ({"nomatch": 1} if call.flag("nomatch") else {}) | _comment(call)
    firewall.write(call, changed)


@everywhere("DELETE", "/ipset/{name}/{cidr}", WITH_SETS)
def delete_member(call: calls.Call) -> None:
    """One that is not there is no error, as with aliases."""
    changed = firewall.read(call)
    known = _members(call, changed)
    firewall.check_digest(call, known)
    known[:] = [one for one in known if one["cidr"] != call.text("cidr")]
    firewall.write(call, changed)


def _alias_row(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ipversion": ipaddress.ip_network(facts["cidr"], strict=False).version} | facts


@everywhere("GET", "/aliases", WITH_SETS)
def aliases(call: calls.Call) -> list[dict[str, Any]]:
    """Names of addresses."""
    known = firewall.read(call)["aliases"]
    own = firewall.digest(known)
    return [_alias_row(name, facts) | {"digest": own} for name, facts in sorted(known.items())]


@everywhere("GET", "/aliases/{name}", WITH_SETS)
def alias(call: calls.Call) -> dict[str, Any]:
    """One of them."""
    name = call.text("name")
    facts = firewall.read(call)["aliases"].get(name)
    if facts is None:
        answers.bad(name=f"no such alias '{name}'")
    return _alias_row(name, facts)


@everywhere("POST", "/aliases", WITH_SETS)
def add_alias(call: calls.Call) -> None:
    """Twice is refused."""
    changed = firewall.read(call)
    name = call.text("name")
    if name in changed["aliases"]:
        answers.bad(name=f"alias '{name}' already exists")
    changed["aliases"][name] = {"cidr": call.text("cidr")} | _comment(call)
    firewall.write(call, changed)


@everywhere("PUT", "/aliases/{name}", WITH_SETS)
def change_alias(call: calls.Call) -> None:
    """Another address, comment or name."""
    changed = firewall.read(call)
    known, name = changed["aliases"], call.text("name")
    firewall.check_digest(call, known)
    if name not in known:
        answers.bad(name=f"no such alias '{name}'")
    del known[name]
    known[call.text("rename", name)] = {"cidr": call.text("cidr")} | _comment(call)
    firewall.write(call, changed)


@everywhere("DELETE", "/aliases/{name}", WITH_SETS)
def delete_alias(call: calls.Call) -> None:
    """One that is not there is no error."""
    changed = firewall.read(call)
    firewall.check_digest(call, changed["aliases"])
    changed["aliases"].pop(call.text("name"), None)
    firewall.write(call, changed)
