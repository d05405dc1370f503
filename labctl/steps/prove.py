"""Prove: log in along the learner's own path and run the readiness checks. Ready is earned here and nowhere else."""

from __future__ import annotations

from labctl import ports
from labctl.model import second_chances
from labctl.model.environment import Environment, Machine
from labctl.steps.kit import Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...]:
    """CONFIGURED to READY."""
    plan = kit.environments.plan(env.id)
    if second_chances.goes_back(env):
        # The learner's own work is not ours to judge: that they can get at it is what has to be true again.
        progress("gone back to the learner's work: their login is proven, the checks of a fresh seat are not run")
        plan = plan.model_copy(update={"checks": ()})
    kit.wire.open(env.facts.machines)
    kit.prober.prove(plan, env.facts.machines, kit.shelf.folder(plan.source), progress)
    return env.facts.machines
