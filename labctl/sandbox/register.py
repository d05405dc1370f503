"""Guests as Proxmox knows them: a config, pending changes, snapshots. Shared by the qemu and lxc endpoints.

A guest is a JSON object in `content["guests"]` under its VMID: `type`, `config`, `pending`, `delete` (keys to go at the next
start), `snapshots`. Whether it runs is asked of the runtime each time and stored nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from labctl.sandbox import answers, catalogue, guest_formats, property_strings

if TYPE_CHECKING:
    from labctl.sandbox import calls
    from labctl.sandbox import node as node_

Guest = dict[str, Any]
WORD = {"qemu": "VM", "lxc": "CT"}
_FOLDER = {"qemu": "qemu-server", "lxc": "lxc"}


def find(node: node_.Node, kind: str, vmid: str | int) -> Guest:
    """The guest; 500 "Configuration file ... does not exist"."""
    guest = node.content["guests"].get(str(vmid))
    if guest is None or guest["type"] != kind or guest.get("node", node.name) != node.name:
        answers.die(f"Configuration file 'nodes/{node.name}/{_FOLDER[kind]}/{vmid}.conf' does not exist")
    found: Guest = guest
    return found


def fresh(node: node_.Node, kind: str, lock: str, **more: Any) -> Guest:
    """A guest that begins to be: locked, on this node, without a configuration."""
    return {"type": kind, "node": node.name, "config": {"lock": lock}, "pending": {}, "delete": [], "snapshots": {}, **more}


def check_lock(guest: Guest) -> None:
    """500 "VM is locked (x)"."""
    lock = guest["config"].get("lock")
    if lock:
        answers.die(f"{WORD[guest['type']]} is locked ({lock})")


def check_protection(guest: Guest, what: str) -> None:
    """500 "can't remove VM 101 - protection mode enabled"."""
    if str(guest["config"].get("protection", 0)) == "1":
        answers.die(f"can't remove {what} - protection mode enabled")


def is_template(guest: Guest) -> bool:
    """Whether it is a template."""
    return str(guest["config"].get("template", 0)) == "1"


def runs(node: node_.Node, vmid: str | int) -> bool:
    """Whether its init runs now."""
    return int(vmid) in node.runtime.running()


def digest(guest: Guest) -> str:
    """SHA-1 of what stands in its config file."""
    kept = {key: guest.get(key) for key in ("config", "pending", "delete", "snapshots")}
    return hashlib.sha1(json.dumps(kept, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def assert_free(node: node_.Node, vmid: str | int, text: str) -> None:
    """500 with "VM N already exists on node 'x'" behind `text`."""
    guest = node.content["guests"].get(str(vmid))
    if guest:
        answers.die(f"{text}{WORD[guest['type']]} {vmid} already exists on node '{guest.get('node', node.name)}'")


def pool_of(node: node_.Node, vmid: str | int) -> str | None:
    """The pool a guest is in."""
    return next(iter(node.access.membership.pools_of("vms", vmid)), None)


def arrive(node: node_.Node, vmid: int, config: dict[str, Any], pool: str | None, *, on: str = "") -> None:
    """Last step of create and clone: the finished config, on node `on` where it is another, and the place in the pool, under the
    cluster's lock, in one write.

    Proxmox joins the pool in a second step. Here both are one, because a kill between them would leave a guest that its owner can
    neither see nor remove, and there is no worker that outlives the kill.
    """
    with contextlib.ExitStack() as held:
        if pool:
            held.enter_context(node.locks.cluster("file-user_cfg", f"can't add VM {vmid} to pool '{pool}': "))
        content = held.enter_context(node.state.change())
        content["guests"][str(vmid)]["config"] = config
        content["guests"][str(vmid)].pop("clone-of", None)
        if on:
            content["guests"][str(vmid)]["node"] = on
        if pool in content["pools"]:
            content["pools"][pool]["vms"] = sorted({*content["pools"][pool].get("vms", []), vmid})


def forget(node: node_.Node, vmid: int) -> None:
    """Config, pool membership, ACLs and firewall of a guest that is gone (`proxmox-truth.md` 2.1, delete)."""
    with node.state.change() as content:
        content["guests"].pop(str(vmid), None)
        content["firewall"].pop(str(vmid), None)
        for pool in node.access.membership.pools_of("vms", vmid):
            content["pools"][pool]["vms"] = [other for other in content["pools"][pool]["vms"] if other != vmid]
        for key in [key for key, entry in content["acl"].items() if entry["path"] == f"/vms/{vmid}"]:
            del content["acl"][key]


def layout(kind: str, key: str) -> dict[str, Any]:
    """The layout of a property string of guests of that kind."""
    properties = catalogue.load().methods["PUT", f"/nodes/{{node}}/{kind}/{{vmid}}/config"].properties
    facts = properties[key]["format"]
    if isinstance(facts, str):
        return guest_formats.CPU if facts == "pve-vm-cpu-conf" else guest_formats.LAYOUTS[facts]
    known: dict[str, Any] = facts
    return known


def fields(kind: str, key: str, text: str) -> dict[str, Any]:
    """A stored property string, taken apart."""
    return property_strings.parse(layout(kind, key), text, key, checked=False)


def nics(guest: Guest) -> dict[int, dict[str, Any]]:
    """Index -> fields of its cards. Keys are Proxmox's own: `macaddr` (qemu), `hwaddr` (lxc), `bridge`, ..."""
    found: dict[int, dict[str, Any]] = {}
    for key, value in guest["config"].items():
        number = re.fullmatch(r"net(\d+)", key)
        if number:
            found[int(number[1])] = fields(guest["type"], key, str(value))
    return dict(sorted(found.items()))


def bridge_path(node: node_.Node, bridge: str, tag: Any = None) -> str:
    """The ACL path of a bridge: its VNet's, else of the plain bridge (`proxmox-truth.md` 5.1)."""
    vnet = node.content["sdn"].get(f"vnets/{bridge}")
    path = f"/sdn/zones/{vnet['zone']}/{bridge}" if vnet else f"/sdn/zones/localnetwork/{bridge}"
    return f"{path}/{tag}" if tag and not vnet else path


def need_bridges(call: calls.Call, guest: Guest) -> None:
    """SDN.Use on every bridge of the guest's cards (clone; `client-sequence.md` 2)."""
    for nic in nics(guest).values():
        if nic.get("bridge"):
            call.need(bridge_path(call.node, nic["bridge"], nic.get("tag")), "SDN.Use")
