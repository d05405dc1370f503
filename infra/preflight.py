"""Before anything is made: does the node answer, may the token, are templates and storage there, do memory and disk suffice.

Reads only. Each finding is an error in plain words, so that the trainer reads one sentence instead of thirty failed seats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labctl import errors
from labctl.drivers.proxmox import access, client, cluster, guests
from labctl.model import plan as plan_
from labctl.model import site as site_

MIB = 2**20
CLONE_GROWTH = 2**29
"""Bytes that a linked clone is taken to grow by at least; its disk starts at nothing. A floor, not a forecast."""

CONTAINER_SHARE = 0.25
"""A container's memory is a limit and not a reservation; this much of it is taken to be used."""


def check(to: cluster.Cluster, site: site_.Site, plans: Sequence[plan_.Plan]) -> None:
    """Raises the first thing that would stop these plans from being built."""
    findings = access.findings(to.client, site)
    if findings:
        raise errors.Forbidden(f"labctl's token lacks privileges: {'; '.join(findings)}", hint="`labctl doctor` lists the commands for IT.")
    machines = [machine for plan in plans for machine in plan.machines]
    for node, kind, template in sorted({(machine.node, machine.kind, machine.template) for machine in machines}):
        _template(to.client, node, kind, template)
    for node in sorted({machine.node for machine in machines}):
        _node(to.client, site, node, [machine for machine in machines if machine.node == node])


def _template(to: client.Client, node: str, kind: str, vmid: int) -> None:
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


def _memory(machine: plan_.PlannedMachine, *, lean: bool) -> float:
    """MiB that a machine will take at once. `lean`: containers stand in for VMs there."""
    if machine.kind == "container" or lean:
        return machine.memory * CONTAINER_SHARE
    return machine.memory_min or machine.memory


def _node(to: client.Client, site: site_.Site, node: str, machines: list[plan_.PlannedMachine]) -> None:
    try:
        status = to.get(f"/nodes/{node}/status")
    except (errors.NotFound, errors.Forbidden) as error:
        raise errors.NotFound(f"there is no node {node} that labctl may see", hint="Correct the node in site.yaml.") from error
    memory = status.get("memory") or {}
    free = int(memory.get("available") or memory.get("free") or 0) // MIB
    lean = guests.STAND_IN_NODE in str(status.get("pveversion"))
    needed = round(sum(_memory(machine, lean=lean) for machine in machines))
    if needed > free:
        raise errors.Conflict(
            f"node {node} has {free} MiB of memory free, and this needs {needed} MiB", hint="Fewer seats, or another time."
        )
    storage = to.get(f"/nodes/{node}/storage/{site.storage}/status")
    if not storage.get("active") or not storage.get("enabled"):
        raise errors.Conflict(f"storage {site.storage} is not active on node {node}")
    space, want = int(storage.get("avail") or 0), len(machines) * CLONE_GROWTH
    if want > space:
        kinds = ", ".join(f"{count} of {image}" for image, count in Counter(machine.image for machine in machines).items())
        raise errors.Conflict(f"storage {site.storage} on {node} has {space // 2**30} GiB free, too little for {kinds}")
