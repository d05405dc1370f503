"""What the cluster says of itself, for `status` and `doctor`: one short look, never a long wait."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from labctl.drivers.proxmox import client
from labctl.model import marks
from labctl.model import site as site_

PATIENCE = 3.0
"""Seconds for which a look is repeated: a person waits for it."""


@dataclass(frozen=True)
class Sight:
    """`lines` say what answers; `guests` are this installation's running guests and `guest_memory` the median of them, in bytes."""

    lines: tuple[str, ...]
    guests: int
    guest_memory: int


def connect(site: site_.Site) -> client.Client:
    """A client that gives up soon."""
    return client.Client(site.cluster, timeout=10, patience=PATIENCE)


def look(site: site_.Site) -> Sight:
    """Raises what the client raises."""
    to = connect(site)
    try:
        version = to.get("/version")
        rows = to.get("/cluster/resources", type="vm")
    finally:
        to.close()
    running = [int(row.get("mem") or 0) for row in rows if _ours(site, row) and row.get("status") == "running"]
    lines = [f"{site.cluster.url} answers as Proxmox VE {version.get('version')} ({version.get('release')})"]
    return Sight(tuple(lines), len(running), round(statistics.median(running)) if running else 0)


def _ours(site: site_.Site, row: dict[str, Any]) -> bool:
    vmid = row.get("vmid")
    return isinstance(vmid, int) and not row.get("template") and marks.plot_of(site, vmid) is not None
