"""One of the lab's own networks: a VNet in the installation's zone, applied to the nodes."""

from __future__ import annotations

from infra.resources import kind
from infra.work import Work
from labctl.drivers.proxmox import networks


def _make(work: Work, inputs: kind.Inputs) -> None:
    work.say(f"network {inputs['label']} as VNet {inputs['vnet']}")
    networks.ensure(work.cluster, inputs["vnet"], zone=inputs["zone"], tag=inputs.get("tag"), alias=inputs["alias"], nodes=inputs["nodes"])


def _drift(work: Work, inputs: kind.Inputs) -> tuple[str, ...] | None:
    found = networks.look(work.cluster, inputs["vnet"])
    if found is None or found.get("state") == "deleted":
        return None
    return tuple(name for name in ("zone", "tag") if inputs.get(name) is not None and str(found.get(name)) != str(inputs[name]))


def _remove(work: Work, inputs: kind.Inputs) -> None:
    if networks.remove(work.cluster, inputs["vnet"], inputs["alias"]):
        work.say(f"network {inputs['label']} removed")
    else:
        # On record and gone: an earlier attempt wrote its removal, and may have died before the nodes took it off.
        networks.settle(work.cluster)


NETWORK = kind.Kind(
    name="labctl:index:Network",
    required={"vnet": str, "zone": str, "alias": str, "label": str, "nodes": list},
    optional={"tag": int},
    replaces=frozenset({"vnet", "zone", "alias"}),
    identity=lambda inputs: str(inputs["vnet"]),
    make=_make,
    drift=_drift,
    remove=_remove,
)
