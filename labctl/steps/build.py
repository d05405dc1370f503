"""Build: everything of the plan exists, is started, and can be reached from here on the management network."""

from __future__ import annotations

from dataclasses import replace

from labctl import ports
from labctl.model import baking, second_chances
from labctl.model.environment import Environment, Machine, Step
from labctl.model.plan import Plan
from labctl.steps import elsewhere
from labctl.steps.kit import Done, Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...] | Done:
    """NEW to BUILT. A guest that failed again and again is taken away first, so that it is cloned afresh; after a node failed again
    and again, all of it goes to another one (and begins anew there).
    """
    plan = planned(kit, env)
    if (moved := elsewhere.instead(kit, env, Step.BUILD, plan, progress)) is not None:
        return moved
    if name := second_chances.made_anew(env, Step.BUILD):
        kit.provisioner.discard(plan, (name,), progress)
    machines = kit.provisioner.build(plan, progress)
    if plan.avoid:
        machines = tuple(replace(machine, instead_of=plan.avoid[-1]) for machine in machines)
    kit.wire.open(machines)
    return machines


def planned(kit: Kit, env: Environment) -> Plan:
    """Its plan, with the nodes on which the golden machines it stands on really are."""
    plan = kit.environments.plan(env.id)
    if plan.stands_on is None:
        return plan
    return baking.rooted(plan, kit.environments.environment(plan.stands_on).facts.machines)
