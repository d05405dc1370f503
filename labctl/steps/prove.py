"""Prove: log in along the learner's own path and run the readiness checks. Ready is earned here and nowhere else."""

from __future__ import annotations

from labctl import ports
from labctl.model import second_chances
from labctl.model.environment import Environment, Machine, State, Step
from labctl.model.plan import Plan
from labctl.steps import elsewhere
from labctl.steps.kit import Done, Kit

_ANSWERING = (State.READY, State.CONFIGURED, State.BUILT)
_FEW = 3
"""Machines that a guest tries to reach: what holds for them holds for all."""


def run(kit: Kit, env: Environment, progress: ports.Progress) -> tuple[Machine, ...] | Done:
    """CONFIGURED to READY. While there is nothing yet that is the learner's own, a seat may go to another node instead."""
    plan = kit.environments.plan(env.id)
    if not second_chances.goes_back(env) and (moved := elsewhere.instead(kit, env, Step.PROVE, plan, progress)) is not None:
        return moved
    if second_chances.goes_back(env):
        progress("gone back to the learner's work: their login is proven, the checks of a fresh seat are not run")
        plan = with_work(plan)
    login(kit, env, plan, progress)
    return env.facts.machines


def with_work(plan: Plan) -> Plan:
    """The plan as a seat is held to it in which its learner has worked: their work is not ours to judge, only that they can get at it."""
    return plan.model_copy(update={"checks": ()})


def login(kit: Kit, env: Environment, plan: Plan, progress: ports.Progress) -> None:
    """By the learner's own path, then what the plan checks."""
    kit.wire.open(env.facts.machines)
    kit.prober.prove(plan, env.facts.machines, kit.shelf.folder(plan.source), progress, neighbours=lambda: neighbours(kit, env))


def neighbours(kit: Kit, env: Environment) -> tuple[Machine, ...]:
    """A few machines that run in other seats of the class, those first that have come furthest; then the seat's own others."""
    others = [one for one in kit.environments.environments(classroom=env.classroom) if one.id != env.id and one.facts.state in _ANSWERING]
    others.sort(key=lambda one: (_ANSWERING.index(one.facts.state), one.seat))
    return (*(machine for one in others for machine in one.facts.machines), *env.facts.machines)[:_FEW]
