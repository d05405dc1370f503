"""Snapshots of guests: what a reset goes back to, and what was there before one. Each verb may be repeated.

`known` are the names that the caller has just read; without it, and whenever something has to be tried again, they are read here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from labctl import errors
from labctl.drivers.proxmox import cluster, guests

READY = "ready"
"""The snapshot to which a reset goes back."""

BEFORE = "before-"
"""Snapshots of what was there before a reset begin with this."""

FORWARD = frozenset({"dir", "nfs", "cifs", "btrfs", "lvmthin", "rbd"})
"""Storages on which a guest can go back past a newer snapshot and forward again. `zfspool` cannot (only to the newest one: "is not
most recent snapshot"), nor can `lvm` with its chains of volumes."""

_AT_ONCE = {"start": 4, "most": 12}


def names(to: cluster.Cluster, place: guests.Place) -> set[str]:
    """Names of the guest's snapshots."""
    return {str(row["name"]) for row in to.client.get(f"{place.path}/snapshot")} - {"current"}


def keep(to: cluster.Cluster, place: guests.Place, name: str = READY) -> None:
    """Take the snapshot; an older one of that name gives way."""
    for attempt in to.client.patiently(guests.again):
        with attempt:
            try:
                _take(to, place, name)
            except errors.Conflict:  # "snapshot name 'x' already used"
                if name not in names(to, place):
                    raise
                _delete(to, place, name)
                _take(to, place, name)


def keep_once(to: cluster.Cluster, place: guests.Place, name: str, *, known: Collection[str] | None = None) -> None:
    """Take the snapshot unless it is there: a repeated reset must not replace what was there before the first."""
    for attempt in to.client.patiently(guests.again):
        with attempt:
            there = names(to, place) if known is None or attempt.num > 1 else known
            if name not in there:
                _take(to, place, name)


def forget(to: cluster.Cluster, place: guests.Place, *, but: str = "", known: Collection[str] | None = None) -> None:
    """Delete what was kept before resets, except the one named."""
    for attempt in to.client.patiently(guests.again):
        with attempt:
            there = names(to, place) if known is None or attempt.num > 1 else known
            for name in sorted(there):
                if name.startswith(BEFORE) and name != but:
                    _delete(to, place, name)


def roll_back(to: cluster.Cluster, place: guests.Place, name: str = READY, *, known: Collection[str] | None = None) -> None:
    """Back to the snapshot and started. Raises PermanentError where there is no such snapshot."""
    doing = f"rolling {place} back to {name}"
    for attempt in to.client.patiently(guests.again):
        with attempt:
            there = names(to, place) if known is None or attempt.num > 1 else known
            if name not in there:
                raise errors.PermanentError(f"{place} has no snapshot {name!r} to go back to", hint="Close the seat and build it anew.")
            with _gate(to, place, "rollback"):
                to.finish(to.client.once("POST", f"{place.path}/snapshot/{name}/rollback", start=True), doing)
    guests.start(to, place)


def _take(to: cluster.Cluster, place: guests.Place, name: str) -> None:
    with _gate(to, place, "snapshot"):
        to.finish(to.client.once("POST", f"{place.path}/snapshot", snapname=name), f"taking snapshot {name} of {place}")


def _delete(to: cluster.Cluster, place: guests.Place, name: str) -> None:
    with _gate(to, place, "snapshot"):
        to.finish(to.client.once("DELETE", f"{place.path}/snapshot/{name}"), f"deleting snapshot {name} of {place}")


def _gate(to: cluster.Cluster, place: guests.Place, what: str) -> contextlib.AbstractContextManager[None]:
    return to.gate(what, to.scope(place.node), to.storage, **_AT_ONCE)
