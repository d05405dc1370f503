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

from labctl.sandbox import calls, certificates, privileges, sessions, templates
from labctl.sandbox import node as node_
from labctl.sandbox.paper import description

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
IMAGE = templates.IMAGE
MANAGEMENT_VNET = "labmgmt"
PLAIN_BRIDGE = "vmbr0"
"""The zones' own bridge; no guest is plugged into it."""

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
        for name, facts in _storages(node).items():
            content["storage"].setdefault(name, facts)
        for volid in (f"local:vztmpl/{IMAGE}.tar.zst", f"local:import/{IMAGE}.qcow2"):
            content["volumes"].setdefault(volid, {"size": templates.SIZE, "ctime": int(time.time()), "format": "raw"})
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
    _as_root(node, "PUT", "/cluster/firewall/options", enable="1")
    for number, peer in enumerate(node.peers.values()):
        if number == 0 or templates.are_on_each(peer):
            templates.make(peer, say, number)
    _credentials(node)


def _storages(node: node_.Node) -> dict[str, dict[str, Any]]:
    """Those of a single node, or of the cluster's description; media are everywhere."""
    known = description.kept(node.home)
    if known is None:
        return {name: dict(facts) for name, facts in STORAGES.items()}
    found: dict[str, dict[str, Any]] = {"local": dict(STORAGES["local"])}
    for name, storage in known.storages.items():
        found[name] = {"type": storage.type, "pool": name, "content": ["images", "rootdir"]}
        found[name] |= ({"shared": 1} if storage.shared else {}) | ({"nodes": list(storage.nodes)} if storage.nodes else {})
    return found


def _as_root(node: node_.Node, verb: str, where: str, /, **params: str) -> Any:
    return calls.perform(node, "root@pam", verb, where, dict(params))


def _unless(done: bool, node: node_.Node, verb: str, where: str, /, **params: str) -> None:
    if not done:
        _as_root(node, verb, where, **params)


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
    for peer in node.peers.values():
        peer.runtime.add_bridge(PLAIN_BRIDGE)
    for zone in ("labs", "mgmt"):
        kind = {"type": "vlan", "bridge": PLAIN_BRIDGE}
        if zone == "labs" and _zone_type(node) == "vxlan":
            kind = {"type": "vxlan", "peers": ",".join(f"192.0.2.{number}" for number in range(1, len(node.peers) + 1))}
        fixed = {"bridge-disable-mac-learning": "1"} if zone == "mgmt" else {}
        _unless(f"zones/{zone}" in written, node, "POST", "/cluster/sdn/zones", zone=zone, **kind, **fixed)
    facts = {"vnet": MANAGEMENT_VNET, "zone": "mgmt", "tag": "1", "alias": "labctl management"}
    _unless(f"vnets/{MANAGEMENT_VNET}" in written, node, "POST", "/cluster/sdn/vnets", **facts, **{"isolate-ports": "1"})
    templates.done(node, str(_as_root(node, "PUT", "/cluster/sdn")), "applying the network configuration")
    connect(node)


def connect(node: node_.Node) -> None:
    """The cable from the machine to the management VNet (`access.md` 1.2); paper has none."""
    plug = getattr(node.runtime, "connect", None)
    if plug and node.settings.uplink:
        plug(node.settings.uplink, MANAGEMENT_VNET)


def _zone_type(node: node_.Node) -> str:
    """The type of the zone of learners' networks: VLAN tags are too few for a thousand seats."""
    known = description.kept(node.home)
    return known.zone if known else "vlan"


def _credentials(node: node_.Node) -> None:
    facts: dict[str, Any] = {
        "url": f"https://{node.settings.listen}",
        "node": node.name,
        "user": USER,
        "token": TOKEN,
        "secret_file": str(node.home / "token"),
        "ca_file": str(node.home / "ca.pem"),
        "images": {IMAGE: {"vm": templates.places(node, "qemu"), "container": templates.places(node, "lxc")}},
        "paper": node.runtime.kind == "paper",
        "zone_type": _zone_type(node),
    }
    known = description.kept(node.home)
    if known:
        facts |= {"nodes": list(known.names), "storage": known.storage, "speed": known.speed}
    new = node.home / "credentials.new"
    new.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
    new.rename(node.home / "credentials.json")


def _check_same(home: Path, cluster: description.Cluster | None) -> None:
    if not (home / "settings.json").exists():
        return
    known = description.kept(home)
    told = "remove it with `wipe` first, or take another home"
    if (known is None) != (cluster is None):
        there, asked = ("a single node", "a cluster") if known is None else ("a paper cluster", "a single node")
        raise description.BadDescription(f"in {home} there is {there}, which cannot become {asked}: {told}")
    if known and cluster and (known.nodes, known.storages, known.storage, known.zone) != (
        cluster.nodes, cluster.storages, cluster.storage, cluster.zone,
    ):  # fmt: skip
        raise description.BadDescription(f"in {home} there is a paper cluster with other nodes, storages or zones: {told}")


def prepare_home(home: Path, settings: node_.Settings, cluster: description.Cluster | None = None) -> None:
    """Folder, certificates, settings and what a paper cluster is made of; an existing home keeps its keys, and its cluster's nodes and
    storages: guests are on them.
    """
    _check_same(home, cluster)
    home.mkdir(parents=True, exist_ok=True, mode=0o755)
    if cluster:
        description.write(home, cluster)
    certificates.make(home, settings.node)
    new = home / "settings.new"
    new.write_text(json.dumps(vars(settings), indent=2) + "\n", "utf-8")
    new.rename(home / "settings.json")
