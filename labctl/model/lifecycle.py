"""The lifecycle: which one step is due, what a finished or failed step leads to, and the one word people see.

           build             configure            prove           reset
   NEW  ---------->  BUILT  ---------->  CONFIGURED ----->  READY ------+
    |                  |                     |    ^         |  ^        |
    +------------------+-------- remove -----+----|---------+  |        |      READY <-> SUSPENDED (suspend, resume)
                                  v               +---------------------+
                                GONE

Golden machines (`Environment.golden`) go NEW, BUILT, CONFIGURED and then by **bake** to READY: sealed, off, templates. A seat that
stands on them is built only when they are READY. A bake that fails for good is taken away whole (nothing half-made stays) and ends
GONE with its trouble kept, which is what the seats that stand on it show.

A READY (or CONFIGURED) environment that was given to another learner is handed over (to CONFIGURED: proven again). A READY one
whose kept state has run out is tidied and stays READY; one whose machine was found not to run (`readiness.noticed`) is resumed.

Pure: no clock, no store. Nothing else in the house chooses a step. A reset settles to CONFIGURED, so that the proof is due
again: ready is earned each time. Suspend stands in the table; the desk does not offer it yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from labctl.model.environment import Environment, Facts, Kept, Machine, State, Step, Trouble, Wanted

FOREVER = frozenset({Step.REMOVE, Step.TIDY})
"""Steps that are always tried again: nobody has to look before what must go may go."""

STUCK_AFTER = 5
"""Attempts of one step, in one round, after which it is called stuck; it is still tried again."""

FIRST_WAIT = timedelta(seconds=5)
"""The wait after a first failure; it doubles with each further one."""

LONGEST_WAIT = timedelta(minutes=5)
"""No wait grows beyond this: a node that comes back is noticed within five minutes."""

SPREAD = 7
"""Plots are spread over this many slightly different waits, so that a class does not come back all at once."""

FORWARD = {State.NEW: Step.BUILD, State.BUILT: Step.CONFIGURE, State.CONFIGURED: Step.PROVE}
"""The step that leads on from each state that is not yet READY."""

BAKING = {State.NEW: Step.BUILD, State.BUILT: Step.CONFIGURE, State.CONFIGURED: Step.BAKE}
"""The same for golden machines."""

SETTLES = {
    Step.BUILD: State.BUILT,
    Step.CONFIGURE: State.CONFIGURED,
    Step.PROVE: State.READY,
    Step.BAKE: State.READY,
    Step.RESET: State.CONFIGURED,
    Step.HAND_OVER: State.CONFIGURED,
    Step.TIDY: State.READY,
    Step.SUSPEND: State.SUSPENDED,
    Step.RESUME: State.READY,
    Step.REMOVE: State.GONE,
}
"""The state a finished step leads to."""


class Status(StrEnum):
    """The one word people see."""

    WAITING = "waiting"
    BUILDING = "building"
    CONFIGURING = "configuring"
    PROVING = "proving"
    BAKING = "baking"
    READY = "ready"
    RESETTING = "resetting"
    STARTING = "starting"
    SUSPENDED = "suspended"
    REMOVING = "removing"
    GONE = "gone"
    FAILED = "failed"
    STUCK = "stuck"


@dataclass(frozen=True)
class Failure:
    """How a step failed. `retry_after` is None where trying the same again is pointless."""

    reason: str
    retry_after: timedelta | None
    machine: str = ""
    node: str = ""


def next_step(env: Environment, now: datetime) -> Step | None:
    """The one step due now, or None: there is nothing to do, or trouble holds the step back, or the lease has not begun."""
    step = due(env, now)
    if step is None:
        return None
    trouble = current_trouble(env, step)
    if trouble is None:
        return step
    if trouble.retry_at is None:
        # A removal never waits for a person: whatever is written, it is tried again.
        return step if step in FOREVER else None
    return step if now >= trouble.retry_at else None


def due(env: Environment, now: datetime) -> Step | None:
    """The step that leads on, whether or not trouble holds it back."""
    facts = env.facts
    if facts.state is not State.GONE and leaving(env, now):
        return Step.REMOVE
    if facts.state is State.GONE or now < env.wishes.lease.starts or waits_for_ground(env):
        return None
    return BAKING.get(facts.state) if env.golden else _onward(env, now)


def _onward(env: Environment, now: datetime) -> Step | None:
    """The way of a seat's environment."""
    if env.facts.state in {State.CONFIGURED, State.READY} and env.facts.hand < env.wishes.hand:
        return Step.HAND_OVER
    if env.facts.state is State.CONFIGURED and _proof_was_refused(env):
        return Step.RESET
    if env.facts.state in FORWARD:
        return FORWARD[env.facts.state]
    return _from_suspended(env) if env.facts.state is State.SUSPENDED else _from_ready(env, now)


def leaving(env: Environment, now: datetime) -> bool:
    """Whether the environment is on its way out: asked to be gone, its lease over, or its removal already begun (after which
    a longer lease would find only half of it). A bake that failed for good leaves nothing half-made behind.
    """
    broken = env.golden and env.facts.trouble is not None and env.facts.trouble.retry_at is None
    return env.wishes.wanted is Wanted.GONE or now >= env.wishes.lease.ends or _begun(env.facts, Step.REMOVE) or broken


def waits_for_ground(env: Environment) -> bool:
    """Whether the golden machines it stands on are not there yet (or never will be)."""
    return env.ground is not None and env.facts.state is State.NEW and env.ground.state is not State.READY


def broken_ground(env: Environment) -> str:
    """Why the golden machines it waits for will never be there; "" while they may be."""
    if not waits_for_ground(env) or env.ground is None:
        return ""
    trouble = env.ground.trouble
    if trouble is not None and (trouble.cause or trouble.retry_at is None):
        return trouble.cause or f"{trouble.step.value}: {trouble.reason}"
    return "they were removed" if env.ground.state is State.GONE else ""


def shown_trouble(env: Environment) -> Trouble | None:
    """The trouble that people see: its own, or that of the golden machines it waits for."""
    if not (broken := broken_ground(env)) or env.ground is None:
        return env.facts.trouble
    theirs = env.ground.trouble
    since = env.wishes.lease.starts if theirs is None else theirs.since
    reason = f"the golden machines could not be baked: {broken}"
    return Trouble(Step.BAKE, reason, 1 if theirs is None else theirs.attempts, since, None, env.wishes.round)


def current_trouble(env: Environment, step: Step) -> Trouble | None:
    """Trouble with this very step in this very round; older trouble is moot."""
    trouble = env.facts.trouble
    if trouble is None or trouble.step is not step or trouble.round < env.wishes.round:
        return None
    return trouble


def _begun(facts: Facts, step: Step) -> bool:
    """Whether the step is being done, was cut off, or failed: the guests may be half-way through it."""
    return facts.doing is step or (facts.trouble is not None and facts.trouble.step is step)


def _proof_was_refused(env: Environment) -> bool:
    """Asked again after a refused proof: the guests may have been changed since, so start from the kept state. A reset from
    here that was cut off or failed has to be finished too.
    """
    trouble = env.facts.trouble
    asked_again = trouble is not None and trouble.step is Step.PROVE and trouble.round < env.wishes.round
    return asked_again or _begun(env.facts, Step.RESET)


def _from_ready(env: Environment, now: datetime) -> Step | None:
    if env.facts.round < env.wishes.round or _begun(env.facts, Step.RESET):
        return Step.RESET
    if env.wishes.wanted is Wanted.SUSPENDED:
        return Step.SUSPEND
    # A suspend or resume that was cut off or failed leaves some guests down: they are not ready until resumed.
    if not _whole(env.facts):
        return Step.RESUME
    return Step.TIDY if env.facts.kept is not None and now >= env.facts.kept.until else None


def _from_suspended(env: Environment) -> Step | None:
    if env.wishes.wanted is Wanted.READY or env.facts.round < env.wishes.round:
        return Step.RESUME
    return Step.SUSPEND if _begun(env.facts, Step.RESUME) or _begun(env.facts, Step.SUSPEND) else None


def begin(env: Environment, step: Step, now: datetime) -> Facts:
    """Facts while the step is being done. Trouble stays written down, so that a cut-off attempt still counts."""
    return replace(env.facts, doing=step, doing_since=now)


def set_down(env: Environment) -> Facts:
    """Facts after a step was stopped on purpose: nothing reached, nothing wrong."""
    return replace(env.facts, doing=None, doing_since=None)


def settle(env: Environment, step: Step, machines: tuple[Machine, ...], *, kept: Kept | None = None, anew: bool = False) -> Facts:
    """Facts after the step is done. Only a proof (of golden machines: the bake) reaches the round that was wanted when
    the step began. Why a bake failed outlives its machines: seats that stand on them show it. `kept` is what the step
    left to go back to (`keeps`); `anew`: it found that only a build can help.
    """
    if anew:
        return Facts(state=State.NEW, round=env.facts.round, hand=env.facts.hand)
    reached = env.wishes.round if step in (Step.PROVE, Step.BAKE) else env.facts.round
    trouble = env.facts.trouble if env.golden and step is Step.REMOVE else None
    if trouble is not None:
        trouble = replace(trouble, retry_at=None) if trouble.cause or trouble.retry_at is None else None
    hand = env.wishes.hand if step in {Step.CONFIGURE, Step.HAND_OVER} else env.facts.hand
    left = () if step is Step.REMOVE else machines
    return Facts(state=SETTLES[step], round=reached, trouble=trouble, machines=left, hand=hand, kept=kept)


def fail(env: Environment, step: Step, failure: Failure, now: datetime) -> Facts:
    """Facts after the step failed: trouble, with the time of the next attempt or None where a person must look. A failed
    removal is always tried again.
    """
    before = current_trouble(env, step)
    attempts = before.attempts + 1 if before else 1
    forever = step in FOREVER
    retry_at = None
    if failure.retry_after is not None or forever:
        retry_at = now + wait(attempts, env.plot, failure.retry_after or timedelta(0))
    trouble = Trouble(
        step=step,
        reason=failure.reason,
        attempts=attempts,
        since=before.since if before else now,
        retry_at=retry_at,
        round=env.wishes.round,
        cause=_cause(env) if step is Step.REMOVE else "",
        machine=failure.machine,
        node=failure.node,
    )
    return replace(env.facts, doing=None, doing_since=None, trouble=trouble)


def _cause(env: Environment) -> str:
    """Why golden machines are being taken away, kept while their removal fails too."""
    trouble = env.facts.trouble
    if not env.golden or trouble is None:
        return ""
    if trouble.step is Step.REMOVE:
        return trouble.cause
    return f"{trouble.step.value}: {trouble.reason}" if trouble.retry_at is None else ""


def wait(attempts: int, plot: int, least: timedelta) -> timedelta:
    """How long to wait after so many attempts: doubling, at most `LONGEST_WAIT` (or `least`, if that is longer), up to half
    as long again by plot.
    """
    doubled = FIRST_WAIT * (1 << min(attempts - 1, 10))
    return max(least, min(doubled, LONGEST_WAIT)) * (1 + (plot % SPREAD) / (2 * SPREAD))


def status(env: Environment, now: datetime) -> Status:
    """The one word people see; board, API and command line all ask here."""
    if env.facts.state is State.GONE:
        return Status.GONE
    step = due(env, now)
    if step is None and broken_ground(env):
        return Status.FAILED
    trouble = current_trouble(env, step) if step else None
    if trouble is not None and trouble.retry_at is None and step not in FOREVER:
        return Status.FAILED
    if trouble is not None and trouble.attempts >= STUCK_AFTER and step is not Step.TIDY:
        return Status.STUCK
    return _word(env, step, now)


def _word(env: Environment, step: Step | None, now: datetime) -> Status:
    untouched = env.facts.state is State.NEW and not _begun(env.facts, Step.BUILD)
    if step is Step.BUILD:
        return Status.WAITING if untouched else Status.BUILDING
    if step is None:
        return _rest(env, now)
    return {
        Step.CONFIGURE: Status.CONFIGURING,
        Step.PROVE: Status.PROVING,
        Step.BAKE: Status.BAKING,
        Step.RESET: Status.RESETTING,
        Step.HAND_OVER: Status.CONFIGURING,
        Step.TIDY: Status.READY,
        Step.SUSPEND: Status.READY if _whole(env.facts) else Status.SUSPENDED,
        Step.RESUME: Status.STARTING,
        Step.REMOVE: Status.REMOVING,
    }[step]


def _whole(facts: Facts) -> bool:
    """READY, and no suspend or resume has been begun that may have left some guests down."""
    return facts.state is State.READY and not _begun(facts, Step.SUSPEND) and not _begun(facts, Step.RESUME)


def _rest(env: Environment, now: datetime) -> Status:
    if env.facts.state is State.READY and (env.golden or _from_ready(env, now) is None):
        return Status.READY
    return Status.SUSPENDED if env.facts.state is State.SUSPENDED else Status.WAITING
