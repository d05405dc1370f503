"""Hand over: machines that were made ready for nobody become a learner's own, in seconds.

The environment keeps its plot, its addresses and its guests; identity (principal, host certificates, account) and whatever differs
from learner to learner is written again. The kept state becomes the learner's too. It is proven again afterwards.
"""

from __future__ import annotations

from labctl import ports
from labctl.model.environment import Environment, Machine
from labctl.steps import build
from labctl.steps.kit import Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...]:
    """READY (or CONFIGURED) to CONFIGURED. Every part of it may be repeated."""
    plan = build.planned(kit, env)
    progress(f"handing over to seat {plan.seat.number}")
    kit.provisioner.build(plan, progress)
    kit.wire.open(env.facts.machines)
    machines = kit.prober.enrol(plan, env.facts.machines, progress)
    if plan.personal:
        own = plan.model_copy(update={"steps": plan.personal})
        kit.configurator.configure(own, machines, kit.shelf.folder(plan.source), progress)
    kit.provisioner.mark_ready(plan, progress)
    return machines
