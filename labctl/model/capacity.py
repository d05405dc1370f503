"""Sizing: what a class needs, what the cluster has, whether the one fits the other, and when all would be ready. Pure sums.

Memory is the least that a balloon may leave, for containers a part of their limit; disks of linked clones grow by a tenth, and one
full set lies below them (`blueprint.md` 15). What there is comes from the Provisioner as a `Supply`, how long steps take from
measurements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from labctl.model.environment import Step
from labctl.model.plan import Plan, PlannedMachine

GROWTH = 0.1
"""Share of a linked clone's disk that it is taken to write in a class; a measured share may replace it."""

LEAST_GROWTH_MIB = 512
"""What a linked clone is taken to write at least; its disk starts at nothing. A floor, not a forecast."""

CONTAINER_SHARE = 0.25
"""A container's memory is a limit and not a reservation; this much of it is taken to be used."""

USUAL_DISK_MIB = 20 * 1024
"""Where neither the blueprint nor the template says how large a disk is."""

NEWEST = 15
"""Measurements of one step that count: older ones tell of another cluster or another blueprint."""

TIMED = (Step.BUILD, Step.CONFIGURE, Step.PROVE)
"""The steps from nothing to ready."""


@dataclass(frozen=True)
class Node:
    """A node's free memory and the free space of the site's storage there, in MiB."""

    name: str
    memory: int
    disk: int
    storage: str = ""
    lean: bool = False
    """Whether containers stand in for VMs there, which take memory as containers do."""
    shared: bool = False
    """Whether the storage is one and the same on all nodes."""


@dataclass(frozen=True)
class Supply:
    """What the cluster has. `templates`: (node, VMID) -> size of its disk in MiB, 0 where it does not say."""

    nodes: tuple[Node, ...]
    templates: Mapping[tuple[str, int], int] = field(default_factory=dict)
    vmids: frozenset[int] = frozenset()
    """VMIDs that are taken and whose guests the plans' environments do not own."""
    tags: frozenset[int] = frozenset()
    """VNet tags of the site's zone that are taken by others."""


@dataclass(frozen=True)
class Short:
    """One thing there is too little of. `seats`: how many it would be enough for."""

    what: str
    where: str
    needed: int
    free: int
    unit: str
    seats: int

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if not self.where:
            return f"{self.free} {self.what} are free, and this needs {self.needed}{unit}"
        if self.unit == "seats":
            return f"{self.what} of {self.where} are taken by others: there are free ones for {self.free} of {self.needed} seats"
        return f"{self.where} has {self.free}{unit} of {self.what} free, and this needs {self.needed}{unit}"


@dataclass(frozen=True)
class Share:
    """What one node would carry."""

    node: str
    guests: int
    memory: int
    memory_free: int
    disk: int
    disk_free: int
    seats: int = 0


@dataclass(frozen=True)
class StepTime:
    """The median of the measured seconds of a step; None before it was ever measured here."""

    step: Step
    seconds: float | None
    measurements: int


@dataclass(frozen=True)
class Fit:
    """The answer. `most` is how many seats fit; `ready_at` is None while a step was never measured."""

    blueprint: str
    seats: int
    fits: bool
    most: int
    short: tuple[Short, ...]
    nodes: tuple[Share, ...]
    steps: tuple[StepTime, ...] = ()
    ready_after: timedelta | None = None
    ready_at: datetime | None = None


def fit(plans: Sequence[Plan], supply: Supply, seats: int, *, plots: int, bound: str = "plots", blueprint: str = "") -> Fit:
    """Whether `seats` of them fit where they are planned, with every shortage. `plans` are those of all seats, or of the first ones:
    the rest is then taken to need as much. `plots`: how many are free; `bound` says what limits them.
    """
    short: list[Short] = []
    if plots < seats:
        short.append(Short(bound, "", seats, plots, "", plots))
    shares = _shares(plans, supply, seats)
    nodes = {node.name: node for node in supply.nodes}
    short += _of_nodes(shares, nodes, seats)
    short += _of_shared(shares, nodes, seats)
    short += _taken(plans[: max(plots, 1)], supply)
    most = min([seats, *(one.seats for one in short)])
    return Fit(blueprint or plans[0].blueprint, seats, not short, most, tuple(short), tuple(shares))


def _of_nodes(shares: Sequence[Share], nodes: Mapping[str, Node], seats: int) -> list[Short]:
    """What is short on single nodes. A seat that finds no room on its node finds none on the others either, for seats were placed
    where room was; so the seats that fit are those that fit on each.
    """
    memory = [_part(share.seats, share.memory_free, share.memory) for share in shares]
    disk = [share.seats if nodes[share.node].shared else _part(share.seats, share.disk_free, share.disk) for share in shares]
    most = min(seats, sum(min(pair) for pair in zip(memory, disk, strict=True)))
    found = [
        Short("memory", f"node {share.node}", share.memory, share.memory_free, "MiB", most)
        for share in shares
        if share.memory > share.memory_free
    ]
    for share in (one for one in shares if one.disk > one.disk_free and not nodes[one.node].shared):
        where = f"storage {nodes[share.node].storage} on {share.node}"
        found.append(Short("disk", where, share.disk, share.disk_free, "MiB", most))
    return found


def _of_shared(shares: Sequence[Share], nodes: Mapping[str, Node], seats: int) -> list[Short]:
    """A shared storage is one place, however many nodes look at it."""
    on = [share for share in shares if nodes[share.node].shared]
    if not on:
        return []
    needed, free = sum(share.disk for share in on), min(share.disk_free for share in on)
    if needed <= free:
        return []
    return [Short("disk", f"storage {nodes[on[0].node].storage}", needed, free, "MiB", _part(seats, free, needed))]


def _taken(plans: Sequence[Plan], supply: Supply) -> list[Short]:
    found = []
    for what, free in (
        ("VMIDs", [not any(machine.vmid in supply.vmids for machine in plan.machines) for plan in plans]),
        ("VNet tags", [not any(network.tag in supply.tags for network in plan.networks) for plan in plans]),
    ):
        if not all(free):
            found.append(Short(what, "this site's range", len(free), sum(free), "seats", free.index(False)))
    return found


def _shares(plans: Sequence[Plan], supply: Supply, seats: int) -> list[Share]:
    shares: list[Share] = []
    laid = False
    for node in supply.nodes:
        machines = [machine for plan in plans for machine in plan.machines if machine.node == node.name]
        if not machines:
            continue
        here = [plan for plan in plans if any(machine.node == node.name for machine in plan.machines)]
        disks = [disk_of(machine, supply) for machine in machines]
        # One full set lies below the clones: on each node's own storage, or once on a storage that they share.
        full = 0 if node.shared and laid else sum(disks[: sum(machine.node == node.name for machine in here[0].machines)])
        laid = laid or node.shared
        shares.append(
            Share(
                node=node.name,
                guests=_scaled(len(machines), len(plans), seats),
                memory=_scaled(round(sum(memory_of(machine, lean=node.lean) for machine in machines)), len(plans), seats),
                memory_free=node.memory,
                disk=_scaled(round(sum(growth_of(disk) for disk in disks)), len(plans), seats) + full,
                disk_free=node.disk,
                seats=_scaled(len(here), len(plans), seats),
            )
        )
    return shares


def disk_of(machine: PlannedMachine, supply: Supply) -> int:
    """MiB of its whole disk: as planned, else as large as its template's."""
    template = supply.templates.get((machine.template_node or machine.node, machine.template), 0)
    return (machine.disk or 0) * 1024 or template or USUAL_DISK_MIB


def growth_of(disk: int) -> float:
    """MiB that a linked clone of such a disk will write."""
    return max(disk * GROWTH, LEAST_GROWTH_MIB)


def memory_of(machine: PlannedMachine, *, lean: bool) -> float:
    """MiB that a machine will take at once."""
    if machine.kind == "container" or lean:
        return machine.memory * CONTAINER_SHARE
    return machine.memory_min or machine.memory


def _scaled(amount: int, of: int, seats: int) -> int:
    return -(-amount * seats // of)


def _part(seats: int, free: int, needed: int) -> int:
    """How many of the seats a part of what is needed is enough for."""
    return max(0, min(seats, seats * free // needed)) if needed else seats


def timed(answer: Fit, times: Mapping[Step, Sequence[float]], *, at_once: int, begins: datetime) -> Fit:
    """The answer with when all seats would be ready: as many waves as it takes to do `at_once` at a time, each as long as the
    measured steps. Honest where nothing was measured: then there is no time.
    """
    steps = tuple(_time(step, tuple(times.get(step, ()))[:NEWEST]) for step in TIMED)
    seconds = [one.seconds for one in steps]
    after = None
    if answer.seats and all(one is not None for one in seconds):
        waves = -(-answer.seats // max(1, at_once))
        after = timedelta(seconds=round(waves * sum(one for one in seconds if one is not None), 1))
    return Fit(**{**vars(answer), "steps": steps, "ready_after": after, "ready_at": None if after is None else begins + after})


def _time(step: Step, seconds: tuple[float, ...]) -> StepTime:
    return StepTime(step, round(median(seconds), 1) if seconds else None, len(seconds))


def told(answer: Fit) -> dict[str, Any]:
    """As plain data, for the API and for programs."""
    return {
        "blueprint": answer.blueprint,
        "seats": answer.seats,
        "fits": answer.fits,
        "most": answer.most,
        "short": [{**vars(one), "text": str(one)} for one in answer.short],
        "nodes": [dict(vars(one)) for one in answer.nodes],
        "steps": [{**vars(one), "step": one.step.value} for one in answer.steps],
        "ready_after_seconds": answer.ready_after.total_seconds() if answer.ready_after is not None else None,
        "ready_at": answer.ready_at,
    }


def refusal(answer: Fit) -> tuple[str, str]:
    """Why it does not fit, and what to do next, in plain words."""
    text = f"{answer.seats} seats do not fit: {'; '.join(reasons(answer))}."
    hint = (
        f"Ask for fewer seats: {answer.most} fit (--seats {answer.most})." if answer.most else "Close a class first, or take another time."
    )
    return text, hint


def reasons(answer: Fit) -> list[str]:
    """What is short, a sentence each; a thing that is short on several nodes is said once, with the sums."""
    said = []
    for what in dict.fromkeys(one.what for one in answer.short):
        those = [one for one in answer.short if one.what == what]
        if len(those) == 1 or not those[0].where:
            said += [str(one) for one in those]
            continue
        needed, free, unit = sum(one.needed for one in those), sum(one.free for one in those), those[0].unit
        said.append(f"{len(those)} nodes have {free} {unit} of {what} free together, and this needs {needed} {unit} on them")
    return said
