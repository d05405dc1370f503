"""Storages and the volumes on them: names as Proxmox's plugins make them, sizes, owners. Bytes are the runtime's matter.

Three plugins are modelled: `dir` (`100/vm-100-disk-0.qcow2`, linked clone `9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2`), `rbd`
(`base-9000-disk-0/vm-101-disk-0`) and `zfspool` (the same, containers `subvol-...`); all name the base in a linked clone's volume, so a
base in use is known (`client-sequence.md` 4).
"""

from __future__ import annotations

import re
import time
from typing import Any

from labctl.sandbox import answers, formats
from labctl.sandbox import node as node_
from labctl.sandbox.volume_index import owner, split

__all__ = ["owner", "split"]
Volume = dict[str, Any]


def storage(node: node_.Node, name: str) -> dict[str, Any]:
    """The storage's settings; 500 when there is none of that name."""
    known = node.content["storage"].get(name)
    if known is None:
        answers.die(f"storage '{name}' does not exist")
    return dict(known)


def usable(node: node_.Node, name: str) -> dict[str, Any]:
    """A storage that is enabled and on this node."""
    known = storage(node, name)
    if known.get("disable"):
        answers.die(f"storage '{name}' is disabled")
    if known.get("nodes") and node.name not in known["nodes"]:
        answers.die(f"storage '{name}' is not available on node '{node.name}'")
    return known


def content_type(node: node_.Node, volid: str) -> str:
    """iso, vztmpl, import, snippets, backup, images or rootdir; 500 for what is no volume name."""
    name, rest = split(volid)
    kind = storage(node, name).get("type", "dir")
    for prefix in ("iso", "vztmpl", "import", "snippets", "backup"):
        if rest.startswith(prefix + "/") and kind == "dir":
            return prefix
    if kind == "dir":
        last = rest.rpartition("/")[2]
        if re.fullmatch(r"(\d+/base-\d+-[^/]+/)?\d+/[^/]+", rest) and re.search(r"\.(raw|qcow2|vmdk|subvol)\Z", last):
            return "rootdir" if last.startswith("subvol-") else "images"
        raise answers.Refused(500, f"unable to parse directory volume name '{rest}'\n")
    if re.fullmatch(r"((base|basevol)-\d+-[^/]+/)?(vm|base|subvol|basevol)-\d+-[^/\s]+", rest):
        return "rootdir" if "subvol" in rest.rpartition("/")[2] or "basevol" in rest.rpartition("/")[2] else "images"
    raise answers.Refused(500, f"unable to parse {'zfs' if kind == 'zfspool' else kind} volume name '{rest}'\n")


def new_name(node: node_.Node, name: str, vmid: int, *, container: bool = False, suffix: str = "", base: str = "", fmt: str = "") -> str:
    """A free volume id for that guest."""
    kind = storage(node, name).get("type", "dir")
    ending = ""
    prefix = "vm"
    if kind == "dir":
        ending = "." + (fmt or ("raw" if container else "qcow2"))  # a linked clone and a cloud-init drive are qcow2 there
    elif container and kind == "zfspool":
        prefix = "subvol"
    for number in range(1000):
        last = f"{prefix}-{vmid}-{suffix or f'disk-{number}'}{ending}"
        full = f"{name}:{_placed(kind, vmid, last, base)}"
        if not node.volumes.taken(name, last):
            return full
        if suffix:
            return full
    raise answers.Refused(500, f"unable to allocate an image name for VM {vmid} in storage '{name}'\n")


def _placed(kind: str, vmid: int, last: str, base: str) -> str:
    own = f"{vmid}/{last}" if kind == "dir" else last
    return f"{base}/{own}" if base else own


def add(node: node_.Node, volid: str, size: int, **more: Any) -> str:
    """Remember a new volume."""
    node.conditions.check_space(split(volid)[0])
    node.hardware.check_space(split(volid)[0], size, linked="parent" in more)
    with node.state.change() as content:
        content["volumes"][volid] = {"size": size, "ctime": int(time.time()), "format": _format(volid), **_place(node, volid), **more}
    return volid


def _place(node: node_.Node, volid: str) -> dict[str, str]:
    """In a cluster a volume on a storage that is not shared is on one node."""
    return {"node": node.name} if len(node.peers) > 1 and split(volid)[0] not in node.locks.shared_storages else {}


def is_here(node: node_.Node, volid: str) -> bool:
    """Whether this node sees that volume."""
    return str(node.content["volumes"].get(volid, {}).get("node", node.name)) == node.name


def gib(node: node_.Node, volid: str) -> float:
    """GiB of a volume."""
    return (size_of(node, volid) or 0) / 1024**3


def _format(volid: str) -> str:
    found = re.search(r"\.(qcow2|raw|vmdk|iso|subvol)\Z", volid)
    if found:
        return found[1]
    return "subvol" if "subvol-" in volid or "basevol-" in volid else "raw"


def size_of(node: node_.Node, volid: str) -> int | None:
    """Bytes, None when it is not there."""
    known = node.content["volumes"].get(volid)
    return int(known["size"]) if known else None


def free(node: node_.Node, volid: str) -> None:
    """Forget a volume; a base in use is refused."""
    user = clone_of(node, volid)
    if user:
        answers.die(f"base volume '{split(volid)[1]}' is still in use by linked cloned")
    with node.state.change() as content:
        content["volumes"].pop(volid, None)


def clone_of(node: node_.Node, volid: str) -> str | None:
    """A linked clone that needs this volume."""
    return node.volumes.clone_of(volid)


def of_guest(node: node_.Node, vmid: int) -> list[str]:
    """All volumes named for a guest."""
    return node.volumes.of_guest(vmid)


def to_base(node: node_.Node, volid: str) -> str:
    """Rename a disk to a template's."""
    head, slash, last = volid.rpartition("/")
    if not slash:
        head, slash, last = volid.partition(":")[0], ":", volid.partition(":")[2]
    for old, new in (("vm-", "base-"), ("subvol-", "basevol-")):
        if last.startswith(old):
            renamed = f"{head}{slash}{new}{last.removeprefix(old)}"
            with node.state.change() as content:
                content["volumes"][renamed] = content["volumes"].pop(
                    volid, {"size": 0, "ctime": int(time.time()), "format": _format(volid)}
                )
            return renamed
    return volid


def size_text(node: node_.Node, volid: str) -> str:
    """As it stands in a config."""
    return formats.format_size(size_of(node, volid) or 0)
