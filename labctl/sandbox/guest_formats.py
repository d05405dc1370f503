"""Named formats and property-string layouts of guests that the published schema leaves unexpanded.

Shapes from `proxmox-truth.md` 3.2 and 3.8 and from recorded answers; a layout is `{field: facts}` as in `schema.json`.
"""

from __future__ import annotations

import re
from typing import Any

from labctl.sandbox import checking, formats

FormatError = checking.FormatError
Layout = dict[str, Any]

BUILTIN_CPUS = frozenset(
    [
        "486",
        "athlon",
        "Broadwell",
        "Broadwell-IBRS",
        "Broadwell-noTSX",
        "Broadwell-noTSX-IBRS",
        "Cascadelake-Server",
        "Cascadelake-Server-noTSX",
        "Cascadelake-Server-v2",
        "Cascadelake-Server-v4",
        "Cascadelake-Server-v5",
        "ClearwaterForest",
        "Conroe",
        "Cooperlake",
        "Cooperlake-v2",
        "core2duo",
        "coreduo",
        "EPYC",
        "EPYC-Genoa",
        "EPYC-IBPB",
        "EPYC-Milan",
        "EPYC-Milan-v2",
        "EPYC-Rome",
        "EPYC-Rome-v2",
        "EPYC-Rome-v3",
        "EPYC-Rome-v4",
        "EPYC-Turin",
        "EPYC-v3",
        "EPYC-v4",
        "GraniteRapids",
        "Haswell",
        "Haswell-IBRS",
        "Haswell-noTSX",
        "Haswell-noTSX-IBRS",
        "host",
        "Icelake-Client",
        "Icelake-Client-noTSX",
        "Icelake-Server",
        "Icelake-Server-noTSX",
        "Icelake-Server-v3",
        "Icelake-Server-v4",
        "Icelake-Server-v5",
        "Icelake-Server-v6",
        "IvyBridge",
        "IvyBridge-IBRS",
        "KnightsMill",
        "kvm32",
        "kvm64",
        "max",
        "Nehalem",
        "Nehalem-IBRS",
        "Opteron_G1",
        "Opteron_G2",
        "Opteron_G3",
        "Opteron_G4",
        "Opteron_G5",
        "Penryn",
        "pentium",
        "pentium2",
        "pentium3",
        "phenom",
        "qemu32",
        "qemu64",
        "SandyBridge",
        "SandyBridge-IBRS",
        "SapphireRapids",
        "SapphireRapids-v2",
        "SierraForest",
        "Skylake-Client",
        "Skylake-Client-IBRS",
        "Skylake-Client-noTSX-IBRS",
        "Skylake-Client-v4",
        "Skylake-Server",
        "Skylake-Server-IBRS",
        "Skylake-Server-noTSX-IBRS",
        "Skylake-Server-v4",
        "Skylake-Server-v5",
        "Westmere",
        "Westmere-IBRS",
        "x86-64-v2",
        "x86-64-v2-AES",
        "x86-64-v3",
        "x86-64-v4",
    ]
)
CPU_FLAGS = [
    "aes", "amd-no-ssb", "amd-ssbd", "hv-evmcs", "hv-tlbflush", "ibpb", "md-clear", "nested-virt", "pcid", "pdpe1gb", "spec-ctrl",
    "ssbd", "virt-ssbd",
]  # fmt: skip
DRIVES = [
    *(f"ide{n}" for n in range(4)),
    *(f"scsi{n}" for n in range(31)),
    *(f"virtio{n}" for n in range(16)),
    *(f"sata{n}" for n in range(6)),
    "efidisk0",
    "tpmstate0",
]
_VOLUME = re.compile(r"[a-zA-Z][a-zA-Z0-9\-_.]*[a-zA-Z0-9]:.+\Z", re.ASCII)


def optional(kind: str = "string", **more: Any) -> Layout:
    """Facts of an optional field."""
    return {"type": kind, "optional": 1, **more}


def volume_id(value: str) -> None:
    """`storage:volume`."""
    if not _VOLUME.match(value):
        raise FormatError(f"unable to parse volume ID '{value}'\n")


def volume_or_qm_path(value: str) -> None:
    """A volume, an absolute path, `none`, `cdrom` or a new disk `storage:size`."""
    if value not in {"none", "cdrom"} and not value.startswith("/"):
        volume_id(value)


def volume_or_path(value: str) -> None:
    """A volume or an absolute path."""
    if not value.startswith("/"):
        volume_id(value)


def _cpuset(value: str) -> None:
    if not value:
        return
    for part in value.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part, re.ASCII)
        if not found or (found[2] and int(found[2]) < int(found[1])):
            raise FormatError("unable to parse cpuset option\n")


def _bootdisk(value: str) -> None:
    if value not in DRIVES[:-2]:
        raise FormatError(f"invalid boot disk '{value}'\n")


def _boot_order(value: str) -> None:
    for device in formats.split_list(value):
        if device not in DRIVES[:-2] and not re.fullmatch(r"(net|usb|hostpci)\d+", device, re.ASCII):
            raise FormatError(f"invalid boot device '{device}'\n")


def _hotplug(value: str) -> None:
    if value in {"0", "1"}:
        return
    for feature in formats.split_list(value):
        if feature not in {"network", "disk", "cpu", "memory", "usb", "cloudinit"}:
            raise FormatError(f"invalid hotplug feature '{feature}'\n")


def _phys_bits(value: str) -> None:
    if value != "host" and not (re.fullmatch(r"\d+", value, re.ASCII) and 8 <= int(value) <= 64):
        raise FormatError("value must be an integer between 8 and 64 or 'host'\n")


def _cpu(value: str) -> None:
    from labctl.sandbox import property_strings

    fields = property_strings.parse(CPU, value, "cpu")
    kind = str(fields.get("cputype", "kvm64"))
    if kind.startswith("custom-"):
        raise FormatError(f"Custom cputype '{kind.removeprefix('custom-')}' not found\n")
    if kind not in BUILTIN_CPUS:
        raise FormatError(f"Built-in cputype '{kind}' is not defined (missing 'custom-' prefix?)\n")
    if any(flag[1:] not in CPU_FLAGS for flag in str(fields.get("flags", "")).split(";") if flag):
        raise FormatError(f"VM-specific CPU flags must be a subset of: {', '.join(CPU_FLAGS)}\n")


def _not_empty_path(value: str) -> None:
    if not value or re.search(r"(^|/)\.\.?(/|$)", value):
        raise FormatError(f"{value} contains illegal character sequences\n")


def _device(value: str) -> None:
    if not value.startswith("/dev/"):
        raise FormatError(f"{value} is not a valid device path\n")


def _timezone(value: str) -> None:
    import zoneinfo

    if value != "host" and value not in zoneinfo.available_timezones():
        raise FormatError(f"invalid time zone '{value}'\n")


_SMBIOS = r"[A-Za-z0-9+/=]+|\S+"
CPU: Layout = {
    "cputype": optional(default_key=1),
    "flags": optional(pattern=r"(?:[+-][a-zA-Z0-9\-_.]+)(?:;[+-][a-zA-Z0-9\-_.]+)*"),
    "guest-phys-bits": optional("integer", minimum=32, maximum=64),
    "hidden": optional("boolean"),
    "hv-vendor-id": optional(pattern=r"[A-Za-z0-9]{1,12}"),
    "level": optional("integer"),
    "phys-bits": optional(format="pve-phys-bits"),
    "reported-model": optional(enum=sorted(BUILTIN_CPUS)),
}
BOOT: Layout = {"legacy": optional(default_key=1, pattern="[acdn]{1,4}"), "order": optional(format="pve-qm-bootdev-list")}
IPCONFIG: Layout = {
    "ip": optional(format="pve-ipv4-config"),
    "gw": optional(format="ipv4", requires="ip"),
    "ip6": optional(format="pve-ipv6-config"),
    "gw6": optional(format="ipv6", requires="ip6"),
}
_PCI = r"(?:[0-9a-fA-F]{4,}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-9a-fA-F])?"

LAYOUTS: dict[str, Layout] = {
    "pve-qm-boot": BOOT,
    "pve-qm-ipconfig": IPCONFIG,
    "pve-qm-cicustom": {name: optional(format="pve-volume-id") for name in ("meta", "network", "user", "vendor")},
    "pve-qm-smbios1": {
        "uuid": optional(pattern=r"[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}"),
        **{name: optional(pattern=_SMBIOS) for name in ("version", "serial", "manufacturer", "product", "sku", "family")},
        "base64": optional("boolean"),
    },
    "pve-qm-rng": {
        "source": {"type": "string", "enum": ["/dev/urandom", "/dev/random", "/dev/hwrng"], "default_key": 1},
        "max_bytes": optional("integer"),
        "period": optional("integer"),
    },
    "pve-qemu-sev-fmt": {
        "type": {"type": "string", "default_key": 1, "enum": ["std", "es", "snp"]},
        **{name: optional("boolean") for name in ("no-debug", "no-key-sharing", "allow-smt", "kernel-hashes")},
    },
    "pve-qemu-tdx-fmt": {
        "type": {"type": "string", "default_key": 1, "enum": ["tdx"]},
        "attestation": {"type": "boolean"},
        "vsock-cid": optional("integer", minimum=2),
        "vsock-port": optional("integer", minimum=0),
    },
    "pve-qm-watchdog": {
        "model": optional(default_key=1, enum=["i6300esb", "ib700"]),
        "action": optional(enum=["reset", "shutdown", "poweroff", "pause", "debug", "none"]),
    },
    "pve-qm-hostpci": {
        "host": optional(default_key=1, pattern=rf"{_PCI}(?:;{_PCI})*"),
        "mapping": optional(format="pve-configid"),
        **{name: optional("boolean") for name in ("rombar", "pcie", "x-vga", "legacy-igd", "driver-default")},
        "driver": optional(enum=["vfio", "keep"]),
        "romfile": optional(pattern=r"[^,;]+"),
        "mdev": optional(pattern=r"[^/\.:]+"),
        **{name: optional(pattern="0x[0-9A-Fa-f]{4}") for name in ("vendor-id", "device-id", "sub-vendor-id", "sub-device-id")},
    },
    "prune-backups": {
        "keep-all": optional("boolean"),
        **{f"keep-{unit}": optional("integer") for unit in ("last", "hourly", "daily", "weekly", "monthly", "yearly")},
    },
    "pve-sdn-dhcp-range": {"start-address": {"type": "string", "format": "ip"}, "end-address": {"type": "string", "format": "ip"}},
    "backup-performance": {
        "max-workers": optional("integer", minimum=1, maximum=256),
        "pbs-entries-max": optional("integer", minimum=1),
    },
}

CHECKS: dict[str, formats.Check] = {
    "pve-volume-id": volume_id,
    "pve-volume-id-or-qm-path": volume_or_qm_path,
    "pve-volume-id-or-absolute-path": volume_or_path,
    "pve-cpuset": _cpuset,
    "pve-qm-bootdisk": _bootdisk,
    "pve-qm-bootdev": _boot_order,
    "pve-hotplug-features": _hotplug,
    "pve-phys-bits": _phys_bits,
    "pve-vm-cpu-conf": _cpu,
    "pve-lxc-mp-string": _not_empty_path,
    "pve-lxc-dev-string": _device,
    "pve-ct-timezone": _timezone,
    "lxc-ip-with-ll-iface": lambda value: formats.ip(value.partition("%")[0]),
}
