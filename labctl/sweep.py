"""The sweep: at each tick, ring for what is due and in nobody's hands. It is the queue's memory, so that the queue needs none."""

from __future__ import annotations

import logging

from labctl import errors, ports

LOG = logging.getLogger(__name__)

AWAKE = 8
"""Rings of one tick at most: whoever takes one environment wakes the next worker, so a thousand need no thousand rings."""


def sweep(backlog: ports.Backlog, classrooms: ports.Classrooms, bell: ports.Bell, clock: ports.Clock) -> tuple[str, ...]:
    """Ring if and only if `lifecycle.next_step` names a step now for an environment that no living worker holds; return the ids rung
    for, the oldest first and at most `AWAKE`.

    That covers all that can be forgotten: a ring that was lost, a wait after trouble that is over, a lease that began or ended, and
    a step cut off with its worker (its state is unchanged, so the step is due again as soon as the claim is over).

    A class is closed by the sweep if and only if its lease is over and every one of its environments is GONE.
    """
    rung = []
    for environment in backlog.due(AWAKE):
        try:
            bell.ring(environment)
        except errors.TemporaryError as error:
            # The broker is away. The next tick tries again; nothing is lost.
            LOG.warning("could not ring for %s: %s", environment, error)
            break
        rung.append(environment)
    for slug in backlog.ended():
        classrooms.close(slug, clock.now())
    return tuple(rung)
