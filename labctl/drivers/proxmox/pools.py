"""Pools: one per environment, nested in the site's; its comment is its mark.

Nested pools answer only to `?poolid=` (`client-sequence.md` 6). No ACL is ever written on them: it would survive the pool
(`client-sequence.md` 3), and no guest is ever taken out of its pool, for that locks labctl out.
"""

from __future__ import annotations

from typing import Any

from labctl import errors
from labctl.drivers.proxmox import answers, cluster


def look(to: cluster.Cluster, poolid: str) -> dict[str, Any] | None:
    """The pool with `comment` and `members`, or None."""
    try:
        rows = to.client.get("/pools", poolid=poolid)
    except errors.NotFound:
        return None
    return dict(rows[0]) if rows else None


def ensure(to: cluster.Cluster, poolid: str, comment: str) -> None:
    """Make the pool, or adopt it when it carries our comment. Raises Conflict when it is somebody else's."""
    try:
        to.write("pools", "POST", "/pools", poolid=poolid, comment=comment)
    except (errors.Conflict, answers.UnknownOutcome) as error:
        found = look(to, poolid)
        if found is None:
            raise
        theirs = str(found.get("comment") or "").strip()
        if theirs != comment:
            raise errors.Conflict(f"pool {poolid} exists and is not marked as ours ({theirs!r})") from error


def remove(to: cluster.Cluster, poolid: str, comment: str) -> bool:
    """Remove our pool; False when there was none. Raises Conflict when it is not ours or not empty."""
    found = look(to, poolid)
    if found is None:
        return False
    if str(found.get("comment") or "").strip() != comment:
        raise errors.Conflict(f"pool {poolid} is not marked as ours, so it stays")
    try:
        to.write("pools", "DELETE", "/pools", poolid=poolid)
    except (errors.NotFound, answers.UnknownOutcome):
        if look(to, poolid) is not None:
            raise
    return True
