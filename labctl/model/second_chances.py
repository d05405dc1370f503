"""Second chances: what a reset leaves to go back to, whether a round goes back to it, and which guest is made anew. Pure.

Beside `lifecycle`, which chooses the step; steps and runner ask here what to do within one.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from labctl.model.environment import Environment, Kept, Step

FRESH_AFTER = 2
"""Failed attempts of a step with the same machine, after which that machine is made anew before the next one; or on the same node,
after which the seat is built on another."""


def keeps(env: Environment, step: Step, *, kept: bool, now: datetime, span: timedelta) -> Kept | None:
    """What can be gone back to once the step is done: `kept` says whether a reset left anything. What was gone back to, or was
    another learner's, has run out at once, so that it is tidied away.
    """
    before = env.facts.kept
    if step is Step.RESET and kept:
        return Kept(env.wishes.round, now + span)
    if step in {Step.REMOVE, Step.TIDY, Step.BUILD} or before is None:
        return None
    return replace(before, until=min(before.until, now)) if step in {Step.RESET, Step.HAND_OVER} else before


def goes_back(env: Environment) -> bool:
    """Whether this round goes back to what was kept, instead of to the proven state."""
    return env.wishes.undo == env.wishes.round


def made_anew(env: Environment, step: Step) -> str:
    """The machine to make anew before this step is done again, by kind of failure: one that failed again and again, or one that
    failed for good and a person asked again. Empty where there is none.
    """
    trouble = env.facts.trouble
    return trouble.machine if trouble is not None and had_its_chances(env, step) else ""


def blamed_node(env: Environment) -> str:
    """The node that was to blame when something failed last. Empty where there was none."""
    return env.facts.trouble.node if env.facts.trouble else ""


def had_its_chances(env: Environment, step: Step) -> bool:
    """Whether this step failed so often where it is, or a person asked for it again, that something else is tried."""
    trouble = env.facts.trouble
    if trouble is None or trouble.step is not step:
        return False
    asked_again = trouble.round < env.wishes.round
    return asked_again or trouble.attempts >= FRESH_AFTER
