"""A few processes that do the same, kept alive: one that ends is started anew, and none outlives whoever keeps them.

Forked, so that what was imported before is shared between them. What they do is not known here (`labctl.worker`).
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable

LOG = logging.getLogger(__name__)

SHORT_LIFE = 5.0
"""Seconds. Who ends sooner is started anew only after as long: a fault that shows at once must not fill the log."""

FIRST_STEPS = 30.0
"""Seconds. Who fails by itself so soon in its first life has nothing to live for: all end, so that whoever waits is told at once."""

_TOLD = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class Crew:
    """`work(number)` is done by each of `count` processes, numbered from 1; its error is the end of that process."""

    def __init__(self, count: int, work: Callable[[int], object]) -> None:
        self._count = count
        self._work = work
        self._members: dict[int, tuple[int, float]] = {}
        self._ending = self._failed = False
        self._began = time.monotonic()
        # The kernel closes the writing end when this process is gone, however it went; the members read that.
        self._alive, self._mine = os.pipe()

    def run(self) -> bool:
        """Until told to end (SIGTERM, SIGINT, SIGQUIT), which is passed on; returns when all have ended: False where they could not
        even begin. Call it before this process has other threads.
        """
        # What is here lives on in all of them: the collector must not touch it, or no page of it stays shared.
        gc.freeze()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_TOLD, signal.SIGCHLD})
        for number in range(1, self._count + 1):
            self._begin(number, before)
        while self._members or not self._ending:
            told = signal.sigtimedwait({*_TOLD, signal.SIGCHLD}, 1.0)
            if told is not None and told.si_signo in _TOLD:
                self._ending = True
                self._tell(told.si_signo)
            self._look_after(before)
        return not self._failed

    def _begin(self, number: int, mask: set[signal.Signals | int]) -> None:
        pid = os.fork()
        if pid == 0:
            os.close(self._mine)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            threading.Thread(target=self._end_with_the_keeper, name="keeper", daemon=True).start()
            _be(self._work, number)
        self._members[pid] = (number, time.monotonic())

    def _end_with_the_keeper(self) -> None:
        with contextlib.suppress(OSError):
            os.read(self._alive, 1)
        os._exit(70)

    def _tell(self, number: int) -> None:
        for pid in self._members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _look_after(self, mask: set[signal.Signals | int]) -> None:
        for pid, (number, since) in list(self._members.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended == 0:
                continue
            del self._members[pid]
            if self._ending:
                continue
            if since - self._began < SHORT_LIFE and time.monotonic() - since < FIRST_STEPS and os.waitstatus_to_exitcode(status) > 0:
                self._ending = self._failed = True
                self._tell(signal.SIGTERM)
                continue
            LOG.warning("worker %d (process %d) ended; it is started anew", number, pid)
            time.sleep(max(0.0, SHORT_LIFE - (time.monotonic() - since)))
            self._begin(number, mask)


def _be(work: Callable[[int], object], number: int) -> None:
    """A member's whole life. Never returns: what stands above in the stack is the keeper's."""
    status = 1
    try:
        work(number)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)
