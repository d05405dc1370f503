"""Guests, VMs and containers alike: look, clone, power, snapshots, destruction. Each verb may be repeated.

A guest is ours when the first line of its description is our mark and names the very VMID it stands on
(`labctl.model.marks`); nothing else is ever written to or destroyed. What a guest's configuration should be is
`configuration`'s matter.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from labctl import errors
from labctl.drivers.proxmox import answers, cluster, tasks
from labctl.model import marks

READY = "ready"
"""The snapshot to which a reset goes back."""

STAND_IN_NODE = "containers stand in for VMs"
"""What labctl's own sandbox node adds to its `pveversion`."""

BEFORE = "before-"
"""Snapshots of what was there before a reset begin with this."""

FORWARD = frozenset({"dir", "nfs", "cifs", "btrfs", "lvmthin", "rbd"})
"""Storages on which a guest can go back past a newer snapshot and forward again. `zfspool` cannot (only to the newest one: "is not
most recent snapshot"), nor can `lvm` with its chains of volumes."""


class StoodOn(errors.Busy):
    """A template with linked clones: no use in waiting here, those who use the clones decide."""


_KINDS = {"vm": "qemu", "container": "lxc"}
_SETTLED_WITHIN = 300.0
"""Seconds to wait for a lock on a guest whose task may still be running."""
_CLONES_AT_ONCE = 3
_STARTS_AT_ONCE = 6
"""Per node (`proxmox-truth.md` 4, best practice 2)."""


@dataclass(frozen=True)
class Place:
    """Where a guest is or shall be."""

    node: str
    kind: Literal["vm", "container"]
    vmid: int

    @property
    def path(self) -> str:
        """The guest's path in the API."""
        return f"/nodes/{self.node}/{_KINDS[self.kind]}/{self.vmid}"

    def __str__(self) -> str:
        return f"{self.kind} {self.vmid}"


def look(to: cluster.Cluster, place: Place) -> dict[str, Any] | None:
    """The guest's configuration, or None when there is none that we may see (403 covers gone, foreign and being cloned:
    `client-sequence.md` 4, 5).
    """
    try:
        return dict(to.client.get(f"{place.path}/config"))
    except (errors.NotFound, errors.Forbidden):
        return None


def must_be(mark: marks.Mark, config: dict[str, Any], place: Place) -> None:
    """Raises Conflict unless the guest carries this very mark."""
    found = marks.read_mark(config.get("description"), place.vmid)
    if found != mark:
        owner = f"environment {found.environment} of {found.installation}" if found else "nobody that labctl knows"
        raise errors.Conflict(f"{place} belongs to {owner}, not to {mark.environment}: labctl does not touch it")


@dataclass(frozen=True)
class Source:
    """The template of a clone. A clone is asked for on the template's own node; where the storage is shared, it may be sent to
    another one (`proxmox-truth.md` 3.5: `target`).
    """

    node: str
    vmid: int


def clone(to: cluster.Cluster, place: Place, source: Source, mark: marks.Mark, *, name: str, note: str, pool: str) -> dict[str, Any]:
    """A linked clone of template `source` as `place`, or what is already there when it is ours; its configuration, unlocked."""
    until = time.monotonic() + _SETTLED_WITHIN
    while True:
        config = look(to, place)
        if config is not None:
            must_be(mark, config, place)
            if not config.get("lock"):
                return config
        elif to.free(place.vmid):
            try:
                _try_clone(to, place, source, name=name, description=f"{mark}\n{note}", pool=pool)
                continue
            except errors.Busy:
                if to.stop.is_set() or time.monotonic() > until:
                    raise
        elif not _cloning(to, source.node) and look(to, place) is None and not to.free(place.vmid):
            raise errors.Conflict(
                f"VMID {place.vmid} is taken by a guest outside pool {pool}",
                hint="The installation's VMID range must be its own: see vmid_base in site.yaml.",
            )
        if time.monotonic() > until:
            raise errors.Busy(f"{place} is still being made by an earlier attempt")
        to.pause(0.5, f"the clone of {place}")


def _try_clone(to: cluster.Cluster, place: Place, source: Source, *, name: str, description: str, pool: str) -> None:
    """One attempt. When the outcome is unknown, or somebody was faster, the caller looks again (`proxmox-truth.md` 3.6)."""
    label = "name" if place.kind == "vm" else "hostname"
    if place.kind == "container":  # its source is locked for the clone's whole time (3.5)
        turn, places = f"clone-{source.node}-{source.vmid}", 1
    else:
        turn, places = f"clone-{source.node}", _CLONES_AT_ONCE
    doing = f"cloning {place} from template {source.vmid}"
    path = f"/nodes/{source.node}/{_KINDS[place.kind]}/{source.vmid}/clone"
    target = place.node if place.node != source.node else None
    with to.turns.turn(turn, places=places):
        try:
            upid = to.client.post(path, newid=place.vmid, description=description, pool=pool, full=False, target=target, **{label: name})
            to.finish(upid, doing)
        except answers.UnknownOutcome:
            to.pause(1.0, doing)
        except errors.Conflict:
            if to.free(place.vmid):  # not the VMID is taken, but a volume left behind, say: trying again would not help
                raise


def _cloning(to: cluster.Cluster, *nodes: str) -> bool:
    kinds = {"qmclone", "vzclone", "qmcreate", "vzcreate"}
    return any(row.get("type") in kinds for node in nodes for row in tasks.running(to.client, node))


def status(to: cluster.Cluster, place: Place) -> dict[str, Any]:
    """`status/current`: the truth, where `resources` lags by 10 s (`proxmox-truth.md` 2.1)."""
    return dict(to.client.get(f"{place.path}/status/current"))


def is_running(to: cluster.Cluster, place: Place) -> bool:
    """Whether the guest is on."""
    return status(to, place).get("status") == "running"


def start(to: cluster.Cluster, place: Place) -> bool:
    """Start it unless it runs; False when it ran already."""
    if is_running(to, place):
        return False
    doing = f"starting {place}"
    with to.turns.turn(f"start-{place.node}", places=_STARTS_AT_ONCE):
        for attempt in to.client.patiently(_again):
            with attempt:
                try:
                    to.finish(to.client.post(f"{place.path}/status/start"), doing)
                except (errors.Conflict, answers.UnknownOutcome):  # "already running", or nobody knows (3.7)
                    if not _runs_within(to, place, 30.0):
                        raise
    return True


def _again(error: Exception) -> bool:
    """Verbs here look before they act, so an unknown outcome may be tried again like a lock that was not got."""
    return isinstance(error, (errors.Busy, answers.UnknownOutcome)) and not isinstance(error, (answers.Stopped, StoodOn))


def _runs_within(to: cluster.Cluster, place: Place, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not is_running(to, place):
        if time.monotonic() > until:
            return False
        to.pause(0.5, f"starting {place}")
    return True


def stop(to: cluster.Cluster, place: Place) -> None:
    """Switch it off at once; a shutdown that hangs is overruled (`proxmox-truth.md` 3.7)."""
    doing = f"stopping {place}"
    for attempt in to.client.patiently(_again):
        with attempt:
            if not is_running(to, place):
                return
            try:
                to.finish(to.client.post(f"{place.path}/status/stop", **{"overrule-shutdown": True}), doing)
            except (errors.Conflict, answers.UnknownOutcome):
                if is_running(to, place):
                    raise errors.Busy(f"{place} does not stop") from None


def destroy(to: cluster.Cluster, place: Place, mark: marks.Mark | None) -> bool:
    """Stop and destroy our guest, until Proxmox says that its VMID is free; False when it was free before. With `mark` None
    the caller has already seen that it is ours.
    """
    until = time.monotonic() + _SETTLED_WITHIN
    for attempt in to.client.patiently(_again):
        with attempt:
            config = look(to, place)
            if config is None:
                return _gone(to, place, until)
            if mark is not None:
                must_be(mark, config, place)
            if config.get("protection"):  # a clone inherits it from its template (`client-sequence.md` 5)
                to.client.put(f"{place.path}/config", delete="protection")
            stop(to, place)
            _delete(to, place)
    return True


def _delete(to: cluster.Cluster, place: Place) -> None:
    try:
        to.finish(to.client.delete(place.path, purge=True), f"destroying {place}")
    except (errors.NotFound, errors.Forbidden, answers.UnknownOutcome):
        if look(to, place) is not None:  # 403 and "does not exist" are how a second DELETE reads (`client-sequence.md` 4)
            raise
    except errors.Conflict as error:
        if "in use by linked clone" in str(error):  # a template outlives its clones (`client-sequence.md` 4)
            raise StoodOn(f"{place} is a template that linked clones still stand on") from error
        raise errors.Busy(str(error)) from error
    if not to.free(place.vmid):
        raise errors.Busy(f"VMID {place.vmid} is still taken after its guest was destroyed")


def _gone(to: cluster.Cluster, place: Place, until: float) -> bool:
    """Nothing to see: gone, or an earlier clone of ours still runs, or not ours at all."""
    if to.free(place.vmid):
        return False
    # The clone may have been asked for on another node, where its template is.
    if time.monotonic() < until and _cloning(to, *cluster_nodes(to)):
        raise errors.Busy(f"{place} is still being cloned")
    if look(to, place) is None and not to.free(place.vmid):
        raise errors.Forbidden(f"VMID {place.vmid} is taken by a guest that labctl may not see, so it stays")
    raise errors.Busy(f"{place} has just appeared")


def cluster_nodes(to: cluster.Cluster) -> list[str]:
    """Nodes that are up, as the cluster sees it (`proxmox-truth.md` 2.1, `GET /nodes`)."""
    return sorted(str(row["node"]) for row in to.client.get("/nodes") if row.get("status", "online") == "online")


def snapshots(to: cluster.Cluster, place: Place) -> set[str]:
    """Names of the guest's snapshots."""
    return {str(row["name"]) for row in to.client.get(f"{place.path}/snapshot")} - {"current"}


def keep_once(to: cluster.Cluster, place: Place, name: str) -> None:
    """Take the snapshot unless it is there: a repeated reset must not replace what was there before the first."""
    for attempt in to.client.patiently(_again):
        with attempt:
            if name not in snapshots(to, place):
                to.finish(to.client.post(f"{place.path}/snapshot", snapname=name), f"taking snapshot {name} of {place}")


def forget(to: cluster.Cluster, place: Place, *, but: str = "") -> None:
    """Delete what was kept before resets, except the one named."""
    for attempt in to.client.patiently(_again):
        with attempt:
            for name in sorted(snapshots(to, place)):
                if name.startswith(BEFORE) and name != but:
                    to.finish(to.client.delete(f"{place.path}/snapshot/{name}"), f"deleting snapshot {name} of {place}")


def keep(to: cluster.Cluster, place: Place, name: str = READY) -> None:
    """Take the snapshot; an older one of that name gives way."""
    for attempt in to.client.patiently(_again):
        with attempt:
            if name in snapshots(to, place):
                to.finish(to.client.delete(f"{place.path}/snapshot/{name}"), f"deleting snapshot {name} of {place}")
            to.finish(to.client.post(f"{place.path}/snapshot", snapname=name), f"taking snapshot {name} of {place}")


def roll_back(to: cluster.Cluster, place: Place, name: str = READY) -> None:
    """Back to the snapshot and started. Raises PermanentError where there is no such snapshot."""
    for attempt in to.client.patiently(_again):
        with attempt:
            if name not in snapshots(to, place):
                raise errors.PermanentError(f"{place} has no snapshot {name!r} to go back to", hint="Close the seat and build it anew.")
            to.finish(to.client.post(f"{place.path}/snapshot/{name}/rollback"), f"rolling {place} back to {name}")
    start(to, place)
