"""Elsewhere: what steps do instead of their work after a node failed again and again, if another node is any better.

What stands on the old node is removed first, and the seat begins anew on the other one under its own plot; where it cannot be removed,
because its node is away, the seat gets another environment, and this one is removed when the node is back.
"""

from __future__ import annotations

from labctl import errors, ports
from labctl.model import baking, second_chances
from labctl.model.environment import Environment, Step
from labctl.model.plan import Plan
from labctl.steps.kit import Done, Kit


def instead(kit: Kit, env: Environment, step: Step, plan: Plan, progress: ports.Progress) -> Done | None:
    """None where the step is to be done here: no node is to blame, or there is no better one."""
    if not second_chances.had_its_chances(env, step):
        return None
    if plan.stands_on:
        plan = baking.rooted(plan, kit.environments.environment(plan.stands_on).facts.machines)
    node = second_chances.blamed_node(env) or kit.places.away(plan)
    if not node or (env.golden and plan.bound) or all(machine.node != node for machine in plan.machines):
        # Golden machines for one node's own storage are of no use on another, and clones are made where their templates are.
        return None
    try:
        moved = kit.places.elsewhere(plan, node)
    except errors.LabctlError as error:
        progress(f"{node} failed again, and there is no other node for it: {error.message}")
        return None
    try:
        _clear(kit, env, progress)
    except errors.TemporaryError as error:
        error.node = node  # it still is to blame, so that the next attempt goes on here
        if not kit.places.away(plan) or not _replaced(kit, env, plan, node, progress):
            raise
        return Done(anew=True)
    progress(f"goes from {node} to {moved.machines[0].node}, for {node} failed again and again")
    return Done(anew=True, plan=moved)


def _clear(kit: Kit, env: Environment, progress: ports.Progress) -> None:
    removal = kit.provisioner.remove(env.id, env.plot, progress)
    kit.wire.close(env.plot)
    if removal.left:
        raise errors.TemporaryError(f"before it is built elsewhere, this has to go: {', '.join(removal.left)}.")


def _replaced(kit: Kit, env: Environment, plan: Plan, node: str, progress: ports.Progress) -> bool:
    try:
        return kit.places.replace(env, plan, node)
    except errors.LabctlError as error:
        progress(f"no other machines for it while {node} is away: {error.message}")
        return False
