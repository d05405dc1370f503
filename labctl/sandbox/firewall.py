"""Firewall configuration of the datacenter, the node and the guests: stored and checked (`proxmox-truth.md` 2.1, 0).

Of it guests' cards are filtered, where guests are real (`enforcing`); what stands for the node itself and its VNets is stored only.
"""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import json
import re
from typing import Any

from labctl.sandbox import answers, calls, firewall_files, formats

Rule = dict[str, Any]
FIELDS = ("type", "action", "macro", "enable", "source", "dest", "proto", "dport", "sport", "iface", "log", "comment", "icmp-type")
ACTIONS = {"ACCEPT", "DROP", "REJECT"}
MACROS = {
    name.lower(): name
    for name in [
        "Amanda",
        "Auth",
        "BGP",
        "BitTorrent",
        "BitTorrent32",
        "CVS",
        "Ceph",
        "Citrix",
        "DAAP",
        "DCC",
        "DHCPfwd",
        "DHCPv6",
        "DNS",
        "Distcc",
        "FTP",
        "Finger",
        "GNUnet",
        "GRE",
        "Git",
        "HKP",
        "HTTP",
        "HTTP/3",
        "HTTPS",
        "ICPV2",
        "ICQ",
        "IMAP",
        "IMAPS",
        "IPIP",
        "IPsec",
        "IPsecah",
        "IPsecnat",
        "IRC",
        "Jetdirect",
        "L2TP",
        "LDAP",
        "LDAPS",
        "MDNS",
        "MSNP",
        "MSSQL",
        "Mail",
        "Munin",
        "MySQL",
        "NNTP",
        "NNTPS",
        "NTP",
        "NeighborDiscovery",
        "OSPF",
        "OpenVPN",
        "PBS",
        "PCA",
        "PMG",
        "POP3",
        "POP3S",
        "PPtP",
        "Ping",
        "PostgreSQL",
        "Printer",
        "RDP",
        "RIP",
        "RNDC",
        "Razor",
        "Rdate",
        "Rsync",
        "SANE",
        "SMB",
        "SMBswat",
        "SMTP",
        "SMTPS",
        "SNMP",
        "SPAMD",
        "SSH",
        "SVN",
        "SixXS",
        "Squid",
        "Submission",
        "Syslog",
        "TFTP",
        "Telnet",
        "Telnets",
        "Time",
        "Trcrt",
        "VNC",
        "VNCL",
        "WHOIS",
        "Web",
        "Webcache",
        "Webmin",
    ]
}


def place(call: calls.Call) -> str:
    """Whose firewall a call is about: "cluster", "host", or a VMID."""
    if call.method.template.startswith("/cluster/"):
        return "cluster"
    return call.text("vmid") or "host"


def environment(call: calls.Call) -> str:
    """What Proxmox calls the rules' environment."""
    if "/groups" in call.method.template:
        return "group"
    kind = place(call)
    return kind if kind in {"cluster", "host"} else "vm" if "/qemu/" in call.method.template else "ct"


def read(call: calls.Call, where: str | None = None) -> firewall_files.Rules:
    """A copy of what is stored; an empty firewall when nothing is."""
    known = call.node.content["firewall"].get(where or place(call))
    return copy.deepcopy(known) if known else firewall_files.empty()


def digest(thing: Any) -> str:
    """SHA-1 of a part."""
    return hashlib.sha1(json.dumps(thing, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def check_digest(call: calls.Call, thing: Any) -> None:
    """500 when the caller has seen something else."""
    if call.text("digest") and call.text("digest") != digest(thing):
        answers.die("detected modified configuration - file changed by other user? Try again.")


def write(call: calls.Call, changed: firewall_files.Rules) -> None:
    """Store it, under the firewall's cluster lock."""
    where = place(call)
    with call.node.locks.cluster("firewall-cluster" if where == "cluster" else f"firewall-{where}"), call.node.state.change() as content:
        content["firewall"][where] = changed


def given(call: calls.Call) -> Rule:
    """The rule's fields among the parameters; empty ones count as not given."""
    found: Rule = {}
    for name in FIELDS:
        value = call.params.get(name)
        if value is None or value == "":
            continue
        found[name] = int(str(value)) if name == "enable" else str(value).replace("\n", " ") if name == "comment" else str(value)
    if "macro" in found:
        found["macro"] = MACROS.get(found["macro"].lower(), found["macro"])
    return found


def shown(call: calls.Call, rule: Rule, position: int, own: str) -> Rule:
    """A rule as lists show it."""
    row: Rule = {name: rule[name] for name in FIELDS if name in rule}
    version = _version(call, rule)
    return row | {"pos": position, "digest": own} | ({"ipversion": version} if version else {})


def _version(call: calls.Call, rule: Rule) -> int | None:
    for name in ("source", "dest"):
        first = formats.split_list(str(rule.get(name, "")).partition("-")[0])[:1] if name in rule else []
        text = first[0] if first else ""
        if re.match(r"[A-Za-z]", text) and ":" not in text:
            alias = _alias(call, str(rule[name]))
            text = alias["cidr"] if alias else ""
        try:
            return ipaddress.ip_network(text.lstrip("!"), strict=False).version
        except ValueError:
            continue
    return {"icmp": 4, "icmpv6": 6, "ipv6-icmp": 6}.get(str(rule.get("proto", "")))


def _alias(call: calls.Call, text: str) -> dict[str, Any] | None:
    scope, _, name = text.rpartition("/")
    for where in {"dc": ["cluster"], "guest": [place(call)], "": [place(call), "cluster"]}.get(scope, []):
        known = read(call, where)["aliases"]
        found = next((facts for other, facts in known.items() if other.lower() == name.lower()), None)
        if found and not (scope == "guest" and where == "cluster"):
            alias: dict[str, Any] = found
            return alias
    return None


def _has_set(call: calls.Call, text: str) -> bool:
    scope, _, name = text.removeprefix("+").rpartition("/")
    places = {"dc": ["cluster"], "guest": [place(call)], "": [place(call), "cluster"]}.get(scope, [])
    return any(name in read(call, where)["ipsets"] for where in places if not (scope == "guest" and where == "cluster"))


def check(call: calls.Call, rule: Rule) -> None:
    """400 with one text per field."""
    errors: dict[str, str] = {}
    where = environment(call)
    kind, action = rule.get("type"), str(rule.get("action", ""))
    if kind == "forward" and where in {"vm", "ct"}:
        errors["type"] = f"invalid rule type 'forward' for rule_env '{where}'"
    if kind != "group" and action not in ACTIONS:
        errors["action"] = f"unknown action '{action}'"
    if "iface" in rule:
        if where == "group":
            errors["type"] = "parameter -i not allowed for this rule type"
        elif where in {"vm", "ct"} and not re.fullmatch(r"net\d+", rule["iface"]):
            errors["iface"] = "value does not match the regex pattern 'net\\d+'"
    if "macro" in rule and rule["macro"].lower() not in MACROS:
        errors["macro"] = f"unknown macro '{rule['macro']}'"
    _check_protocol(rule, errors)
    for name in ("source", "dest"):
        _check_address(call, name, str(rule.get(name, "")), errors)
    if errors:
        answers.bad_params(errors)


def _check_protocol(rule: Rule, errors: dict[str, str]) -> None:
    for name in ("dport", "sport"):
        if rule.get(name, "0") != "0" and "proto" not in rule:
            errors["proto"] = f"missing property - '{name}' requires this property"
    if "icmp-type" in rule and rule.get("proto") not in {"icmp", "icmpv6", "ipv6-icmp"}:
        errors["proto"] = "missing property - 'icmp-type' requires this property"


def _check_address(call: calls.Call, name: str, text: str, errors: dict[str, str]) -> None:
    if text.startswith("+"):
        if not _has_set(call, text):
            errors[name] = f"no such ipset '{text.removeprefix('+').rpartition('/')[2]}'"
    elif re.fullmatch(r"(?:dc/|guest/)?[A-Za-z][A-Za-z0-9\-_]+", text) and not _alias(call, text):
        errors[name] = f"no such alias '{text}'"
