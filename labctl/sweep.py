"""The sweep: at each tick, ring for whatever is due. It is the queue's memory, so that the queue needs none."""

from __future__ import annotations

import logging

from labctl import errors, ports
from labctl.model import lifecycle
from labctl.model.environment import State

LOG = logging.getLogger(__name__)


def sweep(environments: ports.Environments, classrooms: ports.Classrooms, bell: ports.Bell, clock: ports.Clock) -> tuple[str, ...]:
    """Ring for an environment if and only if `lifecycle.next_step` names a step for it now; return their ids.

    That covers all that can be forgotten: a ring that was lost, a wait after trouble that is over, a lease that began or ended, and
    a step cut off with its worker (its state is unchanged, so the step is still due; whoever is rung for while another worker's
    claim lives finds it taken and leaves).

    A class is closed by the sweep if and only if its lease is over and every one of its environments is GONE.
    """
    now = clock.now()
    rung = []
    for env in environments.environments():
        if lifecycle.next_step(env, now) is None:
            continue
        try:
            bell.ring(env.id)
        except errors.TemporaryError as error:
            # The broker is away. The next tick tries again; nothing is lost.
            LOG.warning("could not ring for %s: %s", env.id, error)
            break
        rung.append(env.id)
    for room in classrooms.classrooms():
        over = room.closed is None and now >= room.lease.ends
        if over and all(env.facts.state is State.GONE for env in environments.environments(classroom=room.slug, gone=True)):
            classrooms.close(room.slug, now)
    return tuple(rung)
