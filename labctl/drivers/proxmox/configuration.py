"""A guest's configuration: compare what Proxmox says with what is wanted, and write only the difference, in one call.

Proxmox gives values back in its own spelling (`proxmox-truth.md` 0, 3.8): MAC addresses in capitals, a description with a
newline, memory as text, a cloud-init drive as the volume it became. Comparing in meaning is what makes update, adoption
of a half-made guest and "nothing to do" one and the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib import parse

from labctl import errors
from labctl.drivers.proxmox import answers, cluster, guests

_DISKS = ("scsi0", "virtio0", "sata0", "ide0")
_BY_NAME = re.compile(r"(net|ipconfig)\d+")
_GIB = {"": 1 / 2**30, "K": 1 / 2**20, "M": 1 / 2**10, "G": 1.0, "T": 2.0**10}
_LIVE = {"name", "description", "tags", "onboot", "protection", "hostname"}
"""What takes effect at once on a running guest (`proxmox-truth.md` 2.1); the rest waits for its next start."""


def difference(have: Mapping[str, Any], want: Mapping[str, str]) -> dict[str, str]:
    """What to write: wanted values that differ, and under `delete` cards that should not be there."""
    write = {name: value for name, value in want.items() if not same(name, have.get(name), value)}
    extra = sorted(name for name in have if re.fullmatch(r"net\d+", name) and name not in want)
    if have.get("protection"):
        extra.append("protection")
    return write | ({"delete": ",".join(extra)} if extra else {})


def same(name: str, have: Any, want: str) -> bool:
    """Whether two spellings of one value mean the same."""
    if have is None:
        return False
    text = str(have).strip()
    if name == "tags":
        return set(re.split(r"[;, ]+", text.lower())) == set(re.split(r"[;, ]+", want.lower()))
    if name == "sshkeys":
        return parse.unquote(text).strip() == parse.unquote(want).strip()
    if want.endswith(":cloudinit"):
        return "cloudinit" in text
    if _BY_NAME.fullmatch(name) or name == "agent":
        return _parts(want).items() <= _parts(text).items()
    return text == want.strip()


def _parts(text: str) -> dict[str, str]:
    """A property string as a dictionary. `virtio=MAC` and `model=virtio,macaddr=MAC` are the same card; "1" is `enabled=1`."""
    parts: dict[str, str] = {}
    for part in text.split(","):
        name, found, value = part.partition("=")
        if not found:
            name, value = "enabled", name
        if name in {"virtio", "e1000", "rtl8139", "vmxnet3"}:
            parts["model"] = name
            name = "macaddr"
        parts[name] = value.lower()
    return parts


def converge(to: cluster.Cluster, place: guests.Place, want: Mapping[str, str], *, new: Mapping[str, Any] | None = None) -> bool:
    """Bring the guest's configuration to `want`; True when something was written. A running guest is stopped when the change
    only takes effect at its next start. `new` is the configuration of a guest that has just been made, is off, and is nobody else's.
    """
    for attempt in to.client.patiently(_look_again):
        with attempt:
            known = new if attempt.num == 1 else None
            have = known if known is not None else guests.look(to, place)
            if have is None:
                raise errors.NotFound(f"{place} has vanished")
            write = difference(have, want)
            if not write:
                return bool(attempt.num > 1)
            if known is None and not set(write) <= _LIVE:
                guests.stop(to, place)
            to.client.put(f"{place.path}/config", **write)
            if known is not None or not difference(guests.look(to, place) or {}, want):
                return True
            raise errors.Busy(f"{place} does not show its new configuration yet")
    return True


def _look_again(error: Exception) -> bool:
    """After an unknown outcome, and after a 500 that stored the value all the same (`client-sequence.md` 6)."""
    return isinstance(error, errors.TemporaryError) and not isinstance(error, answers.Stopped)


def system_disk(place: guests.Place, have: Mapping[str, Any]) -> tuple[str | None, float]:
    """The key of the disk the guest starts from, and its size in GiB."""
    disk = "rootfs" if place.kind == "container" else next((name for name in _DISKS if name in have), None)
    return disk, size(str(have.get(disk, ""))) if disk else 0.0


def grow(to: cluster.Cluster, place: guests.Place, gib: int, *, have: Mapping[str, Any] | None = None) -> None:
    """Enlarge the system disk to `gib` GiB; never shrinks it (Proxmox refuses that). `have` is a configuration that was just read."""
    disk, now = system_disk(place, have if have is not None else guests.look(to, place) or {})
    if disk is None:
        raise errors.PermanentError(f"{place} has no disk that labctl knows to enlarge")
    if now < gib:
        to.finish(to.client.put(f"{place.path}/resize", disk=disk, size=f"{gib}G"), f"enlarging the disk of {place}")


def size(volume: str) -> float:
    """GiB in `...,size=4G`; 0 when it does not say."""
    match = re.search(r"size=(\d+(?:\.\d+)?)([KMGT]?)", volume)
    return float(match[1]) * _GIB[match[2]] if match else 0.0
