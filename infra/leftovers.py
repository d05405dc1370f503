"""The search for what carries our mark: guests by VMID range and description, VNets and pools by alias and comment.

It needs no record: this is how removal works when the state is lost, and how the sweep finds what nobody remembers. A mark
counts only together with the VMID it names, for a clone inherits its template's description (`labctl.model.marks`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.drivers.proxmox import cluster, guests, networks, pools
from labctl.model import marks
from labctl.model import site as site_


@dataclass(frozen=True)
class Found:
    """A guest in our VMID range. `mark` is None where its description does not say whose it is."""

    place: guests.Place
    mark: marks.Mark | None
    pool: str


def guests_of(to: cluster.Cluster, site: site_.Site, plot: int | None = None) -> Iterator[Found]:
    """Guests in the plot's VMID range, or in the installation's. `resources` names a guest at once; its name and state lag
    behind, so they are not used (`proxmox-truth.md` 2.1).
    """
    for row in to.client.get("/cluster/resources", type="vm"):
        vmid = int(row["vmid"])
        if marks.plot_of(site, vmid) is None or (plot is not None and marks.plot_of(site, vmid) != plot):
            continue
        place = guests.Place(str(row["node"]), "container" if row.get("type") == "lxc" else "vm", vmid)
        config = guests.look(to, place)
        if config is None:
            continue
        mark = marks.read_mark(config.get("description"), vmid)
        yield Found(place, mark if mark and mark.installation == site.installation else None, str(row.get("pool") or ""))


def vnets_of(to: cluster.Cluster, site: site_.Site) -> dict[str, str]:
    """VNet -> environment, for those that carry this installation's alias and are not yet on their way out."""
    found = {}
    for row in networks.rows(to):
        match = re.fullmatch(rf"labctl {re.escape(site.installation)} ([a-z0-9]+)", str(row.get("alias") or _pending_alias(row)))
        if match and row.get("state") != "deleted":
            found[str(row["vnet"])] = match[1]
    return found


def _pending_alias(row: dict[str, object]) -> object:
    pending = row.get("pending")
    return pending.get("alias", "") if isinstance(pending, dict) else ""


def pools_of(to: cluster.Cluster, site: site_.Site) -> dict[str, str]:
    """Pool -> environment, for those below the site's pool that carry this installation's comment."""
    found = {}
    for row in to.client.get("/pools"):
        poolid = str(row["poolid"])
        environment = poolid.removeprefix(f"{site.pool}/")
        if environment != poolid and str(row.get("comment") or "").strip() == marks.network_alias(site.installation, environment):
            found[poolid] = environment
    return found


def is_pool_ours(to: cluster.Cluster, site: site_.Site, environment: str) -> bool:
    """Whether the environment's pool exists with our comment."""
    found = pools.look(to, marks.pool(site, environment))
    return found is not None and str(found.get("comment") or "").strip() == marks.network_alias(site.installation, environment)
