"""Named formats of the firewall (`pve-fw-*`, `IPorCIDRorAlias`). Texts from recorded answers."""

from __future__ import annotations

import ipaddress
import re

from labctl.sandbox import checking, formats

FormatError = checking.FormatError


def address(value: str) -> None:
    """Aliases, sets (`+name`), ranges, addresses and networks, separated by commas."""
    if re.fullmatch(r"(?:dc/|guest/)?[a-zA-Z][a-zA-Z0-9\-_]+", value, re.ASCII):
        if len(value.rpartition("/")[2]) > 64:
            raise FormatError("alias name too long\n")
        return
    if re.fullmatch(r"\+(?:dc/|guest/|sdn/)?[A-Za-z][A-Za-z0-9\-_]+", value, re.ASCII):
        if len(value.lstrip("+").rpartition("/")[2]) > 64:
            raise FormatError("ipset name too long\n")
        return
    parts = formats.split_list(value)
    for part in parts:
        _one_address(part)
    if len({":" in part for part in parts}) > 1:
        raise FormatError(f"detected mixed ipv4/ipv6 addresses in address list '{value}'\n")


def _one_address(part: str) -> None:
    low, dash, high = part.partition("-")
    try:
        if dash:
            formats.ip(low)
            formats.ip(high)
        else:
            formats.ip_or_cidr(part)
    except FormatError:
        text = _why_no_address(part)
        raise FormatError(f"invalid IP address: {text}\n") from None


def ports(value: str) -> None:
    """Up to 15 ports or ranges; names are letters."""
    parts = [part for part in value.split(",") if part]
    count = 0
    for part in parts:
        first, colon, last = part.partition(":")
        count += 2 if colon else 1
        if colon:
            if not (first.isdigit() and last.isdigit() and int(first) <= 65535 and int(last) <= 65535):
                raise FormatError(f"invalid port '{part}'\n")
            if int(first) > int(last):
                raise FormatError(f"backwards range '{part}' not allowed, did you mean '{last}:{first}'?\n")
        elif part.isdigit():
            if int(part) > 65535:
                raise FormatError(f"invalid port '{part}'\n")
        elif part not in _SERVICES:
            raise FormatError(f"invalid port '{part}'\n")
    if count > 15:
        raise FormatError("too many entries in port list (> 15 numbers)\n")


_PROTOCOLS = frozenset(
    [
        "tcp",
        "udp",
        "icmp",
        "igmp",
        "ggp",
        "ipencap",
        "st",
        "egp",
        "igp",
        "pup",
        "hmp",
        "xns-idp",
        "rdp",
        "iso-tp4",
        "dccp",
        "xtp",
        "ddp",
        "idpr-cmtp",
        "ipv6",
        "ipv6-route",
        "ipv6-frag",
        "idrp",
        "rsvp",
        "gre",
        "esp",
        "ah",
        "skip",
        "ipv6-icmp",
        "icmpv6",
        "ipv6-nonxt",
        "ipv6-opts",
        "vmtp",
        "eigrp",
        "ospf",
        "ax.25",
        "ipip",
        "etherip",
        "encap",
        "pim",
        "ipcomp",
        "vrrp",
        "l2tp",
        "isis",
        "sctp",
        "fc",
        "mobility-header",
        "udplite",
        "mpls-in-ip",
        "hip",
        "shim6",
        "wesp",
        "rohc",
    ]
)


def _why_no_address(part: str) -> str:
    bare, _, bits = part.partition("/")
    try:
        most = ipaddress.ip_address(bare).max_prefixlen
    except ValueError:
        return f"Invalid chars in IP {bare}" if re.search(r"[^0-9a-fA-F.:]|^[a-fA-F]+$", bare) else part
    return f"Prefix length {bits} is longer than IP address ({most})" if bits.isdigit() and int(bits) > most else part


_SERVICES = frozenset(
    [
        "ftp",
        "ssh",
        "telnet",
        "smtp",
        "time",
        "domain",
        "tftp",
        "gopher",
        "finger",
        "http",
        "www",
        "kerberos",
        "pop3",
        "sunrpc",
        "auth",
        "nntp",
        "ntp",
        "imap",
        "imap2",
        "snmp",
        "bgp",
        "irc",
        "ldap",
        "https",
        "submission",
        "ldaps",
        "imaps",
        "pop3s",
        "ftps",
        "socks",
        "openvpn",
        "rsync",
        "mysql",
        "postgresql",
        "nfs",
        "syslog",
        "dhcp",
        "bootps",
        "bootpc",
        "isakmp",
        "ipp",
        "xmpp-client",
        "git",
    ]
)
"""The names of /etc/services that are met in rules; Proxmox knows all of that file."""


def protocol(value: str) -> None:
    """A name of /etc/protocols or a number up to 255."""
    if value and not (value in _PROTOCOLS or (value.isdigit() and int(value) <= 255)):
        raise FormatError(f"unknown protocol '{value}'\n")


_ICMP = frozenset(
    [
        "any",
        "0",
        "echo-reply",
        "destination-unreachable",
        "network-unreachable",
        "host-unreachable",
        "protocol-unreachable",
        "port-unreachable",
        "fragmentation-needed",
        "source-route-failed",
        "network-unknown",
        "host-unknown",
        "network-prohibited",
        "host-prohibited",
        "TOS-network-unreachable",
        "TOS-host-unreachable",
        "communication-prohibited",
        "host-precedence-violation",
        "precedence-cutoff",
        "source-quench",
        "redirect",
        "network-redirect",
        "host-redirect",
        "TOS-network-redirect",
        "TOS-host-redirect",
        "echo-request",
        "router-advertisement",
        "router-solicitation",
        "time-exceeded",
        "ttl-zero-during-transit",
        "ttl-zero-during-reassembly",
        "parameter-problem",
        "ip-header-bad",
        "required-option-missing",
        "timestamp-request",
        "timestamp-reply",
        "address-mask-request",
        "address-mask-reply",
        "no-route",
        "beyond-scope",
        "address-unreachable",
        "failed-policy",
        "reject-route",
        "packet-too-big",
        "bad-header",
        "unknown-header-type",
        "unknown-option",
        "neighbour-solicitation",
        "neighbour-advertisement",
        "neighbor-solicitation",
        "neighbor-advertisement",
    ]
)


def icmp_type(value: str) -> None:
    """A name; numbers are not in the tables of Proxmox's own code."""
    if value not in _ICMP:
        raise FormatError(f"invalid icmp-type value '{value}'\n")


def cidr_or_alias(value: str) -> None:
    """For members of an ipset."""
    if re.fullmatch(r"(?:dc/|guest/)?[a-zA-Z][a-zA-Z0-9\-_]+", value, re.ASCII):
        return
    if value.endswith("/0"):
        try:
            bits = ipaddress.ip_address(value.removesuffix("/0"))
        except ValueError:
            pass
        else:
            raise FormatError(f"Invalid prefix {int(bits):0{bits.max_prefixlen}b}/0\n")
    formats.ip_or_cidr(value)


CHECKS: dict[str, formats.Check] = {
    "pve-fw-addr-spec": address,
    "pve-fw-sport-spec": ports,
    "pve-fw-dport-spec": ports,
    "pve-fw-protocol-spec": protocol,
    "pve-fw-icmp-type-spec": icmp_type,
    "IPorCIDRorAlias": cidr_or_alias,
}
