"""Guests, VMs and containers alike: look, clone, power, destruction. Each verb may be repeated.

A guest is ours when the first line of its description is our mark and names the very VMID it stands on
(`labctl.model.marks`); nothing else is ever written to or destroyed. What a guest's configuration should be is
`configuration`'s matter.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from labctl import errors
from labctl.drivers.proxmox import answers, cluster, tasks
from labctl.model import marks

STAND_IN_NODE = "containers stand in for VMs"
"""What labctl's own sandbox node adds to its `pveversion`."""


class StoodOn(errors.Busy):
    """A template with linked clones: no use in waiting here, those who use the clones decide."""


_KINDS = {"vm": "qemu", "container": "lxc"}
_SETTLED_WITHIN = 300.0
"""Seconds to wait for a lock on a guest whose task may still be running."""

_AHEAD = 3600.0
"""Seconds: as if its class began an hour earlier."""

_CLONES, _DESTROYS, _STARTS = {"start": 3, "most": 12}, {"start": 3, "most": 4}, {"start": 6, "most": 32}
"""How many go at once in the beginning (`proxmox-truth.md` 4, best practice 2), and the most that is ever tried; in between the gates
learn. Removals have gates of their own, so that no queue of builds can hold them up; narrow ones, for a VM whose volume cannot be freed
for want of the storage's lock is removed all the same, and the volume stays (qemu-server `QemuServer.pm`, destroy_vm).
"""


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


@dataclass(frozen=True)
class Clone:
    """A guest's configuration; `new` when it has just been made, so that it is off and nobody has changed it."""

    config: dict[str, Any]
    new: bool


def clone(to: cluster.Cluster, place: Place, source: Source, mark: marks.Mark, *, name: str, note: str, pool: str) -> Clone:
    """A linked clone of template `source` as `place`, or what is already there when it is ours; unlocked. It is asked for at once:
    nearly every VMID is free, and of a taken one Proxmox says so (`client-sequence.md` 5).
    """
    until, pause, vacant, new = time.monotonic() + _SETTLED_WITHIN, 0.5, True, False
    while True:
        try:
            if vacant:
                new = _try_clone(to, place, source, name=name, description=f"{mark}\n{note}", pool=pool)
        except errors.Busy:
            if to.stop.is_set() or time.monotonic() > until:
                raise
        config = look(to, place)
        if config is not None:
            must_be(mark, config, place)
            if not config.get("lock"):
                return Clone(config, new)
        vacant = config is None and to.free(place.vmid)
        if config is None and not vacant and not _cloning(to, source.node) and look(to, place) is None and not to.free(place.vmid):
            raise errors.Conflict(
                f"VMID {place.vmid} is taken by a guest outside pool {pool}",
                hint="The installation's VMID range must be its own: see vmid_base in site.yaml.",
            )
        if time.monotonic() > until:
            raise errors.Busy(f"{place} is still being made by an earlier attempt")
        to.pause(pause * random.uniform(0.7, 1.3), f"the clone of {place}")  # noqa: S311 - no secret
        pause = min(pause * 1.5, 8.0)


def _try_clone(to: cluster.Cluster, place: Place, source: Source, *, name: str, description: str, pool: str) -> bool:
    """One attempt; whether it made the clone. When the outcome is unknown, or somebody was faster, the caller looks
    (`proxmox-truth.md` 3.6).
    """
    label = "name" if place.kind == "vm" else "hostname"
    doing = f"cloning {place} from template {source.vmid}"
    path = f"/nodes/{source.node}/{_KINDS[place.kind]}/{source.vmid}/clone"
    target = place.node if place.node != source.node else None
    facts = {"newid": place.vmid, "description": description, "pool": pool, "full": False, "target": target, label: name}
    try:
        with contextlib.ExitStack() as gates:
            if place.kind == "container":  # its source is locked for the clone's whole time (3.5)
                gates.enter_context(to.gate("clone-of", source.node, str(source.vmid), start=1, most=1))
            # Who holds a template goes before those who hold nothing: others wait for it.
            ahead = _AHEAD if place.kind == "container" else 0.0
            gates.enter_context(to.gate("clone", to.scope(source.node), to.storage, **_CLONES, ahead=ahead))
            to.finish(to.client.once("POST", path, **facts), doing)
            return True
    except answers.UnknownOutcome:
        to.pause(1.0, doing)
    except errors.Conflict:
        if to.free(place.vmid):  # not the VMID is taken, but a volume left behind, say: trying again would not help
            raise
    return False


_CLONING, _DESTROYING = {"qmclone", "vzclone", "qmcreate", "vzcreate"}, {"qmdestroy", "vzdestroy"}
"""Kinds of tasks."""


def _cloning(to: cluster.Cluster, *nodes: str) -> bool:
    return _running(to, _CLONING, *nodes)


def _running(to: cluster.Cluster, kinds: Collection[str], *nodes: str) -> bool:
    return any(row.get("type") in kinds for node in nodes for row in tasks.running(to.client, node))


def status(to: cluster.Cluster, place: Place) -> dict[str, Any]:
    """`status/current`: the truth, where `resources` lags by 10 s (`proxmox-truth.md` 2.1)."""
    return dict(to.client.get(f"{place.path}/status/current"))


def is_running(to: cluster.Cluster, place: Place) -> bool:
    """Whether the guest is on."""
    return status(to, place).get("status") == "running"


def start(to: cluster.Cluster, place: Place, *, is_off: bool = False) -> bool:
    """Start it unless it runs; False when it ran already. With `is_off` the caller has just made it, and nobody asks."""
    if not is_off and is_running(to, place):
        return False
    doing = f"starting {place}"
    for attempt in to.client.patiently(again):
        with attempt:
            try:
                with to.gate("start", place.node, **_STARTS):
                    to.finish(to.client.once("POST", f"{place.path}/status/start"), doing)
            except (errors.Conflict, answers.UnknownOutcome):  # "already running", or nobody knows (3.7)
                if not _runs_within(to, place, 30.0):
                    raise
    return True


def again(error: Exception) -> bool:
    """Verbs on guests look before they act, so an unknown outcome may be tried again like a lock that was not got."""
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
    for attempt in to.client.patiently(again):
        with attempt:
            if not is_running(to, place):
                return
            try:
                _switch_off(to, place)
            except (errors.Conflict, answers.UnknownOutcome):
                if is_running(to, place):
                    raise errors.Busy(f"{place} does not stop") from None


def _switch_off(to: cluster.Cluster, place: Place) -> None:
    """For a VM that is off already this is nothing (`client-sequence.md` 6)."""
    to.finish(to.client.post(f"{place.path}/status/stop", **{"overrule-shutdown": True}), f"stopping {place}")


def destroy(to: cluster.Cluster, place: Place, mark: marks.Mark | None) -> bool:
    """Stop and destroy our guest, until Proxmox says that its VMID is free; False when it was free before. With `mark` None
    the caller has already seen that it is ours.
    """
    until = time.monotonic() + _SETTLED_WITHIN
    for attempt in to.client.patiently(again):
        with attempt:
            config = look(to, place)
            if config is None:
                return _gone(to, place, until)
            if config.get("lock") == "destroyed" and not _running(to, _DESTROYING, place.node):
                raise _shell(place)
            if mark is not None:
                must_be(mark, config, place)
            if config.get("protection"):  # a clone inherits it from its template (`client-sequence.md` 5)
                to.client.put(f"{place.path}/config", delete="protection")
            if place.kind == "vm":
                _switch_off(to, place)
            found = marks.read_mark(config.get("description"), place.vmid)
            if _delete(to, place).startswith("WARNINGS") and place.kind == "vm" and found and to.pool:
                _reclaim(to, place, found)
    return True


def _shell(place: Place) -> errors.PermanentError:
    """What a destruction leaves that fails when all but the entry is gone, as where the lock on user.cfg is not got in time: only root may
    take that away (`proxmox-truth.md` 2.1 delete, 3.4).
    """
    tool = "qm" if place.kind == "vm" else "pct"
    return errors.PermanentError(
        f"{place} is an empty shell: Proxmox failed at the end of destroying it, and lets only root go on. "
        f"Run `{tool} unlock {place.vmid}` as root on node {place.node}; labctl then removes it"
    )


def _reclaim(to: cluster.Cluster, place: Place, mark: marks.Mark) -> None:
    """A VM goes although a volume of it could not be freed (qemu-server `QemuServer.pm`, destroy_vm), and the volume is out of reach until
    there is a VM of that number in our pool again (`client-sequence.md` 4): an empty one is made, and goes with all that has its number.
    """
    path = f"/nodes/{place.node}/{_KINDS[place.kind]}"
    doing = f"freeing what {place} left on its storage"
    for attempt in to.client.patiently(again):
        with attempt:
            if look(to, place) is None:
                to.finish(to.client.post(path, vmid=place.vmid, pool=to.pool, description=str(mark)), doing)
            with to.gate("destroy", to.scope(place.node), to.storage, **_DESTROYS):
                to.finish(to.client.once("DELETE", place.path, purge=True, **{"destroy-unreferenced-disks": True}), doing)


def _delete(to: cluster.Cluster, place: Place) -> str:
    """How the task ended. A running container goes with `force` (schema, DELETE lxc); a VM has to be off."""
    end = "OK"
    parameters = {"purge": True} | ({"force": True} if place.kind == "container" else {})
    try:
        with to.gate("destroy", to.scope(place.node), to.storage, **_DESTROYS):
            end = to.finish(to.client.once("DELETE", place.path, **parameters), f"destroying {place}")
    except (errors.NotFound, errors.Forbidden, answers.UnknownOutcome):
        if look(to, place) is not None:  # 403 and "does not exist" are how a second DELETE reads (`client-sequence.md` 4)
            raise
    except errors.Conflict as error:
        if "in use by linked clone" in str(error):  # a template outlives its clones (`client-sequence.md` 4)
            raise StoodOn(f"{place} is a template that linked clones still stand on") from error
        raise errors.Busy(str(error)) from error
    if not to.free(place.vmid):
        raise errors.Busy(f"VMID {place.vmid} is still taken after its guest was destroyed")
    return end


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
    """Nodes that the cluster does not know to be down (`proxmox-truth.md` 2.1, `GET /nodes`): it says "unknown" of one that has just
    started.
    """
    return sorted(str(row["node"]) for row in to.client.get("/nodes") if row.get("status") != "offline")
