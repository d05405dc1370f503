"""Reset: every guest goes back to the state kept after configuring, by the fastest way it has; or forward again (undo).

It is proven again afterwards, like the first time. What was there before is kept for a while where the storage can do that.
"""

from __future__ import annotations

from labctl import ports
from labctl.model import second_chances
from labctl.model.environment import Environment, Step
from labctl.steps import elsewhere
from labctl.steps.kit import Done, Kit


def run(kit: Kit, env: Environment, progress: ports.Progress) -> Done:
    """READY to CONFIGURED; to NEW where a guest has no state to go back to: it is taken away, and a build makes a new clone of it
    while the others stay.
    """
    plan = kit.environments.plan(env.id)
    if second_chances.goes_back(env):
        if env.facts.kept is None:
            progress("what was there before the reset is not kept any more: nothing is changed")
        else:
            kit.provisioner.go_back(plan, name(env.facts.kept.round), progress)
        return Done(env.facts.machines)
    if (moved := elsewhere.instead(kit, env, Step.RESET, plan, progress)) is not None:
        return moved
    rolled = kit.provisioner.reset(plan, progress, keep=name(env.wishes.round))
    if not rolled.missing:
        return Done(env.facts.machines, kept=rolled.kept)
    progress(f"{', '.join(rolled.missing)}: no state to go back to, so made anew")
    kit.provisioner.discard(plan, rolled.missing, progress)
    return Done(anew=True)


def name(round_: int) -> str:
    """What is kept before the reset of a round is called: a repeated reset finds it instead of keeping the half-reset state."""
    return f"reset-{round_}"
