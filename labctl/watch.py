"""The watch: now and then, look whether the machines of all seats that are called ready still run.

A board that says ready while a machine is off, gone, or on a node that is away would lie. What does not run is written down as
trouble under a claim, as the runner writes what it finds, and `lifecycle` makes a resume of it.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import timedelta

from labctl import errors, ports
from labctl.model import readiness
from labctl.model.environment import Environment

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """`holder` and `hold` as the runner's."""

    environments: ports.Environments
    provisioner: ports.Provisioner
    journal: ports.Journal
    bell: ports.Bell
    clock: ports.Clock
    holder: str
    hold: timedelta

    def look(self) -> tuple[str, ...]:
        """One look at everything; the environments in which something was found. Where the cluster cannot be asked nothing is: that
        labctl cannot see a machine does not mean that its learner cannot.
        """
        now = self.clock.now()
        resting = [env for env in self.environments.environments() if readiness.at_rest(env, now)]
        if not resting:
            return ()
        try:
            ailing = self.provisioner.ailing([machine for env in resting for machine in env.facts.machines])
        except errors.LabctlError as error:
            LOG.warning("could not look whether machines run: %s", error)
            return ()
        return tuple(env.id for env in resting if self._tell(env, ailing))

    def _tell(self, env: Environment, ailing: ports.Ailing) -> bool:
        found = [(machine.name, ailing[machine.vmid]) for machine in env.facts.machines if machine.vmid in ailing]
        if not found:
            return False
        claim = self.environments.claim(env.id, f"{self.holder}/{secrets.token_hex(4)}", self.hold)
        if claim is None:
            return False  # somebody works on it, and will see for themselves
        try:
            now, fresh = self.clock.now(), self.environments.environment(env.id)
            if fresh.facts != env.facts or not readiness.at_rest(fresh, now):
                return False  # what was seen may have been a reset's
            reason = "; ".join(f"{name} {what}" for name, what in found)
            self.environments.settle(claim, readiness.noticed(fresh, found[0][0], reason, now))
            self.journal.write(env.id, "resume", f"found: {reason}")
        except errors.ClaimLost as lost:
            LOG.warning("%s", lost)
            return False
        finally:
            self.environments.release(claim)
        self._ring(env.id)
        return True

    def _ring(self, environment: str) -> None:
        try:
            self.bell.ring(environment)
        except errors.TemporaryError as error:
            # The sweep will ring.
            LOG.warning("could not ring for %s: %s", environment, error)
