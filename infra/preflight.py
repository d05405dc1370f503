"""Before anything is made: does the node answer, may the token, are templates and storage there, do memory and disk suffice.

Reads only. `survey` says what the cluster has, the sums are `labctl.model.capacity`'s. Each finding is an error in plain words, so
that the trainer reads one sentence instead of thirty failed seats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import access, client, cluster, guests, networks
from labctl.model import capacity, marks
from labctl.model import plan as plan_
from labctl.model import site as site_

MIB = 2**20
_UNITS = {"": 1 / MIB, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


def check(to: cluster.Cluster, site: site_.Site, plans: Sequence[plan_.Plan]) -> None:
    """Raises the first thing that would stop these plans from being built."""
    answer = capacity.fit(plans, survey(to, site, plans), len(plans), plots=len(plans))
    if not answer.fits:
        text, hint = capacity.refusal(answer)
        raise errors.Conflict(text, hint=hint)


def survey(to: cluster.Cluster, site: site_.Site, plans: Sequence[plan_.Plan]) -> capacity.Supply:
    """What the cluster has for these plans. Raises Forbidden, NotFound or Conflict where it is not a matter of how much."""
    findings = access.findings(to.client, site)
    if findings:
        raise errors.Forbidden(f"labctl's token lacks privileges: {'; '.join(findings)}", hint="`labctl doctor` lists the commands for IT.")
    machines = [machine for plan in plans for machine in plan.machines]
    templates = {
        (node, template): _template(to.client, node, kind, template)
        for node, kind, template in sorted({(machine.node, machine.kind, machine.template) for machine in machines})
    }
    nodes = tuple(_node(to.client, site, node) for node in sorted({machine.node for machine in machines}))
    return capacity.Supply(nodes, templates, _taken_vmids(to, plans), _taken_tags(to, site, plans))


def _template(to: client.Client, node: str, kind: str, vmid: int) -> int:
    """The size of its disk in MiB; 0 where its configuration does not say."""
    path = f"/nodes/{node}/{'qemu' if kind == 'vm' else 'lxc'}/{vmid}/config"
    try:
        config = to.get(path)
    except (errors.NotFound, errors.Forbidden) as error:
        raise errors.NotFound(
            f"there is no template {vmid} ({kind}) on node {node} that labctl may see",
            hint="Correct the image in site.yaml, or let IT put the template into the templates' pool.",
        ) from error
    if not int(config.get("template") or 0):
        raise errors.Conflict(f"guest {vmid} on node {node} is not a template", hint="Convert it to a template, or correct site.yaml.")
    return _disk_size(config)


def _disk_size(config: Mapping[str, Any]) -> int:
    found = 0.0
    for key, value in config.items():
        is_disk = re.fullmatch(r"(rootfs|mp\d+|(scsi|virtio|sata|ide)\d+)", key) and "media=cdrom" not in str(value)
        size = re.search(r"\bsize=(\d+(?:\.\d+)?)([KMGT]?)\b", str(value)) if is_disk else None
        found += float(size[1]) * _UNITS[size[2]] if size else 0
    return round(found)


def _node(to: client.Client, site: site_.Site, node: str) -> capacity.Node:
    try:
        status = to.get(f"/nodes/{node}/status")
    except (errors.NotFound, errors.Forbidden) as error:
        raise errors.NotFound(f"there is no node {node} that labctl may see", hint="Correct the node in site.yaml.") from error
    memory = status.get("memory") or {}
    free = int(memory.get("available") or memory.get("free") or 0) // MIB
    lean = guests.STAND_IN_NODE in str(status.get("pveversion"))
    storage = to.get(f"/nodes/{node}/storage/{site.storage}/status")
    if not storage.get("active") or not storage.get("enabled"):
        raise errors.Conflict(f"storage {site.storage} is not active on node {node}")
    space = int(storage.get("avail") or 0) // MIB
    return capacity.Node(node, free, space, site.storage, shared=bool(storage.get("shared")), lean=lean)


def _taken_vmids(to: cluster.Cluster, plans: Sequence[plan_.Plan]) -> frozenset[int]:
    """Guests that stand on planned VMIDs and are not the plans' own. Those that labctl may not see are found when cloning."""
    owners = {machine.vmid: (plan, machine) for plan in plans for machine in plan.machines}
    taken = set()
    for row in to.client.get("/cluster/resources", type="vm"):
        vmid = int(row["vmid"])
        if vmid not in owners:
            continue
        plan, machine = owners[vmid]
        config = guests.look(to, guests.Place(machine.node, machine.kind, vmid))
        mark = marks.read_mark((config or {}).get("description"), vmid)
        if mark is None or mark.environment != plan.environment or mark.installation != plan.installation:
            taken.add(vmid)
    return frozenset(taken)


def _taken_tags(to: cluster.Cluster, site: site_.Site, plans: Sequence[plan_.Plan]) -> frozenset[int]:
    owners = {network.tag: plan for plan in plans for network in plan.networks if network.tag is not None}
    if not owners:
        return frozenset()
    taken = set()
    for row in networks.rows(to, pending=False):
        plan = owners.get(int(row.get("tag") or 0))
        alias = str(row.get("alias") or "")
        if plan and row.get("zone") == site.zone and alias != marks.network_alias(plan.installation, plan.environment):
            taken.add(int(row["tag"]))
    return frozenset(taken)
