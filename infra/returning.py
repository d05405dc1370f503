"""Going back: to the proven state, to what was there before a reset, and taking single guests away so that they are made anew.

All machines of an environment at once; each verb may be repeated, also after being cut off half-way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import TypeVar

from infra.work import Work
from labctl import errors, ports
from labctl.drivers.proxmox import guests, snapshots
from labctl.model import marks
from labctl.model import plan as plan_
from labctl.model import site as site_

_AT_ONCE = 8
Result = TypeVar("Result")
_Names = dict[str, set[str]]


def reset(work: Work, site: site_.Site, plan: plan_.Plan, keep: str) -> ports.Rolled:
    """Back to the snapshot `ready`. Machines that have none, or cannot go back to it, are named and left as they are; then nothing
    is kept, for the others alone would not be what was there.
    """
    there = _looked(work, plan)
    missing = [name for name, found in there.items() if snapshots.READY not in found]
    kept = bool(keep) and not missing and _goes_forward(work, site, plan)
    if kept:
        work.say("keeping what is there now, to undo this")
        _each(plan, lambda machine: snapshots.keep_once(work.cluster, place(machine), keep, known=there[machine.name]))
    able = [machine for machine in plan.machines if machine.name not in missing]
    if not kept:
        # A newer snapshot stands in the way where only the newest can be gone back to.
        _each(plan, lambda machine: snapshots.forget(work.cluster, place(machine), known=there[machine.name]), only=able)
    failed = [name for name in _each(plan, functools.partial(_back, work, there), only=able) if name]
    if kept:
        # What was kept before an earlier reset goes only now, while the guests boot: nobody waits for that.
        _each(plan, lambda machine: snapshots.forget(work.cluster, place(machine), but=keep, known=there[machine.name]))
    return ports.Rolled((*missing, *failed), kept=kept and not failed)


def _back(work: Work, there: _Names, machine: plan_.PlannedMachine) -> str:
    """The machine's name when it cannot go back at all."""
    work.say(f"{machine.name}: going back to the state when it was ready")
    try:
        snapshots.roll_back(work.cluster, place(machine), known=there[machine.name])
    except errors.PermanentError as error:
        work.say(f"{machine.name}: {error.message}")
        return machine.name
    return ""


def go_back(work: Work, plan: plan_.Plan, name: str) -> None:
    """Forward again to what was kept. Looked at on all guests first, so that none goes alone."""
    there = _looked(work, plan)
    lost = [machine for machine, found in there.items() if name not in found]
    if lost:
        raise errors.PermanentError(
            f"what was there before the reset is not there any more on {', '.join(lost)}", hint="Reset the seat to start again."
        )

    def forward(machine: plan_.PlannedMachine) -> None:
        work.say(f"{machine.name}: going back to what was there before the reset")
        snapshots.roll_back(work.cluster, place(machine), name, known=there[machine.name])

    _each(plan, forward)


def discard(work: Work, plan: plan_.Plan, names: Sequence[str]) -> None:
    """Destroy single guests; nothing to do where they are gone."""

    def gone(machine: plan_.PlannedMachine) -> None:
        mark = marks.Mark(plan.installation, plan.environment, machine.name, machine.vmid)
        if guests.destroy(work.cluster, place(machine), mark):
            work.say(f"{machine.name}: removed, to be made anew")

    _each(plan, gone, only=[machine for machine in plan.machines if machine.name in names])


def place(machine: plan_.PlannedMachine) -> guests.Place:
    """Where a planned machine is."""
    return guests.Place(machine.node, machine.kind, machine.vmid)


def _looked(work: Work, plan: plan_.Plan) -> _Names:
    """The snapshots of each machine; of one that is gone none. 403 is how a vanished guest reads, but not only that: the proof is that its
    VMID is free (`client-sequence.md` 4), for what counts as gone is made anew, and what its learner did is lost.
    """

    def look(machine: plan_.PlannedMachine) -> set[str]:
        try:
            return snapshots.names(work.cluster, place(machine))
        except (errors.NotFound, errors.Forbidden):
            if work.cluster.free(machine.vmid):
                return set()
            raise

    return dict(zip((machine.name for machine in plan.machines), _each(plan, look), strict=True))


def _goes_forward(work: Work, site: site_.Site, plan: plan_.Plan) -> bool:
    for node in sorted({machine.node for machine in plan.machines}):
        kind = str(work.cluster.client.get(f"/nodes/{node}/storage/{site.storage}/status").get("type", ""))
        if kind not in snapshots.FORWARD:
            work.say(f"a storage of type {kind} cannot go forward again: this reset cannot be undone")
            return False
    return True


def _each(
    plan: plan_.Plan, call: Callable[[plan_.PlannedMachine], Result], *, only: Sequence[plan_.PlannedMachine] | None = None
) -> list[Result]:
    """All machines at once; the first error goes up when all are through."""
    with futures.ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="guest") as pool:
        jobs = [pool.submit(call, machine) for machine in (plan.machines if only is None else only)]
    return [job.result() for job in jobs]
