"""Resume: what should run and does not is started again, with all that its learner did, and proven by their login."""

from __future__ import annotations

from labctl import ports
from labctl.model.environment import Environment, Machine
from labctl.steps import prove
from labctl.steps.kit import Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...]:
    """READY again. Nothing is rolled back, and never on another node: what is there is the learner's."""
    plan = kit.environments.plan(env.id)
    kit.provisioner.wake(plan, progress)
    prove.login(kit, env, prove.with_work(plan), progress)
    return env.facts.machines
