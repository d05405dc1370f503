"""What the cluster says of itself, for `status` and `doctor`: one short look, never a long wait."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import client
from labctl.model import marks
from labctl.model import site as site_

PATIENCE = 3.0
"""Seconds for which a look is repeated: a person waits for it."""

ASKED = 10
"""Guests that are asked how much memory they use: enough for a median, few enough for an answer at once."""


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
        rows = [row for row in to.get("/cluster/resources", type="vm") if _ours(site, row)]
        # The list lags by up to 10 s (`proxmox-truth.md` 2.1), so some guests are asked themselves.
        asked = [_now(to, row) for row in rows[:ASKED]]
    finally:
        to.close()
    running = [int(one.get("mem") or 0) for one in asked if one.get("status") == "running"]
    others = sum(row.get("status") == "running" for row in rows[ASKED:])
    lines = [f"{site.cluster.url} answers as Proxmox VE {version.get('version')} ({version.get('release')})"]
    return Sight(tuple(lines), len(running) + others, round(statistics.median(running)) if running else 0)


def _now(to: client.Client, row: dict[str, Any]) -> dict[str, Any]:
    """A guest's own word; empty when it went meanwhile (a token then gets 403: `client-sequence.md` 4)."""
    try:
        said = to.get(f"/nodes/{row['node']}/{row['type']}/{row['vmid']}/status/current")
    except (errors.Forbidden, errors.NotFound):
        return {}
    return said if isinstance(said, dict) else {}


def _ours(site: site_.Site, row: dict[str, Any]) -> bool:
    vmid = row.get("vmid")
    return isinstance(vmid, int) and not row.get("template") and marks.plot_of(site, vmid) is not None
