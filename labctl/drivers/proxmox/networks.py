"""VNets: pending until one apply carries them to the nodes; their alias is their mark.

Applies are single-flight over all of labctl's processes: whoever holds the turn applies everything that is pending, and
those who waited find theirs applied and do nothing (`proxmox-truth.md` 3.11, `client-sequence.md` 6). Rollback and forced
unlocking are never called: they would take other people's changes away.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import answers, cluster

_ON_NODE_WITHIN = 60.0
"""Seconds for a node's own reload after the apply task said OK, which it does even when a node failed (`proxmox-truth.md` 2.1)."""


def rows(to: cluster.Cluster, *, pending: bool = True) -> list[dict[str, Any]]:
    """All VNets the token may see. With `pending`, a row has `state` new, changed or deleted until it is applied."""
    return [dict(row) for row in to.client.get("/cluster/sdn/vnets", pending=pending or None)]


def look(to: cluster.Cluster, vnet: str) -> dict[str, Any] | None:
    """The VNet's row (pending values on top), or None; a removed but not yet applied one has `state` deleted."""
    for row in rows(to):
        if row.get("vnet") == vnet:
            return row | {key: value for key, value in (row.get("pending") or {}).items() if value != "deleted"}
    return None


def ensure(to: cluster.Cluster, vnet: str, *, zone: str, tag: int | None, alias: str, nodes: Iterable[str]) -> None:
    """Make or adopt the VNet and bring it onto the nodes. Raises Conflict when the name is somebody else's."""
    found = look(to, vnet)
    if found is not None and found.get("state") == "deleted":
        apply(to, vnet)
        found = None
    if found is None:
        try:
            to.client.post("/cluster/sdn/vnets", vnet=vnet, zone=zone, tag=tag, alias=alias)
        except (errors.Conflict, answers.UnknownOutcome):
            found = look(to, vnet)
            if found is None:
                raise
    if found is not None:
        _must_be_ours(found, vnet, alias)
        _correct(to, vnet, found, zone=zone, tag=tag)
    apply(to, vnet)
    for node in sorted(set(nodes)):
        _await_on(to, node, zone, vnet)


def _must_be_ours(found: dict[str, Any], vnet: str, alias: str) -> None:
    theirs = str(found.get("alias") or "")
    if theirs != alias:
        raise errors.Conflict(f"VNet {vnet} exists and is not marked as ours ({theirs!r})")


def _correct(to: cluster.Cluster, vnet: str, found: dict[str, Any], *, zone: str, tag: int | None) -> None:
    if found.get("zone") != zone or (tag is not None and str(found.get("tag")) != str(tag)):
        to.client.put(f"/cluster/sdn/vnets/{vnet}", zone=zone, tag=tag)


def apply(to: cluster.Cluster, vnet: str) -> None:
    """One apply for all, unless `vnet` is no longer pending when the turn comes."""
    with to.turns.turn("sdn"):
        for attempt in to.client.patiently(_again):
            with attempt:
                found = look(to, vnet)
                if found is None or not found.get("state"):
                    return
                to.finish(to.client.put("/cluster/sdn"), "applying the SDN configuration")


def _again(error: Exception) -> bool:
    """An apply may be repeated: with nothing pending it does nothing (`client-sequence.md` 4)."""
    return isinstance(error, (errors.Busy, answers.UnknownOutcome)) and not isinstance(error, answers.Stopped)


def _await_on(to: cluster.Cluster, node: str, zone: str, vnet: str) -> None:
    until = time.monotonic() + _ON_NODE_WITHIN
    while vnet not in {str(row.get("vnet")) for row in to.client.get(f"/nodes/{node}/sdn/zones/{zone}/content")}:
        if time.monotonic() > until:
            raise errors.Busy(
                f"node {node} has not taken VNet {vnet} up after {_ON_NODE_WITHIN:.0f} s", hint="Look at the node's network reload."
            )
        to.pause(0.3, f"VNet {vnet} on node {node}")


def remove(to: cluster.Cluster, vnet: str, alias: str) -> bool:
    """Remove our VNet and apply; False when there was none. Raises Conflict when it is not ours."""
    found = look(to, vnet)
    if found is None:
        return False
    if found.get("state") != "deleted":
        _must_be_ours(found, vnet, alias)
        try:
            to.client.delete(f"/cluster/sdn/vnets/{vnet}")
        except (errors.NotFound, answers.UnknownOutcome):
            again = look(to, vnet)
            if again is not None and again.get("state") != "deleted":
                raise
    apply(to, vnet)
    return True
