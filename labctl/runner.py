"""The runner: take what is most urgent, do the steps that are due, write what came of each, let go, look again.

It takes no input: the store says what is due (`ports.Backlog`), and `labctl.model.lifecycle` which step. It may be killed at any
line: its claim runs out, the sweep rings, and the next one repeats the step. Facts are written only under the newest claim. Nothing
else turns errors into retries.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from labctl import errors, holding, ports
from labctl.model import lifecycle, second_chances
from labctl.model.environment import Claim, Environment, State, Step
from labctl.steps import table
from labctl.steps.kit import Done, Kit

LOG = logging.getLogger(__name__)

CUT_SHORT = frozenset({Step.CONFIGURE, Step.PROVE, Step.RESUME})
"""Steps that stop at the next line of progress once the environment is to be gone. A build is left to finish: the engine's
state is easier to undo when it is whole."""


AWAKE = 4
"""Rings for seats whose golden machines are ready; whoever takes one of them wakes the next."""


class CutShort(Exception):
    """The environment is to be gone, so the step has no point any more. Not trouble: nothing failed."""


@dataclass(frozen=True)
class Runner:
    """Does the steps of one environment at a time. `places`: how many this process does at once; `spell`: seconds after
    which `work` lets others have the thread; `stopping`: whether this process is to end.
    """

    kit: Kit
    journal: ports.Journal
    bell: ports.Bell
    clock: ports.Clock
    holder: str
    hold: timedelta
    goldens: ports.Goldens
    timings: ports.Timings
    backlog: ports.Backlog
    undo_for: timedelta = timedelta(hours=1)
    places: int = 1
    spell: float = 10.0
    stopping: Callable[[], bool] = lambda: False

    def work(self) -> int:
        """Look again and again, until there is nothing to take or this process is to end; how many environments were taken."""
        taken, began = 0, time.monotonic()
        while not self.stopping() and (last := self.look()) is not None:
            taken += 1
            if time.monotonic() - began > self.spell:
                # Make room for whatever else is in the queue, which is the sweep.
                self._ring(last)
                break
        return taken

    def look(self) -> str | None:
        """Take the most urgent environment and do its steps until none is due; its id, or None where there is nothing to take."""
        taken = self.backlog.take(self._turn(), self.hold, self.places)
        if taken is None:
            return None
        if taken.more:
            # Whoever takes something wakes the next: one ring is enough to set all workers to work.
            self._ring(taken.claim.environment)
        self._steps(taken.claim, go_on=True)
        return taken.claim.environment

    def turn(self, environment: str) -> Step | None:
        """One step of this environment, then ring for what is due after it. Returns the step that was done (well or not), or None
        where there was none to do or another one holds it.
        """
        claim = self.kit.environments.claim(environment, self._turn(), self.hold)
        if claim is None:
            return None
        step = self._steps(claim, go_on=False)
        # Looked at again after letting go: a wish made in between rang while the environment was still claimed.
        env = self.kit.environments.environment(environment)
        if lifecycle.next_step(env, self.clock.now()) is not None:
            self._ring(environment)
        if env.golden and step is not None:
            self._ring_for_those_that_wait(env)
        return step

    def _turn(self) -> str:
        # Each turn is a holder of its own: a message delivered twice must not share a claim with itself.
        return f"{self.holder}/{secrets.token_hex(4)}"

    def _ring_for_those_that_wait(self, ground: Environment) -> None:
        """Seats that stand on golden machines are due as soon as these are ready."""
        for env in self.goldens.standing(ground.id)[:AWAKE] if ground.facts.state is State.READY else ():
            if lifecycle.next_step(env, self.clock.now()) is not None:
                self._ring(env.id)

    def _steps(self, claim: Claim, *, go_on: bool) -> Step | None:
        """The step that is due, and with `go_on` those that follow; the last one done. Then let go."""
        environments, done = self.kit.environments, None
        try:
            with holding.Holding(environments, claim, self.hold, self.clock) as held:
                while (step := self._under(held)) is not None:
                    done = step
                    if not go_on or self.stopping():
                        break
        except errors.ClaimLost as lost:
            # Another worker took over while this one was held up: whatever it wrote is the truth.
            LOG.warning("%s", lost)
            return None
        finally:
            self.kit.prober.leave(claim.environment)
            environments.release(claim)
        return done

    def _under(self, held: holding.Holding) -> Step | None:
        environments, claim = self.kit.environments, held.claim
        env = environments.environment(claim.environment)
        step = lifecycle.next_step(env, self.clock.now())
        if step is None:
            return None
        environments.settle(claim, lifecycle.begin(env, step, self.clock.now()))
        self.journal.write(env.id, step.value, "begins" if _first(env, step) else "begins again")
        if step is not Step.PROVE:
            # Only a proof goes on over the connections of the step before: it alone never switches a guest off.
            self.kit.prober.leave(env.id)
        began = time.monotonic()
        try:
            self._do(held, env, step)
        except errors.ClaimLost:
            raise
        except CutShort:
            environments.settle(claim, lifecycle.set_down(env))
            self.journal.write(env.id, step.value, "stopped: it is to be removed")
        except Exception as error:
            self._trouble(claim, env, step, error)
        else:
            self._done(env, step, time.monotonic() - began)
        return step

    def _done(self, env: Environment, step: Step, seconds: float) -> None:
        self.journal.write(env.id, step.value, f"done after {seconds:.1f} s")
        if _first(env, step):
            # What was begun before is quicker the second time, and would make later classes look quicker than they are.
            self.timings.measured(env.id, step, seconds)

    def _do(self, held: holding.Holding, env: Environment, step: Step) -> None:
        def progress(text: str) -> None:
            held.check()
            if held.unwanted and step in CUT_SHORT:
                raise CutShort
            self.journal.write(env.id, step.value, text)

        run = table.STEPS.get(step)
        if run is None:
            raise errors.PermanentError(f"this labctl cannot {step.value} yet.")
        found = run(self.kit, env, progress)
        done = found if isinstance(found, Done) else Done(found)
        kept = second_chances.keeps(env, step, kept=done.kept, now=self.clock.now(), span=self.undo_for)
        self.kit.environments.settle(held.claim, lifecycle.settle(env, step, done.machines, kept=kept, anew=done.anew), done.plan)

    def _trouble(self, claim: Claim, env: Environment, step: Step, error: Exception) -> None:
        failure = _failure(error)
        if not isinstance(error, errors.LabctlError):
            LOG.error("%s of %s met an error nobody foresaw", step.value, env.id, exc_info=error)
        facts = lifecycle.fail(env, step, failure, self.clock.now())
        self.kit.environments.settle(claim, facts)
        trouble = facts.trouble
        again = "waits for a person" if trouble is None or trouble.retry_at is None else f"next attempt at {trouble.retry_at:%H:%M:%S} UTC"
        self.journal.write(env.id, step.value, f"failed: {failure.reason} ({again})")

    def _ring(self, environment: str) -> None:
        try:
            self.bell.ring(environment)
        except errors.TemporaryError as error:
            # The sweep will ring.
            LOG.warning("could not ring for %s: %s", environment, error)


def _first(env: Environment, step: Step) -> bool:
    trouble = lifecycle.current_trouble(env, step)
    return env.facts.doing is not step and (trouble is None or not trouble.attempts)


def _failure(error: Exception) -> lifecycle.Failure:
    if isinstance(error, errors.TemporaryError):
        return lifecycle.Failure(error.told, error.retry_after, error.machine, error.node)
    if isinstance(error, errors.LabctlError):
        return lifecycle.Failure(error.told, None, error.machine, error.node)
    # An unforeseen error may carry anything in its text, so only its kind is shown; the log has the rest.
    return lifecycle.Failure(f"labctl met an error nobody foresaw ({type(error).__name__}); the worker's log has the details.", None)
