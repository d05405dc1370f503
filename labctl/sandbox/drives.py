"""Drives of VMs: reading them from a config value, making the volume a value asks for, letting a volume go.

`local:8` asks for a new disk of 8 GiB, `local:cloudinit` for a cloud-init drive, `import-from` for one filled from an image;
anything else names a volume that has to be there (`proxmox-truth.md` 3.8).
"""

from __future__ import annotations

import re
from typing import Any

from labctl.sandbox import answers, checking, formats, property_strings, qemu_rights, register, volumes
from labctl.sandbox import node as node_

Drive = dict[str, Any]
CLOUDINIT_SIZE = 4 * 1024**2


def read(key: str, value: str) -> Drive:
    """The drive of a checked value; 400 when its kind does not know one of the options."""
    layout = register.layout("qemu", key)
    try:
        drive = property_strings.parse(layout, value, key)
    except checking.FormatError:
        answers.bad_params({key: "unable to parse drive options"})
    if drive.get("media") == "cdrom" and key.startswith("virtio"):
        answers.bad_params({key: "unable to parse drive options"})
    if str(drive.get("file")) == "cdrom" or str(drive.get("file")) == "none":
        drive["media"] = "cdrom"
    return drive


def write(key: str, drive: Drive) -> str:
    """Back to the config's text."""
    return property_strings.emit(register.layout("qemu", key), drive, skip=("import-from",))


def check_import(node: node_.Node, key: str, drive: Drive, *, new: bool) -> None:
    """`import-from` wants the special size 0 and a source of the right kind."""
    source = drive.get("import-from")
    if source is None:
        return
    wrong_syntax = not re.search(r":0\Z", str(drive["file"]))
    if str(source).startswith("/") or ":" not in str(source):
        return
    if wrong_syntax and not new:
        answers.bad_params({key: "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>"})
    storage, _ = volumes.split(str(source))
    volumes.usable(node, storage)
    kind = volumes.content_type(node, str(source))
    if kind not in {"images", "import"}:
        answers.bad_params({key: f"{source} has wrong type '{kind}' - needs to be 'images' or 'import'"})
    if wrong_syntax:
        answers.bad_params({key: "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>"})


def is_new(file: str) -> bool:
    """Whether the value asks for a new disk."""
    return bool(re.search(r"^[^:]+:\d+(\.\d+)?\Z", file))


def realise(node: node_.Node, vmid: int, key: str, drive: Drive, made: list[str]) -> str:
    """Make or find the volume; the text for the config. New volumes are noted in `made`, so that a failure can free them."""
    file = str(drive["file"])
    if file.startswith("/"):
        answers.die(f"volume {file} does not exist")  # the node has no block devices for guests
    if file in {"none", "cdrom"}:
        return write(key, drive)
    storage, rest = volumes.split(file)
    volumes.usable(node, storage)
    if qemu_rights.is_cloudinit(file) and rest == "cloudinit":
        return _cloudinit(node, vmid, key, storage, drive, made)
    if is_new(file):
        with node.locks.storage(storage):
            size = int(float(rest) * 1024**3)
            if key == "efidisk0":
                size = 528 * 1024
            elif key == "tpmstate0":
                size = 4 * 1024**2
            fmt = str(drive.pop("format", "") or "raw")
            source = drive.pop("import-from", None)
            image = _image_of(node, str(source)) if source else None
            volid = volumes.new_name(node, storage, vmid, fmt=fmt)
            volumes.add(node, volid, (image or {}).get("size", size), **({"image": image["image"]} if image and "image" in image else {}))
            made.append(volid)
            node.acts.spend("allocate")
        if image:
            node.acts.spend("copy")
        drive |= {"file": volid, "size": volumes.size_text(node, volid)}
        return write(key, drive)
    return _existing(node, key, file, drive)


def _cloudinit(node: node_.Node, vmid: int, key: str, storage: str, drive: Drive, made: list[str]) -> str:
    with node.locks.storage(storage):
        volid = volumes.new_name(node, storage, vmid, suffix="cloudinit")
        volumes.add(node, volid, CLOUDINIT_SIZE)
        made.append(volid)
        node.acts.spend("allocate")
    drive |= {"file": volid, "media": "cdrom"}
    return write(key, drive)


def _image_of(node: node_.Node, source: str) -> dict[str, Any]:
    known = node.content["volumes"].get(source)
    if known is None:
        answers.die(f"volume '{source}' does not exist")
    return dict(known)


def _existing(node: node_.Node, key: str, file: str, drive: Drive) -> str:
    size = volumes.size_of(node, file)
    if size is None:
        volumes.content_type(node, file)
        answers.die(f"volume '{file}' does not exist")
    if drive.get("media") != "cdrom" or "size" not in drive:
        drive["size"] = formats.format_size(size)
    return write(key, drive)


def is_disk(text: str) -> bool:
    """A guest's own disk, not a CD-ROM or a cloud-init drive."""
    file = text.partition(",")[0]
    return ":" in file and "media=cdrom" not in text and not qemu_rights.is_cloudinit(file)


def to_base(node: node_.Node, key: str, text: str, made: list[str]) -> str:
    """A template's new disk is a base from the start."""
    drive = register.fields("qemu", key, text)
    renamed = volumes.to_base(node, str(drive["file"]))
    made[:] = [renamed if volid == drive["file"] else volid for volid in made]
    return write(key, drive | {"file": renamed})


def owned(node: node_.Node, vmid: int, value: str) -> str | None:
    """The guest's own volume in a drive's text, if it is one."""
    file = str(value).partition(",")[0].removeprefix("file=")
    return file if file in node.content["volumes"] and volumes.owner(file) == vmid else None


def unplug(node: node_.Node, vmid: int, config: dict[str, Any], key: str, *, force: bool) -> None:
    """Take a drive out: a CD or a cloud-init drive vanishes, a disk becomes `unusedN`, or goes for good with `force`."""
    volume = owned(node, vmid, str(config[key]))
    del config[key]
    if volume is None:
        return
    if force or key.startswith("unused") or qemu_rights.is_cloudinit(volume):
        if not _referenced(config, volume):
            volumes.free(node, volume)
        return
    free = next(number for number in range(256) if f"unused{number}" not in config)
    config[f"unused{free}"] = volume


def _referenced(config: dict[str, Any], volume: str) -> bool:
    return any(str(value).partition(",")[0] == volume for value in config.values())
