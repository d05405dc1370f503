"""What IT types once, typed for them: users, roles, ACLs, token, pools, zones, the management VNet, templates
(`client-sequence.md` 1). Through the node's own API as root@pam, so that nothing exists that the API would refuse. Repeatable.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labctl.sandbox import answers, calls, certificates, privileges, register, sessions
from labctl.sandbox import node as node_

USER, TOKEN = "labctl@pve", "lab"
GUESTS = (
    "VM.Allocate,VM.Audit,VM.Clone,VM.PowerMgmt,VM.Console,VM.Snapshot,VM.Config.CPU,VM.Config.Memory,VM.Config.Disk,VM.Config.Network,"
    "VM.Config.Options,VM.Config.HWType,VM.Config.Cloudinit,VM.GuestAgent.Audit,Pool.Allocate,Pool.Audit"
)
ROLES = {
    "LabctlGuests": GUESTS,
    "LabctlImages": "VM.Clone,VM.Audit",
    "LabctlStore": "Datastore.AllocateSpace,Datastore.Audit",
    "LabctlMedia": "Datastore.Audit",
    "LabctlNets": "SDN.Allocate,SDN.Audit,SDN.Use",
    "LabctlMgmt": "SDN.Audit,SDN.Use",
    "LabctlApply": "SDN.Allocate",
    "LabctlSee": "Sys.Audit",
}
ACLS = (
    ("/pool/labs", "LabctlGuests", 1),
    ("/pool/lab-templates", "LabctlImages", 1),
    ("/storage/lab", "LabctlStore", 0),
    ("/storage/local", "LabctlMedia", 0),
    ("/sdn/zones/labs", "LabctlNets", 1),
    ("/sdn/zones/mgmt", "LabctlMgmt", 1),
    ("/sdn", "LabctlApply", 0),
    ("/nodes", "LabctlSee", 1),
    ("/", "LabctlSee", 0),
)
STORAGES: dict[str, dict[str, Any]] = {
    # As RBD: linked clones name their base, and a guest can go back past a newer snapshot and forward again, as its layers can.
    "lab": {"type": "rbd", "pool": "lab", "content": ["images", "rootdir"]},
    "local": {"type": "dir", "path": "/var/lib/vz", "content": ["iso", "vztmpl", "snippets", "import"]},
}
IMAGE = "debian-12"
VM_TEMPLATE, CT_TEMPLATE = 9000, 9001
MANAGEMENT_VNET = "labmgmt"
PLAIN_BRIDGE = "vmbr0"
"""The zones' own bridge; no guest is plugged into it."""
TEMPLATE_SIZE = 8 * 1024**3

Say = Callable[[str], None]


def blank(node: node_.Node) -> None:
    """The state of a node that nobody has touched: built-in roles and root@pam."""
    with node.state.change() as content:
        for name, known in privileges.BUILTIN_ROLES.items():
            content["roles"].setdefault(name, sorted(known))
        content["users"].setdefault("root@pam", {"enable": 1, "expire": 0})


def initialise(node: node_.Node, say: Say) -> None:
    """Everything of `client-sequence.md` 1, and `credentials.json`."""
    blank(node)
    with node.state.change() as content:
        for name, facts in STORAGES.items():
            content["storage"].setdefault(name, dict(facts))
        for volid in (f"local:vztmpl/{IMAGE}.tar.zst", f"local:import/{IMAGE}.qcow2"):
            content["volumes"].setdefault(volid, {"size": TEMPLATE_SIZE, "ctime": int(time.time()), "format": "raw"})
        content["volumes"][f"local:vztmpl/{IMAGE}.tar.zst"]["image"] = f"{IMAGE}-container"
        content["volumes"][f"local:import/{IMAGE}.qcow2"] |= {"image": IMAGE, "format": "qcow2"}
    say("pools, user, roles and access control")
    for pool in ("labs", "lab-templates"):
        _unless(pool in node.content["pools"], node, "POST", "/pools", poolid=pool)
    _unless(USER in node.content["users"], node, "POST", "/access/users", userid=USER, comment="labctl service account, token only")
    for role, privs in ROLES.items():
        if role in node.content["roles"]:
            _as_root(node, "PUT", f"/access/roles/{role}", privs=privs)
        else:
            _as_root(node, "POST", "/access/roles", roleid=role, privs=privs)
    _token(node)
    for path, role, propagate in ACLS:
        _as_root(node, "PUT", "/access/acl", path=path, roles=role, users=USER, tokens=f"{USER}!{TOKEN}", propagate=str(propagate))
    _networks(node, say)
    _templates(node, say)
    _credentials(node)


def _as_root(node: node_.Node, verb: str, where: str, /, **params: str) -> Any:
    return calls.perform(node, "root@pam", verb, where, dict(params))


def _unless(done: bool, node: node_.Node, verb: str, where: str, /, **params: str) -> None:
    if not done:
        _as_root(node, verb, where, **params)


def _task(node: node_.Node, upid: str, what: str, timeout: float = 300.0) -> None:
    if not node.tasks.wait(upid, timeout):
        answers.die(f"{what} took longer than {timeout:.0f} s")
    status = node.tasks.exit_status(upid)
    if status != "OK":
        answers.die(f"{what} failed: {status}")


def _token(node: node_.Node) -> None:
    """A new secret whenever the file is not there; the file is written before the secret becomes valid nowhere else."""
    secret = node.home / "token"
    full = f"{USER}!{TOKEN}"
    known = node.content["tokens"].get(full)
    if known and secret.exists() and sessions.hash_token(secret.read_text("utf-8").strip()) == known.get("secret"):
        return
    if known:
        answer = _as_root(node, "PUT", f"/access/users/{USER}/token/{TOKEN}", regenerate="1")
    else:
        answer = _as_root(node, "POST", f"/access/users/{USER}/token/{TOKEN}", privsep="1")
    _write_secret(secret, str(answer["value"]))


def _write_secret(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    new.rename(path)


def _networks(node: node_.Node, say: Say) -> None:
    say("zones, management VNet, apply")
    written = node.content["sdn"]
    node.runtime.add_bridge(PLAIN_BRIDGE)
    for zone in ("labs", "mgmt"):
        _unless(f"zones/{zone}" in written, node, "POST", "/cluster/sdn/zones", zone=zone, type="vlan", bridge=PLAIN_BRIDGE)
    facts = {"vnet": MANAGEMENT_VNET, "zone": "mgmt", "tag": "1", "alias": "labctl management"}
    _unless(f"vnets/{MANAGEMENT_VNET}" in written, node, "POST", "/cluster/sdn/vnets", **facts, **{"isolate-ports": "1"})
    _task(node, str(_as_root(node, "PUT", "/cluster/sdn")), "applying the network configuration")
    connect(node)


def connect(node: node_.Node) -> None:
    """The cable from the machine to the management VNet (`access.md` 1.2); paper has none."""
    plug = getattr(node.runtime, "connect", None)
    if plug and node.settings.uplink:
        plug(node.settings.uplink, MANAGEMENT_VNET)


def _templates(node: node_.Node, say: Say) -> None:
    """IT's image templates: no card, so that a clone needs no right on a foreign bridge (`client-sequence.md` 1)."""
    if not _is_template(node, VM_TEMPLATE):
        say(f"template {VM_TEMPLATE} ({IMAGE}, virtual machine)")
        _drop(node, VM_TEMPLATE)
        upid = _as_root(
            node,
            "POST",
            f"/nodes/{node.name}/qemu",
            vmid=str(VM_TEMPLATE),
            name=IMAGE,
            memory="512",
            cores="1",
            agent="1",
            ostype="l26",
            scsihw="virtio-scsi-pci",
            scsi0=f"lab:0,import-from=local:import/{IMAGE}.qcow2",
            ide2="lab:cloudinit",
            boot="order=scsi0",
            serial0="socket",
            description=f"Image template {IMAGE}",
            pool="lab-templates",
        )
        _task(node, str(upid), f"creating template {VM_TEMPLATE}")
        _task(node, str(_as_root(node, "POST", f"/nodes/{node.name}/qemu/{VM_TEMPLATE}/template")), f"freezing template {VM_TEMPLATE}")
    if not _is_template(node, CT_TEMPLATE):
        say(f"template {CT_TEMPLATE} ({IMAGE}, container)")
        _drop(node, CT_TEMPLATE)
        upid = _as_root(
            node,
            "POST",
            f"/nodes/{node.name}/lxc",
            vmid=str(CT_TEMPLATE),
            hostname=IMAGE,
            memory="512",
            swap="0",
            cores="1",
            ostype="debian",
            unprivileged="1",
            ostemplate=f"local:vztmpl/{IMAGE}.tar.zst",
            rootfs="lab:8",
            description=f"Image template {IMAGE}",
            pool="lab-templates",
        )
        _task(node, str(upid), f"creating template {CT_TEMPLATE}")
        _as_root(node, "POST", f"/nodes/{node.name}/lxc/{CT_TEMPLATE}/template")
        _settled(node, CT_TEMPLATE)


def _is_template(node: node_.Node, vmid: int) -> bool:
    guest = node.content["guests"].get(str(vmid))
    return guest is not None and register.is_template(guest)


def _drop(node: node_.Node, vmid: int) -> None:
    """What an interrupted `init` left."""
    guest = node.content["guests"].get(str(vmid))
    if guest:
        _task(node, str(_as_root(node, "DELETE", f"/nodes/{node.name}/{guest['type']}/{vmid}")), f"removing half-made template {vmid}")


def _settled(node: node_.Node, vmid: int) -> None:
    """Container templates are made by a task that nobody names: wait for the newest one."""
    name = next(reversed(list(node.tasks.known())))
    _task(node, name, f"freezing template {vmid}")
    if not _is_template(node, vmid):
        answers.die(f"guest {vmid} did not become a template")


def _credentials(node: node_.Node) -> None:
    place = {kind: {"node": node.name, "vmid": vmid} for kind, vmid in (("vm", VM_TEMPLATE), ("container", CT_TEMPLATE))}
    facts = {
        "url": f"https://{node.settings.listen}",
        "node": node.name,
        "user": USER,
        "token": TOKEN,
        "secret_file": str(node.home / "token"),
        "ca_file": str(node.home / "ca.pem"),
        "images": {IMAGE: place},
    }
    new = node.home / "credentials.new"
    new.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    new.rename(node.home / "credentials.json")


def prepare_home(home: Path, settings: node_.Settings) -> None:
    """Folder, certificates and settings; an existing home keeps its runtime and its keys."""
    home.mkdir(parents=True, exist_ok=True, mode=0o755)
    certificates.make(home, settings.node)
    new = home / "settings.new"
    new.write_text(json.dumps(vars(settings), indent=2) + "\n", "utf-8")
    new.rename(home / "settings.json")
