"""Which node each seat is built on: all machines of a seat on one node, seats spread by free memory. Pure.

What a node can carry is what a linked clone can reach (`proxmox-truth.md` 3.5): a template on the node itself, or any template
where the storage is shared, for then a clone may be sent to another node with `target`. What the cluster has comes as a
`capacity.Supply`; whether all of it is enough is said by `capacity.fit`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labctl import errors
from labctl.model import capacity
from labctl.model import site as site_
from labctl.model.plan import Plan, PlannedMachine


@dataclass
class _Room:
    """What is left on a node. `pool` is the disk it takes from: its own, or one that nodes share. `seats`: placed here so far."""

    node: capacity.Node
    memory: float
    pool: _Pool
    seats: int = 0

    @property
    def share(self) -> float:
        """Free memory for each seat with one more: the largest goes first, so that seats come to be as free memory is."""
        return self.node.memory / (self.seats + 1)


@dataclass
class _Pool:
    """Free space of one storage; `laid`: where one full set of the machines' disks has been counted."""

    disk: float
    laid: bool = False


def spread(plans: Sequence[Plan], site: site_.Site, supply: capacity.Supply) -> tuple[Plan, ...]:
    """The same plans, spread as free memory is spread, each on a node that has room for all of its machines; where none has room, on
    one all the same, and `capacity.fit` says what is short. A node that the plan avoids is not taken.

    Raises Conflict where no node can carry a plan at all.
    """
    common = _Pool(min((node.disk for node in supply.nodes if node.shared), default=0))
    rooms = [_Room(node, node.memory, common if node.shared else _Pool(node.disk)) for node in _in_order(supply.nodes)]
    able: dict[tuple[object, ...], list[_Room]] = {}
    placed = []
    for plan in plans:
        needs = (plan.stands_on, plan.bound, plan.avoid, *((one.image, one.kind) for one in plan.machines))
        if needs not in able:
            able[needs] = [room for room in rooms if _carries(plan, site, supply, room.node)]
        if not able[needs]:
            raise errors.Conflict(_nowhere(plan, supply), hint="See the templates of its images in site.yaml, and which nodes are up.")
        roomy = [room for room in able[needs] if _has_room(plan, room, supply)]
        chosen = max(roomy or able[needs], key=lambda room: room.share)
        _take(plan, chosen, supply)
        placed.append(on(plan, site, supply, chosen.node))
    return tuple(placed)


def able(plan: Plan, site: site_.Site, supply: capacity.Supply) -> tuple[capacity.Node, ...]:
    """Nodes that can carry the plan's machines, roomy or not."""
    return tuple(node for node in _in_order(supply.nodes) if _carries(plan, site, supply, node))


def on(plan: Plan, site: site_.Site, supply: capacity.Supply, node: capacity.Node) -> Plan:
    """The plan with all machines on `node`. A plan that stands on golden machines keeps these as its templates."""
    machines = []
    for machine in plan.machines:
        source = None if plan.stands_on else _template(machine, site, supply, node)
        found = {"template": source.vmid, "template_node": source.node} if source else {}
        machines.append(machine.model_copy(update={"node": node.name, **found}))
    return plan.model_copy(update={"machines": tuple(machines), "bound": "" if node.shared else node.name})


def bound(plan: Plan, site: site_.Site, node: str) -> Plan:
    """The plan on a node whose storage no other node sees, from the templates that lie there; as it is where `node` is empty."""
    if not node:
        return plan
    machines = []
    for machine in plan.machines:
        sources = [one for one in _sources(machine, site) if one.node == node]
        source = sources[0] if sources else site_.Template(node=node, vmid=machine.template)
        machines.append(machine.model_copy(update={"node": node, "template": source.vmid, "template_node": node}))
    return plan.model_copy(update={"machines": tuple(machines), "bound": node})


def sources(plans: Sequence[Plan], site: site_.Site) -> set[tuple[str, str, int]]:
    """(node, kind, VMID) of every template from which one of these plans could be cloned."""
    found: set[tuple[str, str, int]] = set()
    for plan in plans:
        for machine in plan.machines:
            found.add((machine.template_node or machine.node, machine.kind, machine.template))
            if plan.stands_on is None:
                found |= {(one.node, machine.kind, one.vmid) for one in _sources(machine, site)}
    return found


def _sources(machine: PlannedMachine, site: site_.Site) -> tuple[site_.Template, ...]:
    image = site.images.get(machine.image)
    return image.of(machine.kind) if image else ()


def _template(machine: PlannedMachine, site: site_.Site, supply: capacity.Supply, node: capacity.Node) -> site_.Template | None:
    """The template to clone on that node: what is planned if that can be, else the node's own, else any that its storage reaches."""
    planned = site_.Template(node=machine.template_node or machine.node, vmid=machine.template)
    known = [planned, *_sources(machine, site)]
    there = [one for one in known if (one.node, one.vmid) in supply.templates]
    own = [one for one in there if one.node == node.name]
    shared = there if node.shared else []
    return next(iter([*own, *shared]), None)


def _carries(plan: Plan, site: site_.Site, supply: capacity.Supply, node: capacity.Node) -> bool:
    if node.name in plan.avoid or (plan.bound and plan.bound != node.name):
        return False
    if plan.stands_on:
        return node.shared or all(machine.node == node.name for machine in plan.machines)
    return all(_template(machine, site, supply, node) is not None for machine in plan.machines)


def _has_room(plan: Plan, room: _Room, supply: capacity.Supply) -> bool:
    memory, growth, full = _needs(plan, room, supply)
    return memory <= room.memory and growth + (0 if room.pool.laid else full) <= room.pool.disk


def _take(plan: Plan, room: _Room, supply: capacity.Supply) -> None:
    memory, growth, full = _needs(plan, room, supply)
    room.seats += 1
    room.memory -= memory
    room.pool.disk -= growth + (0 if room.pool.laid else full)
    room.pool.laid = True


def _needs(plan: Plan, room: _Room, supply: capacity.Supply) -> tuple[float, float, float]:
    """MiB of memory, of disk that its clones will write, and of one full set below them."""
    disks = [capacity.disk_of(machine, supply) for machine in plan.machines]
    memory = sum(capacity.memory_of(machine, lean=room.node.lean) for machine in plan.machines)
    return memory, sum(capacity.growth_of(disk) for disk in disks), sum(disks)


def _in_order(nodes: Sequence[capacity.Node]) -> list[capacity.Node]:
    """By name, pve2 before pve10: with equal memory, the first is taken first."""
    return sorted(nodes, key=lambda node: [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in _parts(node.name)])


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"(\d+)", name) if part]


def _nowhere(plan: Plan, supply: capacity.Supply) -> str:
    images = ", ".join(sorted({f"{machine.image} ({machine.kind})" for machine in plan.machines}))
    nodes = ", ".join(node.name for node in _in_order(supply.nodes)) or "none"
    avoided = f" and that did not fail it before ({', '.join(plan.avoid)})" if plan.avoid else ""
    return f"no node that answers{avoided} can make clones of {images}; nodes that answer: {nodes}"
