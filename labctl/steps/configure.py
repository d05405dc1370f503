"""Configure: first contact, then the blueprint's steps, then the state is kept to which every reset goes back."""

from __future__ import annotations

from labctl import ports
from labctl.model import second_chances
from labctl.model.environment import Environment, Machine, Step
from labctl.steps import build, elsewhere
from labctl.steps.kit import Done, Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...] | Done:
    """BUILT to CONFIGURED. The machines come back with their host keys. A guest that failed again and again is cloned afresh. Golden
    machines become templates, which have no snapshots.
    """
    plan = build.planned(kit, env)
    if (moved := elsewhere.instead(kit, env, Step.CONFIGURE, plan, progress)) is not None:
        return moved
    if name := second_chances.made_anew(env, Step.CONFIGURE):
        kit.provisioner.discard(plan, (name,), progress)
        kit.provisioner.build(plan, progress)
    # The kernel forgets neighbours and rules when this host restarts; laying them again costs nothing.
    kit.wire.open(env.facts.machines)
    machines = kit.prober.enrol(plan, env.facts.machines, progress)
    kit.configurator.configure(plan, machines, kit.shelf.folder(plan.source), progress)
    if not env.golden:
        kit.provisioner.mark_ready(plan, progress)
    return machines
