"""Bake: configured golden machines lose what makes them somebody's, go down, and become templates for learners' clones."""

from __future__ import annotations

from labctl import ports
from labctl.model.environment import Environment, Machine
from labctl.steps.kit import Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...]:
    """CONFIGURED to READY, of golden machines only. Their host keys are gone, and their place on the management network is free."""
    plan = kit.environments.plan(env.id)
    kit.wire.open(env.facts.machines)
    kit.provisioner.freeze(plan, env.facts.machines, lambda machine: kit.prober.seal(plan, machine, progress), progress)
    kit.wire.close(env.plot)
    return env.facts.machines
