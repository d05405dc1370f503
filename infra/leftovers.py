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
    mine = marks.vmids(site, plot) if plot is not None else None
    for vmid, node, kind, pool in _listed(to, site):
        if mine is not None and vmid not in mine:
            continue
        place = guests.Place(node, "container" if kind == "lxc" else "vm", vmid)
        config = guests.look(to, place)
        if config is None:
            continue
        mark = marks.read_mark(config.get("description"), vmid)
        yield Found(place, mark if mark and mark.installation == site.installation else None, pool)


def _listed(to: cluster.Cluster, site: site_.Site) -> list[tuple[int, str, str, str]]:
    """(VMID, node, kind, pool) of all in the installation's range. The list is the whole cluster's, so many who search at once share
    one look that begins after all of them have asked.
    """

    def look(_asked: object) -> list[list[object]]:
        rows = to.client.get("/cluster/resources", type="vm")
        ours = (row for row in rows if marks.plot_of(site, int(row["vmid"])) is not None)
        return [[int(row["vmid"]), str(row["node"]), str(row.get("type")), str(row.get("pool") or "")] for row in ours]

    found = to.waves.ride(f"guests-of-{site.installation}", None, look, cancelled=to.stop.is_set)
    return [(int(row[0]), str(row[1]), str(row[2]), str(row[3])) for row in found]


def vnets_of(to: cluster.Cluster, site: site_.Site) -> dict[str, str]:
    """VNet -> environment, for those that carry this installation's alias; also those whose removal waits for an apply, for until
    then they are on the nodes.
    """

    def look(_asked: object) -> list[list[str]]:
        rows = networks.rows(to)
        return [[str(row["vnet"]), str(row.get("alias") or _pending_alias(row))] for row in rows]

    found = {}
    for vnet, alias in to.waves.ride(f"vnets-of-{site.installation}", None, look, cancelled=to.stop.is_set):
        match = re.fullmatch(rf"labctl {re.escape(site.installation)} ([a-z0-9]+)", alias)
        if match:
            found[vnet] = match[1]
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
