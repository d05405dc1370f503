"""Do guests run that should? One look at the cluster's list, and one at each guest of which the list does not say that it does.

The list is up to ten seconds old and says "unknown" of what is newer, or stands on a node that is away (`proxmox-truth.md` 2.1), so
it is only believed where it says "running".
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from infra.returning import place
from labctl import errors, ports
from labctl.drivers.proxmox import cluster as cluster_
from labctl.drivers.proxmox import guests
from labctl.model import environment as environment_
from labctl.model import plan as plan_

OFF, GONE = "is switched off", "is not there any more"


def ailing(to: cluster_.Cluster, machines: Sequence[environment_.Machine]) -> ports.Ailing:
    """See `ports.Provisioner`. Of a node that does not answer one guest is asked about, and stands for all."""
    rows = to.client.get("/cluster/resources", type="vm")
    running = {int(row["vmid"]) for row in rows if row.get("status") == "running"}
    found: dict[int, str] = {}
    away: set[str] = set()
    for machine in machines:
        if machine.vmid in running:
            continue
        if machine.node not in away:
            try:
                found |= {machine.vmid: what} if (what := _look(to, machine)) else {}
                continue
            except errors.Unreachable:  # whoever was asked for the list is there, so it is the node
                away.add(machine.node)
        found[machine.vmid] = f"is on node {machine.node}, which does not answer"
    return found


def _look(to: cluster_.Cluster, machine: environment_.Machine) -> str:
    """What is wrong with it; empty where nothing is, or something else is being done to it (a lock)."""
    where = guests.Place(machine.node, "vm" if machine.kind == "vm" else "container", machine.vmid)
    try:
        status = guests.status(to, where)
    except (errors.NotFound, errors.Forbidden):
        # 403 is how a vanished guest reads, but not only that, and one that moved to another node has its VMID still.
        return GONE if to.free(machine.vmid) else ""
    return OFF if status.get("status") == "stopped" and not status.get("lock") else ""


def wake(to: cluster_.Cluster, machine: plan_.PlannedMachine, progress: ports.Progress) -> None:
    """Start it if it is off. Raises PermanentError where it is gone."""
    with contextlib.suppress(errors.NotFound, errors.Forbidden):
        if guests.start(to, place(machine)):
            progress(f"{machine.name}: was off, and is started")
        return
    if to.free(machine.vmid):
        raise errors.PermanentError(f"{machine.name} {GONE}.", hint="Reset the seat: it is made anew, without what was on it.")
    raise errors.Busy(f"labctl may not see {machine.name} ({place(machine)}) now.")
