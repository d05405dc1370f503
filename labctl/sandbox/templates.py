"""IT's image templates, made through the node's own API: no card, so that a clone needs no right on a foreign bridge
(`client-sequence.md` 1). In a cluster each node has its own, so that several can be cloned at once: a container's template is locked
meanwhile (`proxmox-truth.md` 3.5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labctl.sandbox import answers, calls, register
from labctl.sandbox import node as node_
from labctl.sandbox.paper import description

IMAGE = "debian-12"
FIRST, STEP = {"qemu": 9000, "lxc": 9001}, 10
"""VMIDs of the first node's templates, and how far the next node's are from them."""
_VMIDS = {kind: range(first, first + STEP * description.MOST_NODES, STEP) for kind, first in FIRST.items()}
SIZE = 8 * 1024**3

Say = Callable[[str], None]


def are_on_each(node: node_.Node) -> bool:
    """Whether this node has room for templates: the storage of guests is here."""
    known = description.kept(node.home)
    return known is not None and (not known.storages[known.storage].nodes or node.name in known.storages[known.storage].nodes)


def places(node: node_.Node, kind: str) -> Any:
    """Where the templates of a kind are: one, or a list of them where there are several."""
    found = [
        {"node": guest.get("node", node.name), "vmid": int(vmid)}
        for vmid, guest in sorted(node.content["guests"].items(), key=lambda item: int(item[0]))
        if guest["type"] == kind
        and register.is_template(guest)
        and int(vmid) % STEP == FIRST[kind] % STEP
        and int(vmid) < FIRST[kind] + STEP * 64
    ]
    return found[0] if len(found) == 1 else found


def make(node: node_.Node, say: Say, number: int) -> None:
    """The templates of the cluster's node of that number; what is there stays."""
    known = description.kept(node.home)
    storage = known.storage if known else "lab"
    for kind, maker in (("qemu", _machine), ("lxc", _container)):
        vmid = FIRST[kind] + STEP * number
        if not _is_template(node, vmid):
            say(f"template {vmid} ({IMAGE}, {'virtual machine' if kind == 'qemu' else 'container'}{f', {node.name}' if known else ''})")
            _drop(node, vmid)
            maker(node, vmid, storage)


def _machine(node: node_.Node, vmid: int, storage: str) -> None:
    upid = _as_root(
        node,
        "POST",
        f"/nodes/{node.name}/qemu",
        vmid=str(vmid),
        name=IMAGE,
        memory="512",
        cores="1",
        agent="1",
        ostype="l26",
        scsihw="virtio-scsi-pci",
        scsi0=f"{storage}:0,import-from=local:import/{IMAGE}.qcow2",
        ide2=f"{storage}:cloudinit",
        boot="order=scsi0",
        serial0="socket",
        description=f"Image template {IMAGE}",
        pool="lab-templates",
    )
    done(node, str(upid), f"creating template {vmid}")
    done(node, str(_as_root(node, "POST", f"/nodes/{node.name}/qemu/{vmid}/template")), f"freezing template {vmid}")


def _container(node: node_.Node, vmid: int, storage: str) -> None:
    upid = _as_root(
        node,
        "POST",
        f"/nodes/{node.name}/lxc",
        vmid=str(vmid),
        hostname=IMAGE,
        memory="512",
        swap="0",
        cores="1",
        ostype="debian",
        unprivileged="1",
        ostemplate=f"local:vztmpl/{IMAGE}.tar.zst",
        rootfs=f"{storage}:8",
        description=f"Image template {IMAGE}",
        pool="lab-templates",
    )
    done(node, str(upid), f"creating template {vmid}")
    _as_root(node, "POST", f"/nodes/{node.name}/lxc/{vmid}/template")
    _settled(node, vmid)


def _as_root(node: node_.Node, verb: str, where: str, /, **params: str) -> Any:
    return calls.perform(node, "root@pam", verb, where, dict(params))


def done(node: node_.Node, upid: str, what: str, timeout: float = 300.0) -> None:
    """Wait for a task of this node; what does not end well is said."""
    if not node.tasks.wait(upid, timeout):
        answers.die(f"{what} took longer than {timeout:.0f} s")
    status = node.tasks.exit_status(upid)
    if status != "OK":
        answers.die(f"{what} failed: {status}")


def _is_template(node: node_.Node, vmid: int) -> bool:
    guest = node.content["guests"].get(str(vmid))
    return guest is not None and register.is_template(guest)


def _drop(node: node_.Node, vmid: int) -> None:
    """What an interrupted `init` left."""
    guest = node.content["guests"].get(str(vmid))
    if guest:
        done(node, str(_as_root(node, "DELETE", f"/nodes/{node.name}/{guest['type']}/{vmid}")), f"removing half-made template {vmid}")


def _settled(node: node_.Node, vmid: int) -> None:
    """Container templates are made by a task that nobody names: wait for the newest one."""
    name = next(reversed(list(node.tasks.known())))
    done(node, name, f"freezing template {vmid}")
    if not _is_template(node, vmid):
        answers.die(f"guest {vmid} did not become a template")
