"""One machine: a linked clone of an image's template, configured in one call, grown and started.

Inputs hold no secret: of keys only the public half (`pulumi.md`, Shape). What goes into which key of Proxmox is in
`wanted`; the sources are `proxmox-truth.md` 3.5 and 3.8 and `client-sequence.md` 2 and 6.
"""

from __future__ import annotations

from typing import Any
from urllib import parse

from infra.resources import kind
from infra.work import Work
from labctl import errors
from labctl.drivers.proxmox import configuration, firewall, guests
from labctl.model import marks


def place(inputs: kind.Inputs) -> guests.Place:
    """Where the guest is or shall be."""
    return guests.Place(inputs["node"], inputs["kind"], int(inputs["vmid"]))


def mark(inputs: kind.Inputs) -> marks.Mark:
    """Whose it is."""
    return marks.Mark(inputs["installation"], inputs["environment"], inputs["machine"], int(inputs["vmid"]))


def wanted(inputs: kind.Inputs) -> dict[str, str]:
    """The guest's configuration in Proxmox' keys. Tags are set here, not at the clone: there they are refused under an ACL on
    the pool only (`proxmox-truth.md` 5.1, gotchas).
    """
    want = {
        "cores": str(inputs["cores"]),
        "memory": str(inputs["memory"]),
        "description": f"{mark(inputs)}\n{inputs['note']}",
        "tags": ";".join(sorted(inputs["tags"])),
    }
    return want | (_vm(inputs) if inputs["kind"] == "vm" else _container(inputs))


def _vm(inputs: kind.Inputs) -> dict[str, str]:
    want = {"name": inputs["name"], "agent": "1"}
    if inputs.get("balloon"):
        want["balloon"] = str(inputs["balloon"])
    for nic in inputs["nics"]:
        want[f"net{nic['index']}"] = f"virtio={nic['mac']},bridge={nic['bridge']}{_filtered(nic)}"
    if inputs.get("sshKeys"):
        want |= {
            "ide2": f"{inputs['storage']}:cloudinit",
            "ciuser": inputs["user"],
            "ciupgrade": "0",
            "sshkeys": parse.quote("\n".join(inputs["sshKeys"]), safe=""),
        }
        want |= {f"ipconfig{nic['index']}": _address(nic) for nic in inputs["nics"] if nic.get("address")}
    return want


def _filtered(nic: dict[str, Any]) -> str:
    """The management card only: on the lab's own networks learners may do what they like."""
    return ",firewall=1" if nic.get("firewall") else ""


def wall(inputs: kind.Inputs) -> firewall.Wall | None:
    """What the guest's firewall lets through; None where no card is filtered."""
    own = next((str(nic["address"]).partition("/")[0] for nic in inputs["nics"] if nic.get("firewall")), None)
    return firewall.Wall(inputs["admits"], own) if own and inputs.get("admits") else None


def _address(nic: dict[str, Any]) -> str:
    return f"ip={nic['address']}" + (f",gw={nic['gateway']}" if nic.get("gateway") else "")


def _container(inputs: kind.Inputs) -> dict[str, str]:
    want = {"hostname": inputs["name"]}
    if inputs.get("nesting"):
        want["features"] = "nesting=1"
    for nic in inputs["nics"]:
        address = _address(nic) if nic.get("address") else "ip=manual"
        want[f"net{nic['index']}"] = (
            f"name=eth{nic['index']},bridge={nic['bridge']},hwaddr={nic['mac']},{address},type=veth{_filtered(nic)}"
        )
    return want


def _make(work: Work, inputs: kind.Inputs) -> None:
    try:
        _bring_about(work, inputs)
    except errors.LabctlError as error:
        _blame(error, inputs)
        raise
    except kind.HalfMade as half:
        _blame(half.cause, inputs)
        raise


def _blame(error: errors.LabctlError, inputs: kind.Inputs) -> None:
    """Which machine it was, and which node's storage had no room for it."""
    error.machine = str(inputs["machine"])
    if isinstance(error, errors.Full):
        error.node = str(inputs["node"])


def _bring_about(work: Work, inputs: kind.Inputs) -> None:
    where, name = place(inputs), inputs["machine"]
    work.say(f"{name}: cloning template {inputs['template']} as {where}")
    source = guests.Source(inputs.get("source") or where.node, int(inputs["template"]))
    made = guests.clone(work.cluster, where, source, mark(inputs), name=inputs["name"], note=inputs["note"], pool=inputs["pool"])
    try:
        configuration.converge(work.cluster, where, wanted(inputs), new=made.config if made.new else None)
        if held := wall(inputs):  # before it starts, for a node needs a moment to put it in force; after its cards have their addresses
            firewall.hold(work.cluster, where, held, cloned=source if made.new else None)
        if inputs.get("disk"):
            configuration.grow(work.cluster, where, int(inputs["disk"]), have=made.config)
        work.say(f"{name}: starting")
        guests.start(work.cluster, where, is_off=made.new)
        work.started.add(where.vmid)
    except errors.LabctlError as error:
        raise kind.HalfMade(str(where.vmid), error) from error


def _drift(work: Work, inputs: kind.Inputs) -> tuple[str, ...] | None:
    where = place(inputs)
    have = guests.look(work.cluster, where)
    if have is None or marks.read_mark(have.get("description"), where.vmid) != mark(inputs):
        return None
    differs = set(configuration.difference(have, wanted(inputs)))
    if inputs.get("disk") and configuration.system_disk(where, have)[1] < int(inputs["disk"]):
        differs.add("disk")
    if (held := wall(inputs)) and firewall.differs(firewall.look(work.cluster, where), held):
        differs.add("firewall")
    return tuple(sorted(differs))


def _remove(work: Work, inputs: kind.Inputs) -> None:
    if guests.destroy(work.cluster, place(inputs), mark(inputs)):
        work.say(f"{inputs['machine']}: removed ({place(inputs)})")


GUEST = kind.Kind(
    name="labctl:index:Guest",
    required={
        "node": str, "kind": str, "vmid": int, "template": int, "pool": str, "storage": str, "name": str, "cores": int, "memory": int,
        "nics": list, "installation": str, "environment": str, "machine": str, "note": str, "tags": list, "user": str,
    },
    optional={"admits": str, "balloon": int, "disk": int, "nesting": bool, "sshKeys": list, "source": str},
    replaces=frozenset({"node", "kind", "vmid", "template", "pool", "installation", "environment"}),
    identity=lambda inputs: str(inputs["vmid"]),
    make=_make,
    drift=_drift,
    remove=_remove,
)  # fmt: skip
