"""What ready means while it lasts: who should run, what is noticed when one does not, and who may be in. Pure.

Beside `lifecycle`, which chooses the step.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from labctl.model import lifecycle
from labctl.model.environment import Environment, Facts, State, Step, Trouble
from labctl.model.lifecycle import Status


def at_rest(env: Environment, now: datetime) -> bool:
    """Whether it is a learner's (or a spare) that is ready and nothing is due: all its machines should run."""
    return not env.golden and not env.wishes.aside and env.facts.doing is None and lifecycle.status(env, now) is Status.READY


def noticed(env: Environment, machine: str, reason: str, now: datetime) -> Facts:
    """Facts of one at rest of which a machine was found not to run: not ready any more, and resumed from now on."""
    return replace(env.facts, trouble=Trouble(Step.RESUME, reason, 0, now, now, env.wishes.round, machine=machine))


def enterable(env: Environment, now: datetime) -> bool:
    """Whether its learner may be in: it is ready, or was and a machine of it is being switched on again. The others of the seat may
    run, and what was noticed may be wrong, so nobody is put out for that.
    """
    if env.wishes.aside or lifecycle.leaving(env, now):
        return False
    return lifecycle.status(env, now) is Status.READY or (env.facts.state is State.READY and lifecycle.due(env, now) is Step.RESUME)
