"""Build: everything of the plan exists, is started, and can be reached from here on the management network."""

from __future__ import annotations

from labctl import ports
from labctl.model import second_chances
from labctl.model.environment import Environment, Machine, Step
from labctl.steps.kit import Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...]:
    """NEW to BUILT. A guest that failed again and again is taken away first, so that it is cloned afresh."""
    plan = kit.environments.plan(env.id)
    if name := second_chances.made_anew(env, Step.BUILD):
        kit.provisioner.discard(plan, (name,), progress)
    machines = kit.provisioner.build(plan, progress)
    kit.wire.open(machines)
    return machines
