"""Bringing a node into a described situation: users, guests, volumes, pools, SDN and firewall files, held locks.

The description is the recorded vectors' `given` (merged already); its fields are explained beside them. Used by the replay of
vectors and by tests, never by a serving node.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from labctl.sandbox import firewall_files, formats, privileges, property_strings, sessions, state
from labctl.sandbox import node as node_
from labctl.sandbox.guests import paper

Given = dict[str, Any]
TOKEN_SECRET = "00000000-0000-4000-8000-000000000000"  # noqa: S105 - recorded tokens have no secret: any will do


def merge(into: Given, more: Given) -> Given:
    """Deep: null deletes, lists replace."""
    out = dict(into)
    for key, value in more.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out


def load(node: node_.Node, given: Given) -> None:
    """Everything at once; what was there before is gone."""
    given = copy.deepcopy(given)
    runtime = node.runtime
    assert isinstance(runtime, paper.PaperRuntime)
    node.state.replace(content(given, node.name))
    node.locks.held_elsewhere = set()
    node.locks.quorate = bool(given.get("quorate", True))
    node.others = set(given.get("nodes", [])) - {node.name}
    node.offline = set(node.others)
    running = {
        int(vmid)
        for vmid, guest in given.get("guests", {}).items()
        if guest.get("status") == "running" and guest.get("node", node.name) == node.name
    }
    disks = {int(vmid): list(guest.get("snapshots", {})) for vmid, guest in given.get("guests", {}).items()}
    runtime.assume(disks=disks, running=running, bridges=set(given.get("bridges", [])))


def content(given: Given, node: str) -> state.Content:
    """The same as the node's own state."""
    out: state.Content = {kind: {} for kind in state.KINDS}
    out["roles"] = {name: sorted(known) for name, known in privileges.BUILTIN_ROLES.items()} | given.get("roles", {})
    out["users"] = {name: _user(facts) for name, facts in given.get("users", {}).items()}
    secret = sessions.hash_token(TOKEN_SECRET)
    out["tokens"] = {name: {**facts, "secret": secret} for name, facts in given.get("tokens", {}).items()}
    out["groups"] = {name: {"users": members, "comment": ""} for name, members in given.get("groups", {}).items()}
    for entry in given.get("acl", []):
        key = f"{entry['path']} {entry['ugid']} {entry['role']}"
        out["acl"][key] = {"propagate": 1, **entry}
    out["pools"] = {name: dict(facts) for name, facts in given.get("pools", {}).items()}
    out["storage"] = {name: dict(facts) for name, facts in given.get("storage", {}).items()}
    out["volumes"] = {
        volid: {"size": formats.parse_size(size) or 0, "ctime": 0, "format": _format(volid), "system": 1}
        for volid, size in given.get("volumes", {}).items()
    }
    out["guests"] = {vmid: _guest(guest, node) for vmid, guest in given.get("guests", {}).items()}
    out["sdn"] = _sdn(given.get("sdn", {}))
    out["firewall"] = {name: firewall_files.read(text) for name, text in given.get("firewall", {}).items()}
    datacenter = given.get("datacenter", {})
    out["meta"] = {"datacenter": datacenter, "vnet-bridges": []}
    if "next-id" in datacenter:
        out["meta"]["next-id"] = property_strings.parse({"lower": {}, "upper": {}}, datacenter["next-id"], "next-id", checked=False)
    return out


def _user(facts: Given) -> Given:
    kept = {key: value for key, value in facts.items() if key != "password"}
    return kept | ({"password": sessions.hash_password(facts["password"], cost=2)} if "password" in facts else {})


def _format(volid: str) -> str:
    found = re.search(r"\.(qcow2|raw|vmdk|iso|subvol)\Z", volid)
    return found[1] if found else "raw"


def _guest(guest: Given, node: str) -> Given:
    snapshots = {name: dict(facts) for name, facts in guest.get("snapshots", {}).items()}
    known = {
        "type": guest["type"],
        "config": _stored(guest["type"], guest["config"]),
        "pending": _stored(guest["type"], guest.get("pending", {})),
        "delete": _keys(guest.get("pending_delete", [])),
        "snapshots": {name: _stored(guest["type"], facts) for name, facts in snapshots.items()},
    }
    return known | ({"node": guest["node"]} if guest.get("node", node) != node else {})


def _keys(known: Any) -> list[str]:
    return formats.split_list(known) if isinstance(known, str) else list(known)


def _stored(kind: str, config: Given) -> Given:
    """Values as the node stores them: a VM's `memory` is text."""
    return {key: str(value) if kind == "qemu" and key == "memory" else value for key, value in config.items()}


def _sdn(files: dict[str, str]) -> Given:
    out: Given = {}
    for kind in ("zones", "vnets", "subnets"):
        for ident, section, facts in _sections(files.get(f"{kind}.cfg", "")):
            out[f"{kind}/{ident}"] = {"type": section} | facts
    for name, thing in out.items():
        if name.startswith("subnets/"):
            thing["zone"] = out.get(f"vnets/{thing.get('vnet')}", {}).get("zone", name.removeprefix("subnets/").partition("-")[0])
    live = files.get(".running-config")
    if live:
        known = json.loads(live)
        out["running"] = {kind: dict(known.get(kind, {}).get("ids", {})) for kind in ("zones", "vnets", "subnets")}
        for name, thing in out["running"]["subnets"].items():
            thing["zone"] = out["running"]["vnets"].get(thing.get("vnet"), {}).get("zone", name.partition("-")[0])
    ipam = files.get("pve-ipam-state.json")
    if ipam:
        out["ipam"] = json.loads(ipam)
    lock = files.get(".lock")
    if lock:
        out["lock"] = {"token": lock.strip()}
    return out


def _sections(text: str) -> list[tuple[str, str, Given]]:
    found: list[tuple[str, str, Given]] = []
    for line in text.splitlines():
        head = re.fullmatch(r"(\w+): (\S+)", line)
        if head:
            found.append((head[2], head[1], {}))
        elif line.strip() and found:
            key, _, value = line.strip().partition(" ")
            numeric = key in {"tag", "mtu", "vlanaware", "isolate-ports", "snat", "vxlan-port"} and value.isdigit()
            found[-1][2][key] = int(value) if numeric else value
    return found
