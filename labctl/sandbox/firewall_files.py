"""A guest's or the datacenter's firewall as one JSON object, and reading Proxmox's own file of it.

`{"options": {}, "aliases": {name: {cidr, comment}}, "ipsets": {name: {"comment", "members": [{cidr, nomatch, comment}]}}, "rules":
[...], "groups": {name: {"comment", "rules"}}}`. What becomes of it: `firewall_cards`.
"""

from __future__ import annotations

import re
from typing import Any

Rules = dict[str, Any]
_FLAGS = {
    "-p": "proto", "-dport": "dport", "-sport": "sport", "-source": "source", "-dest": "dest", "-i": "iface", "-log": "log",
    "-icmp-type": "icmp-type",
}  # fmt: skip


def empty() -> Rules:
    """No firewall."""
    return {"options": {}, "aliases": {}, "ipsets": {}, "rules": [], "groups": {}}


def read(text: str) -> Rules:
    """Proxmox's file format."""
    out, section, name = empty(), "", ""
    for raw in text.splitlines():
        line = raw.strip()
        head = re.fullmatch(r"\[(\w+)(?:\s+(\S+))?\]\s*(?:#\s*(.*))?", line)
        if head:
            section, name = head[1].lower(), head[2] or ""
            if section == "ipset":
                out["ipsets"][name] = {"comment": head[3] or "", "members": []}
            elif section == "group":
                out["groups"][name] = {"comment": head[3] or "", "rules": []}
        elif line:
            _line(out, section, name, line)
    return out


def _line(out: Rules, section: str, name: str, line: str) -> None:
    body, _, comment = line.partition("#")
    body, comment = body.strip(), comment.strip()
    more = {"comment": comment} if comment else {}
    if section == "options":
        key, _, value = body.partition(":")
        out["options"][key.strip()] = int(value) if value.strip().isdigit() else value.strip()
    elif section == "aliases":
        alias, _, cidr = body.partition(" ")
        out["aliases"][alias] = {"cidr": cidr.strip()} | more
    elif section == "ipset":
        out["ipsets"][name]["members"].append({"cidr": body.lstrip("!")} | ({"nomatch": 1} if body.startswith("!") else {}) | more)
    elif section == "rules":
        out["rules"].append(rule(body) | more)
    elif section == "group":
        out["groups"][name]["rules"].append(rule(body) | more)


def rule(text: str) -> Rules:
    """One line of a rules section."""
    out: Rules = {"enable": 0 if text.startswith("|") else 1}
    words = text.lstrip("|").split()
    if words[0] == "GROUP":
        out |= {"type": "group", "action": words[1]}
    else:
        out["type"] = words[0].lower()
        macro = re.fullmatch(r"(\w+)\((\w+)\)", words[1])
        out |= {"macro": macro[1], "action": macro[2]} if macro else {"action": words[1]}
    for flag, value in zip(words[2::2], words[3::2], strict=False):
        if flag in _FLAGS:
            out[_FLAGS[flag]] = value
    return out
