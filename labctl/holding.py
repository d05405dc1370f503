"""Keeping a claim alive while steps run: a thread renews it, and looks whether they are still wanted."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from labctl import errors, ports
from labctl.model import lifecycle
from labctl.model.environment import Claim

LOG = logging.getLogger(__name__)

LONGEST = timedelta(hours=11)
"""Above any turn's own limits. A turn that hangs is not held on to for longer: another worker repeats it, and the fence keeps what
the hanging one may still write out of the store."""


class Holding:
    """A context manager around a turn. `check` is cheap and meant to be called often."""

    def __init__(
        self, environments: ports.Environments, claim: Claim, hold: timedelta, clock: ports.Clock, longest: timedelta = LONGEST
    ) -> None:
        self._longest = longest
        self.claim = claim
        self.unwanted = False
        self._environments = environments
        self._hold = hold
        self._clock = clock
        self._lost: errors.ClaimLost | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"claim {claim.environment}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        del kind, error, trace
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raise ClaimLost once another worker holds the environment."""
        if self._lost is not None:
            raise self._lost

    def _renew(self) -> None:
        end = time.monotonic() + self._longest.total_seconds()
        # Four times in the life of a claim: three may fail before it is lost.
        while not self._over.wait(self._hold.total_seconds() / 4) and time.monotonic() < end:
            try:
                self._environments.renew(self.claim, self._hold)
                env = self._environments.environment(self.claim.environment)
                self.unwanted = lifecycle.leaving(env, self._clock.now())
            except errors.ClaimLost as lost:
                self._lost = lost
                return
            except errors.LabctlError as error:
                LOG.warning("could not renew the claim on %s: %s", self.claim.environment, error)
