"""Reset: every guest goes back to the state kept after configuring. It is proven again afterwards, like the first time."""

from __future__ import annotations

from labctl import ports
from labctl.model.environment import Environment, Machine
from labctl.steps.kit import Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...]:
    """READY to CONFIGURED."""
    kit.provisioner.reset(kit.environments.plan(env.id), progress)
    return env.facts.machines
