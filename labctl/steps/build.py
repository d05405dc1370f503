"""Build: everything of the plan exists, is started, and can be reached from here on the management network."""

from __future__ import annotations

from labctl import ports
from labctl.model.environment import Environment, Machine
from labctl.steps.kit import Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...]:
    """NEW to BUILT."""
    machines = kit.provisioner.build(kit.environments.plan(env.id), progress)
    kit.wire.open(machines)
    return machines
