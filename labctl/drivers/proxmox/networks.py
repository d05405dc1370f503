"""VNets: pending until one apply carries them to the nodes; their alias is their mark.

An apply reloads the network of every node and takes seconds (`proxmox-truth.md` 3.11), so all that is pending when it begins goes
with it: changes of all of labctl's processes ride in waves (`labctl.drivers.waves`), one apply each, creations and removals alike,
and each rider learns how it ended and whether the nodes have its VNet. Rollback and forced unlocking are never called: they would
take other people's changes away.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import answers, cluster

_ON_NODE_WITHIN = 60.0
"""Seconds for a node's own reload after the apply task said OK, which it does even when a node failed (`proxmox-truth.md` 0)."""

_REAPPLY_AFTER = 2.0
"""Seconds after which a node that does not show a VNet is given another apply; doubled each time."""

_SHARED: tuple[type[errors.LabctlError], ...] = (
    errors.Unreachable, errors.Busy, errors.Forbidden, errors.NotFound, errors.Conflict, errors.PermanentError,
)  # fmt: skip
"""How an apply may fail, as its riders raise it."""


def rows(to: cluster.Cluster, *, pending: bool = True) -> list[dict[str, Any]]:
    """All VNets the token may see. With `pending`, a row has `state` new, changed or deleted until it is applied."""
    return [dict(row) for row in to.client.get("/cluster/sdn/vnets", pending=pending or None)]


def look(to: cluster.Cluster, vnet: str) -> dict[str, Any] | None:
    """The VNet's row (pending values on top), or None. One that is removed and not yet applied is None too, or has `state` deleted:
    Proxmox asks its permissions by what is written, not by what runs (pve-network `Vnets.pm`, read).
    """
    try:
        row = dict(to.client.get(f"/cluster/sdn/vnets/{vnet}", pending=True))
    except errors.NotFound:
        return None
    return row | {key: value for key, value in (row.get("pending") or {}).items() if value != "deleted"}


def ensure(to: cluster.Cluster, vnet: str, *, zone: str, tag: int | None, alias: str, nodes: Iterable[str]) -> None:
    """Make or adopt the VNet and bring it onto the nodes. Raises Conflict when the name is somebody else's."""
    wanted, pending = sorted(set(nodes)), True
    try:
        to.write("sdn", "POST", "/cluster/sdn/vnets", vnet=vnet, zone=zone, tag=tag, alias=alias)
    except (errors.Conflict, answers.UnknownOutcome):
        found = look(to, vnet)
        if found is None or found.get("state") == "deleted":
            raise
        _must_be_ours(found, vnet, alias)
        pending = _correct(to, vnet, found, zone=zone, tag=tag) or bool(found.get("state"))
    missing = wanted
    if not pending:
        missing = [node for node in wanted if vnet not in _content(to, node, zone)]
        if not missing:
            return
    _bring(to, vnet, zone, missing)


def _must_be_ours(found: dict[str, Any], vnet: str, alias: str) -> None:
    theirs = str(found.get("alias") or "")
    if theirs != alias:
        raise errors.Conflict(f"VNet {vnet} exists and is not marked as ours ({theirs!r})")


def _correct(to: cluster.Cluster, vnet: str, found: dict[str, Any], *, zone: str, tag: int | None) -> bool:
    wrong = found.get("zone") != zone or (tag is not None and str(found.get("tag")) != str(tag))
    if wrong:
        to.write("sdn", "PUT", f"/cluster/sdn/vnets/{vnet}", zone=zone, tag=tag)
    return wrong


def _bring(to: cluster.Cluster, vnet: str, zone: str, nodes: list[str]) -> None:
    """Onto the nodes. One that failed to take it gets another apply: the task does not tell (`proxmox-truth.md` 0)."""
    until, grace = time.monotonic() + _ON_NODE_WITHIN, _REAPPLY_AFTER
    while True:
        shown = apply(to, vnet, zone, nodes)
        again, grace = min(time.monotonic() + grace, until), 2 * grace
        while missing := [node for node in nodes if node not in shown]:
            if time.monotonic() > again:
                break
            to.pause(0.3, f"VNet {vnet} on node {missing[0]}")
            shown += [node for node in missing if vnet in _content(to, node, zone)]
        if not missing:
            return
        if time.monotonic() > until:
            raise errors.Busy(
                f"node {missing[0]} has not taken VNet {vnet} up after {_ON_NODE_WITHIN:.0f} s", hint="Look at the node's network reload."
            )
        nodes = missing


def apply(to: cluster.Cluster, vnet: str, zone: str = "", nodes: Sequence[str] = ()) -> list[str]:
    """Ride in the next apply; which of the nodes show the VNet after it. Raises what the apply was refused with."""
    outcome = to.waves.ride("sdn", [vnet, zone, list(nodes)], lambda asked: _wave(to, asked), cancelled=to.stop.is_set)
    if outcome["error"]:
        kind, text, hint = outcome["error"]
        raise next(one for one in _SHARED if one.__name__ == kind)(text, hint=hint)
    return [str(node) for node in outcome["shown"].get(vnet, [])]


def settle(to: cluster.Cluster) -> bool:
    """One apply whether or not anything is pending: an earlier one may have been written and not have reached the nodes. False: nothing
    of its own was removed.
    """
    apply(to, "")
    return False


def _wave(to: cluster.Cluster, asked: Sequence[list[Any]]) -> dict[str, Any]:
    """One apply for all who ask, then one look at each node and zone; in JSON, because other processes read it."""
    shown: dict[str, list[str]] = {}
    try:
        for attempt in to.client.patiently(_again):
            with attempt:
                to.finish(to.client.put("/cluster/sdn"), "applying the SDN configuration")
        for node, zone in sorted({(node, zone) for _vnet, zone, nodes in asked for node in nodes}):
            there = _content(to, node, zone)
            for vnet, its_zone, nodes in asked:
                if its_zone == zone and node in nodes and vnet in there:
                    shown.setdefault(vnet, []).append(node)
    except answers.Stopped:
        raise
    except errors.LabctlError as error:
        kind = next((one for one in _SHARED if isinstance(error, one)), errors.PermanentError)
        return {"error": [kind.__name__, error.message, error.hint], "shown": {}}
    return {"error": None, "shown": shown}


def _again(error: Exception) -> bool:
    """An apply may be repeated: with nothing pending it does nothing (`client-sequence.md` 4)."""
    return isinstance(error, (errors.Busy, answers.UnknownOutcome)) and not isinstance(error, answers.Stopped)


def _content(to: cluster.Cluster, node: str, zone: str) -> set[str]:
    """The zone's VNets that are up on the node; one whose bridge is missing is listed too, with another status (schema, content)."""
    rows = to.client.get(f"/nodes/{node}/sdn/zones/{zone}/content")
    return {str(row.get("vnet")) for row in rows if row.get("status", "available") == "available"}


def remove(to: cluster.Cluster, vnet: str, alias: str) -> bool:
    """Remove our VNet and apply; False when there was none. Raises Conflict when it is not ours."""
    found = look(to, vnet)
    if found is not None and found.get("state") != "deleted":
        _must_be_ours(found, vnet, alias)
        try:
            to.write("sdn", "DELETE", f"/cluster/sdn/vnets/{vnet}")
        except (errors.NotFound, answers.UnknownOutcome):
            again = look(to, vnet)
            if again is not None and again.get("state") != "deleted":
                raise
    elif not _leaving(to, vnet):
        return False
    apply(to, vnet)
    return True


def _leaving(to: cluster.Cluster, vnet: str) -> bool:
    """Whether a removal waits to be applied; only the list tells (see `look`)."""
    return any(row.get("vnet") == vnet and row.get("state") == "deleted" for row in rows(to))
