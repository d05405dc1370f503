"""Before anything is made: does the node answer, may the token, are templates and storage there, do memory and disk suffice.

Reads only. `survey` says what the cluster has, the sums are `labctl.model.capacity`'s. Each finding is an error in plain words, so
that the trainer reads one sentence instead of thirty failed seats.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

from labctl import errors
from labctl.drivers.proxmox import access, client, cluster, guests, networks
from labctl.model import capacity, marks, placing
from labctl.model import plan as plan_
from labctl.model import site as site_

MIB = 2**20
_NODES_AT_ONCE = 8
_UNITS = {"": 1 / MIB, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}


def check(to: cluster.Cluster, site: site_.Site, plans: Sequence[plan_.Plan]) -> tuple[plan_.Plan, ...]:
    """The same plans, each on the node where it is best built. Raises the first thing that would stop them from being built."""
    supply = survey(to, site, plans)
    placed = placing.spread(plans, site, supply)
    answer = capacity.fit(placed, supply, len(placed), plots=len(placed))
    if not answer.fits:
        text, hint = capacity.refusal(answer)
        raise errors.Conflict(text, hint=hint)
    return placed


def survey(to: cluster.Cluster, site: site_.Site, plans: Sequence[plan_.Plan]) -> capacity.Supply:
    """What the cluster has for these plans: all nodes that are up and have the storage, and templates that are there. Raises
    Forbidden, NotFound, Conflict or Unreachable where it is not a matter of how much.
    """
    findings = access.findings(to.client, site)
    if findings:
        raise errors.Forbidden(f"labctl's token lacks privileges: {'; '.join(findings)}", hint="`labctl doctor` lists the commands for IT.")
    sources = sorted(placing.sources(plans, site))
    # Those that the cluster knows to be down are not asked: each would cost a person the whole patience. Of one that has just started the
    # cluster has no figures yet and says "unknown".
    known = {str(row["node"]): row.get("status") != "offline" for row in to.client.get("/nodes")}
    wanted = sorted({name for name in (*known, *(node for node, _, _ in sources)) if known.get(name, True)})
    nodes = tuple(one for one in _asked([functools.partial(_node, to.client, site, node) for node in wanted]) if one)
    here = {node.name for node in nodes}
    templates = {}
    for node, kind, vmid in sources:
        if node in here:
            templates[node, vmid] = _template(to.client, node, kind, vmid)
    if not templates:
        names = ", ".join(sorted({node for node, _, _ in sources}))
        raise errors.Unreachable(f"no node that has the templates is up ({names})", hint="Look at the cluster, or wait until one is back.")
    return capacity.Supply(nodes, templates, _taken_vmids(to, plans), _taken_tags(to, site, plans))


def _asked(looks: Sequence[Callable[[], capacity.Node | None]]) -> Iterator[capacity.Node | None]:
    """All nodes at once: each look is two calls, and a person waits for the answer."""
    with futures.ThreadPoolExecutor(_NODES_AT_ONCE, thread_name_prefix="survey") as pool:
        yield from [job.result() for job in [pool.submit(look) for look in looks]]


def _template(to: client.Client, node: str, kind: str, vmid: int) -> int:
    """The size of its disk in MiB; 0 where its configuration does not say."""
    path = f"/nodes/{node}/{'qemu' if kind == 'vm' else 'lxc'}/{vmid}/config"
    try:
        config = to.get(path)
    except (errors.NotFound, errors.Forbidden) as error:
        raise errors.NotFound(
            f"there is no template {vmid} ({kind}) on node {node} that labctl may see",
            hint="Correct the image in site.yaml, or let IT put the template into the templates' pool.",
        ) from error
    if not int(config.get("template") or 0):
        raise errors.Conflict(f"guest {vmid} on node {node} is not a template", hint="Convert it to a template, or correct site.yaml.")
    return _disk_size(config)


def _disk_size(config: Mapping[str, Any]) -> int:
    found = 0.0
    for key, value in config.items():
        is_disk = re.fullmatch(r"(rootfs|mp\d+|(scsi|virtio|sata|ide)\d+)", key) and "media=cdrom" not in str(value)
        size = re.search(r"\bsize=(\d+(?:\.\d+)?)([KMGT]?)\b", str(value)) if is_disk else None
        found += float(size[1]) * _UNITS[size[2]] if size else 0
    return round(found)


def _node(to: client.Client, site: site_.Site, node: str) -> capacity.Node | None:
    """None where it is down or does not have the storage now: then nothing is built there. Raises NotFound for one that never was."""
    try:
        status = to.get(f"/nodes/{node}/status")
        storage = to.get(f"/nodes/{node}/storage/{site.storage}/status")
    except errors.Unreachable as error:
        if not error.node:
            raise
        return None
    except (errors.NotFound, errors.Forbidden) as error:
        raise errors.NotFound(f"there is no node {node} that labctl may see", hint="Correct the node in site.yaml.") from error
    memory = status.get("memory") or {}
    free = int(memory.get("available") or memory.get("free") or 0) // MIB
    lean = guests.STAND_IN_NODE in str(status.get("pveversion"))
    if not storage.get("active") or not storage.get("enabled"):
        return None
    space = int(storage.get("avail") or 0) // MIB
    return capacity.Node(node, free, space, site.storage, shared=bool(storage.get("shared")), lean=lean)


def _taken_vmids(to: cluster.Cluster, plans: Sequence[plan_.Plan]) -> frozenset[int]:
    """Guests that stand on planned VMIDs and are not the plans' own. Those that labctl may not see are found when cloning."""
    owners = {machine.vmid: (plan, machine) for plan in plans for machine in plan.machines}
    taken = set()
    for row in to.client.get("/cluster/resources", type="vm"):
        vmid = int(row["vmid"])
        if vmid not in owners:
            continue
        plan, machine = owners[vmid]
        try:
            config = guests.look(to, guests.Place(str(row["node"]), machine.kind, vmid))
        except errors.Unreachable:  # on a node that is down: whose it is cannot be read, but it has the number
            if str(row["node"]) in plan.avoid:
                continue  # what the plan itself left there, when it had to go
            config = None
        mark = marks.read_mark((config or {}).get("description"), vmid)
        if mark is None or mark.environment != plan.environment or mark.installation != plan.installation:
            taken.add(vmid)
    return frozenset(taken)


def _taken_tags(to: cluster.Cluster, site: site_.Site, plans: Sequence[plan_.Plan]) -> frozenset[int]:
    owners = {network.tag: plan for plan in plans for network in plan.networks if network.tag is not None}
    if not owners:
        return frozenset()
    taken = set()
    for row in networks.rows(to, pending=False):
        plan = owners.get(int(row.get("tag") or 0))
        alias = str(row.get("alias") or "")
        if plan and row.get("zone") == site.zone and alias != marks.network_alias(plan.installation, plan.environment):
            taken.add(int(row["tag"]))
    return frozenset(taken)
