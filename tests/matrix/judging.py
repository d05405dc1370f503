"""What is right: the world after trouble is the world that was there without any, and after a removal it is as it was before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from labctl.sandbox import node as node_

VARIES = {"smbios1", "vmgenid", "snaptime", "digest", "ctime", "meta", "starttime", "endtime"}
"""Drawn anew in each clone, or moments."""
THINGS = ("guests", "volumes", "pools", "acl", "sdn", "firewall", "storage", "ha")


def world(node: node_.Node) -> dict[str, Any]:
    """Everything that is there outside, as one line a thing."""
    with node.state.reading() as content:
        found = {f"{kind} {name}": _plain(thing) for kind in THINGS for name, thing in content.get(kind, {}).items()}
    found |= {f"running {vmid}": True for vmid in node.runtime.running()}
    found |= {f"bridge {name}": True for name in node.runtime.bridges()}
    return found | {f"clone {vmid}": base for vmid, base in node.runtime.bases().items()}


def _plain(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {_round(key): _plain(value) for key, value in sorted(thing.items()) if key not in VARIES}
    return [_plain(one) for one in thing] if isinstance(thing, list) else _round(thing)


def _round(text: Any) -> Any:
    """Which round of resets left a snapshot is not what counts."""
    return re.sub(r"before-reset-\d+", "before-reset", text) if isinstance(text, str) else text


def files(home: Path) -> list[str]:
    """What labctl itself keeps on disk of environments."""
    state = home / "state"
    found = [str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()]
    lasting = re.compile(r"(^|/)(turns|gates|backups|history)/|\.(bak|attrs)$")
    return sorted(name for name in found if re.search(r"e\d{9}", name) and not lasting.search(name))


def different(wanted: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """One line for each thing that should be there and is not, should not be there and is, or is not as it should be."""
    lines = [f"lost: {name}" for name in wanted if name not in got]
    lines += [f"left: {name} {got[name]}" for name in got if name not in wanted]
    for name in wanted.keys() & got.keys():
        if wanted[name] != got[name]:
            lines.append(f"changed: {name}: {_where(wanted[name], got[name])}")
    return sorted(lines)


def _where(wanted: Any, got: Any) -> str:
    if isinstance(wanted, dict) and isinstance(got, dict):
        keys = [key for key in sorted({*wanted, *got}) if wanted.get(key) != got.get(key)]
        return "; ".join(f"{key}: {wanted.get(key)!r} became {got.get(key)!r}" for key in keys)
    return f"{wanted!r} became {got!r}"


def without_kept(found: dict[str, Any]) -> dict[str, Any]:
    """As if nothing had been kept before a reset: where a person asked again, another round kept it or none."""
    out = {}
    for name, thing in found.items():
        if name.startswith("guests ") and isinstance(thing, dict):
            snapshots = {key: value for key, value in thing.get("snapshots", {}).items() if key != "before-reset"}
            config = {key: value for key, value in thing.get("config", {}).items() if key != "parent"}
            out[name] = thing | {"snapshots": snapshots, "config": config}
        else:
            out[name] = thing
    return out


def facts_differ(wanted: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """What labctl believes, against what it should believe."""
    return [f"believed: {key} is {got[key]!r}, not {wanted[key]!r}" for key in wanted if wanted[key] != got[key]]
