"""Build: everything of the plan exists, is started, and can be reached from here on the management network."""

from __future__ import annotations

from dataclasses import replace

from labctl import errors, ports
from labctl.model import baking, second_chances
from labctl.model.environment import Environment, Machine, Step
from labctl.model.plan import Plan
from labctl.steps.kit import Done, Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...] | Done:
    """NEW to BUILT. A guest that failed again and again is taken away first, so that it is cloned afresh; after a node failed again
    and again, all of it goes to another one (and begins anew there).
    """
    plan = planned(kit, env)
    if (node := second_chances.elsewhere(env, Step.BUILD)) and (moved := _elsewhere(kit, env, plan, node, progress)):
        return Done(anew=True, plan=moved)
    if name := second_chances.made_anew(env, Step.BUILD):
        kit.provisioner.discard(plan, (name,), progress)
    machines = kit.provisioner.build(plan, progress)
    if plan.avoid:
        machines = tuple(replace(machine, instead_of=plan.avoid[-1]) for machine in machines)
    kit.wire.open(machines)
    return machines


def _elsewhere(kit: Kit, env: Environment, plan: Plan, node: str, progress: ports.Progress) -> Plan | None:
    """The plan on another node, when nothing is left on this one; None where no other node is any better."""
    if env.golden and plan.bound:
        return None  # golden machines for one node's own storage are of no use on another
    try:
        moved = kit.places.elsewhere(plan, node)
    except errors.LabctlError as error:
        progress(f"{node} failed again, and there is no other node for it: {error.message}")
        return None
    try:
        _clear(kit, env, progress)
    except errors.TemporaryError as error:
        error.node = node  # it still is to blame, so that the next attempt goes on here
        raise
    progress(f"goes from {node} to {moved.machines[0].node}, for {node} failed again and again")
    return moved


def _clear(kit: Kit, env: Environment, progress: ports.Progress) -> None:
    removal = kit.provisioner.remove(env.id, env.plot, progress)
    kit.wire.close(env.plot)
    if removal.left:
        raise errors.TemporaryError(f"before it is built elsewhere, this has to go: {', '.join(removal.left)}.")


def planned(kit: Kit, env: Environment) -> Plan:
    """Its plan, with the nodes on which the golden machines it stands on really are."""
    plan = kit.environments.plan(env.id)
    if plan.stands_on is None:
        return plan
    return baking.rooted(plan, kit.environments.environment(plan.stands_on).facts.machines)
