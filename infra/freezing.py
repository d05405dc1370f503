"""Configured machines become golden ones: sealed from inside, shut down, turned into templates.

In the same breath, always: a machine is made a template only by the call that saw it sealed and then off. One that is found off and no
template (a killed attempt, a node that restarted) may or may not have been sealed, so it is started and sealed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures

from infra.work import Work
from labctl import errors
from labctl.drivers.proxmox import firewall, guests, templates
from labctl.model import environment as environment_
from labctl.model import plan as plan_

Seal = Callable[[environment_.Machine], None]

_AT_ONCE = 8


def freeze(work: Work, plan: plan_.Plan, machines: Sequence[environment_.Machine], seal: Seal) -> None:
    """All machines of the plan, those first that others do not wait for: what came up last goes down first."""
    for wave in waves(plan):
        present = [machine for machine in machines if machine.name in wave]
        with futures.ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="freeze") as pool:
            jobs = [pool.submit(_one, work, machine, seal) for machine in present]
        for job in jobs:
            job.result()


def waves(plan: plan_.Plan) -> Iterator[frozenset[str]]:
    """Machine names, in the reverse of the order in which `after` lets them start."""
    left = {machine.name: set(machine.after) for machine in plan.machines}
    while left:
        waited_for = set().union(*left.values())
        last = frozenset(left) - waited_for
        if not last:  # the planner has refused circles
            raise errors.PermanentError(f"machines wait for each other: {sorted(left)}")
        yield last
        left = {name: after for name, after in left.items() if name not in last}


def _one(work: Work, machine: environment_.Machine, seal: Seal) -> None:
    place = guests.Place(machine.node, "vm" if machine.kind == "vm" else "container", machine.vmid)
    if templates.is_template(work.cluster, place):
        firewall.let_go(work.cluster, place, machine.address)
        return
    guests.start(work.cluster, place)
    try:
        seal(machine)
    except errors.Unreachable:
        # Sealed already by an attempt that was killed, it lets nobody in: the next attempt finds it off and begins with a boot.
        guests.stop(work.cluster, place)
        raise
    templates.shut_down(work.cluster, place)
    templates.convert(work.cluster, place)
    firewall.let_go(work.cluster, place, machine.address)
    work.say(f"{machine.name}: is a template now ({place})")
