"""Formats with a name (`pve-vmid`, `dns-name`, ...): general ones here, guests' in `guest_formats`, the firewall's in
`firewall_formats`. A format is a function that raises FormatError, or a layout of fields (a property string).

Patterns and texts: `proxmox-truth.md` 3.2 and the recorded vectors. Formats that are not in any table are accepted as they
are only where the schema marks methods that this node does not offer.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from labctl.sandbox import checking, property_strings

Check = Callable[[str], None]
FormatError = checking.FormatError


def split_list(text: str) -> list[str]:
    """Proxmox's lists: separated by comma, semicolon, blank or NUL."""
    return [part for part in re.split(r"[,;\s\0]+", text.strip()) if part]


def check(name: str | dict[str, Any], value: str, where: str) -> None:
    """FormatError if `value` is not of that format."""
    from labctl.sandbox import firewall_formats, guest_formats

    if isinstance(name, dict):
        property_strings.parse(name, value, where)
        return
    for table in (CHECKS, guest_formats.CHECKS, firewall_formats.CHECKS):
        if name in table:
            table[name](value)
            return
    layout = guest_formats.LAYOUTS.get(name)
    if layout is not None:
        property_strings.parse(layout, value, where)
        return
    if name.endswith("-list"):
        for part in split_list(value):
            check(name.removesuffix("-list"), part, where)
    elif name.endswith("-opt") and value:
        check(name.removesuffix("-opt"), value, where)


def matcher(pattern: str, text: str, flags: re.RegexFlag = re.ASCII) -> Check:
    """A check by one anchored pattern; `{}` in the text stands for the value."""
    compiled = re.compile(rf"(?:{pattern})\Z", flags)

    def one(value: str) -> None:
        if not compiled.match(value):
            raise FormatError(text.replace("{}", value) + "\n")

    return one


_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_NODE = matcher(_LABEL, "value does not look like a valid node name")
_DNS = matcher(rf"{_LABEL}(?:\.{_LABEL})*", "value does not look like a valid DNS name")
_MAC = matcher(r"[a-f0-9][02468ace](?::[a-f0-9]{2}){5}", "value does not look like a valid unicast MAC address", re.IGNORECASE | re.ASCII)
_TAG = matcher(r"[a-z0-9_][a-z0-9_\-+.]*", "invalid characters in tag", re.IGNORECASE | re.ASCII)
_EMAIL = matcher(r"[\w+\-~]+(\.[\w+\-~]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*", "value does not look like a valid email address")


def storage_id(value: str) -> None:
    """Letters, digits, `-_.`, a letter first, no mark last; at least two characters."""
    if len(value) < 2:
        raise FormatError(f"storage ID '{value}' cannot be shorter than 2 characters\n")
    if not re.fullmatch(r"[a-z][a-z0-9\-_.]*[a-z0-9]", value, re.IGNORECASE | re.ASCII):
        raise FormatError(f"storage ID '{value}' contains illegal characters\n")


def user_id(value: str) -> None:
    """`user@realm` (AccessControl.pm)."""
    if len(value) < 3:
        raise FormatError(f"user name '{value}' is too short\n")
    if len(value) > 64:
        raise FormatError(f"user name '{value}' is too long ({len(value)} > 64)\n")
    if not re.fullmatch(r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+", value, re.ASCII):
        raise FormatError(f"value '{value}' does not look like a valid user name\n")


def token_id(value: str) -> None:
    """`user@realm!token`."""
    if not re.fullmatch(r"[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+", value, re.ASCII):
        raise FormatError(f"value '{value}' does not look like a valid token ID\n")


def pool_id(value: str) -> None:
    """Nested names: letters, digits, `.-_`, at most three levels (`proxmox-truth.md` 2.1)."""
    if value.count("/") > 2:
        raise FormatError(f"pool name '{value}' nested too deeply (max levels = 3)\n")
    if not re.fullmatch(r"[A-Za-z0-9.\-_]+(?:/[A-Za-z0-9.\-_]+){0,2}", value, re.ASCII):
        raise FormatError(f"pool name '{value}' contains invalid characters\n")


def privilege(value: str) -> None:
    """A privilege that exists in PVE 9 (VM.Monitor does not)."""
    from labctl.sandbox import privileges

    if value not in privileges.ALL:
        raise FormatError(f"invalid privilege '{value}'\n")


def ip(value: str) -> None:
    """An address of either family."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise FormatError("value does not look like a valid IP address\n") from None


def ipv4(value: str) -> None:
    """An IPv4 address."""
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        raise FormatError("value does not look like a valid IPv4 address\n") from None


def ipv6(value: str) -> None:
    """An IPv6 address."""
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        raise FormatError("value does not look like a valid IPv6 address\n") from None


def is_cidr(value: str, *, family: int | None = None) -> bool:
    """`address/bits` with at least 8 bits, host bits allowed."""
    address, slash, bits = value.partition("/")
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return bool(
        slash and re.fullmatch(r"\d{1,3}", bits) and (family is None or known.version == family) and 8 <= int(bits) <= known.max_prefixlen
    )


def _cidr(family: int | None, label: str) -> Check:
    def one(value: str) -> None:
        if not is_cidr(value, family=family):
            raise FormatError(f"value does not look like a valid {label} network\n")

    return one


def subnet_id(value: str) -> None:
    """A network, or zone, address and mask joined by hyphens."""
    if not is_cidr(value) and not is_cidr("/".join(value.partition("-")[2].rsplit("-", 1))):
        raise FormatError("value does not look like a valid CIDR network\n")


def _config(family: int, words: set[str]) -> Check:
    def one(value: str) -> None:
        if value not in words and not is_cidr(value, family=family):
            raise FormatError(f"value does not look like a valid ipv{family} network configuration\n")

    return one


def ip_or_cidr(value: str) -> None:
    """Either."""
    try:
        ip(value)
    except FormatError:
        if not is_cidr(value):
            raise FormatError("value does not look like a valid IP address or CIDR network\n") from None


def address(value: str) -> None:
    """An address or a DNS name."""
    try:
        ip(value)
    except FormatError:
        try:
            _DNS(value)
        except FormatError:
            raise FormatError(f"value does not look like a valid address: {value}\n") from None


def disk_size(value: str) -> None:
    """`32`, `4G`, `1.5T`."""
    if parse_size(value) is None:
        raise FormatError(f"unable to parse size '{value}'\n")


_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def parse_size(value: str) -> int | None:
    """Bytes of a size with unit, or None."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT])?", str(value), re.ASCII)
    return int(float(found[1]) * _UNITS[found[2] or ""]) if found else None


def format_size(size: int) -> str:
    """The largest unit that divides it, as Proxmox writes sizes."""
    if size == 0:
        return "0T"
    for unit in ("T", "G", "M", "K"):
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


def startup_order(value: str) -> None:
    """`order=1,up=2,down=3` in any order, bare number first (Guest helpers)."""
    if not value:
        raise FormatError("unable to parse startup options\n")
    for part in value.split(","):
        if part and not re.fullmatch(r"(order=)?\d+|up=\d+|down=\d+", part, re.ASCII):
            raise FormatError("unable to parse startup options\n")


_CONTENT = {"images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import", "none"}


def content(value: str) -> None:
    """A content type of storages."""
    if value not in _CONTENT:
        raise FormatError(f"invalid content type '{value}'\n")


def task_status(value: str) -> None:
    """The four kinds of task results."""
    if value not in {"ok", "error", "warning", "unknown"}:
        raise FormatError(f"invalid status '{value}'\n")


def storage_pair(value: str) -> None:
    """`source:target` or one storage for all; `1` for the same ones."""
    if value == "1":
        return
    parts = value.split(":") if value.count(":") == 1 else [value]
    for part in parts:
        try:
            storage_id(part)
        except FormatError as failure:
            raise FormatError(f"entry '{value}' contains invalid ID - {failure}\n\n") from None


CHECKS: dict[str, Check] = {
    "storage-pair": storage_pair,
    "pve-node": _NODE,
    "dns-name": _DNS,
    "pve-vmid": matcher(r"[1-9][0-9]{2,8}", "value does not look like a valid VM ID"),
    "pve-configid": matcher(r"[a-z][a-z0-9_-]+", "invalid configuration ID '{}'", re.IGNORECASE | re.ASCII),
    "mac-addr": _MAC,
    "pve-tag": _TAG,
    "email": _EMAIL,
    "pve-storage-id": storage_id,
    "pve-userid": user_id,
    "pve-tokenid": token_id,
    "pve-poolid": pool_id,
    "pve-priv": privilege,
    "pve-roleid": matcher(r"[A-Za-z0-9.\-_]+", "role name '{}' contains invalid characters"),
    "pve-groupid": matcher(r"[A-Za-z0-9.\-_]+", "group name '{}' contains invalid characters"),
    "pve-realm": matcher(r"[A-Za-z][A-Za-z0-9.\-_]+", "value does not look like a valid realm"),
    "ip": ip,
    "ipv4": ipv4,
    "ipv6": ipv6,
    "CIDR": _cidr(None, "CIDR"),
    "CIDRv4": _cidr(4, "IPv4"),
    "CIDRv6": _cidr(6, "IPv6"),
    "IPorCIDR": ip_or_cidr,
    "pve-ipv4-config": _config(4, {"dhcp", "manual"}),
    "pve-ipv6-config": _config(6, {"auto", "dhcp", "manual"}),
    "address": address,
    "disk-size": disk_size,
    "pve-startup-order": startup_order,
    "pve-storage-content": content,
    "pve-task-status-type": task_status,
    "urlencoded": matcher(r"[-%a-zA-Z0-9_.!~*'()]*", "invalid urlencoded string: {}"),
    "pve-iface": matcher(r"[a-zA-Z][a-zA-Z0-9_]{1,20}(?:[:.]\d+)?", "invalid network interface name '{}'"),
    "pve-bridge-id": matcher(r"[-_.\w\d]{1,}", "invalid bridge ID '{}'"),
    "pve-sdn-subnet-id": subnet_id,
    "pve-sdn-bgp-rt": matcher(r"\d+:\d+", "value does not look like a valid bgp route-target"),
    "mac-prefix": matcher(
        r"[a-f0-9][02468ace](?::[a-f0-9]{2}){0,2}:?", "value is not a valid unicast MAC address prefix", re.IGNORECASE | re.ASCII
    ),
}
