"""Removal without any record: whatever carries the environment's mark goes, in the order guests, VNets, one apply, pool.

A thing that does not go is reported, and the rest goes on; asking again is always right.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent import futures

from infra import leftovers
from infra.work import Work
from labctl import errors, ports
from labctl.drivers.proxmox import guests, networks, pools
from labctl.model import marks
from labctl.model import site as site_

_AT_ONCE = 4
"""Guests destroyed at once: each frees a volume under its storage's lock (`proxmox-truth.md` 4)."""


def sweep(work: Work, site: site_.Site, environment: str, plot: int, *, shaken: bool = False) -> ports.Removal:
    """Search and remove. Raises Unreachable or Forbidden when the search itself is impossible. `shaken`: something failed before, maybe
    an apply whose change was written: then nothing is pending any more, and only another apply takes the bridges off the nodes.
    """
    removed: list[str] = []
    left: list[str] = []
    alias = marks.network_alias(site.installation, environment)
    own_pool = marks.pool(site, environment)
    ours = [one for one in leftovers.guests_of(work.cluster, site, plot) if _is_ours(one, environment, own_pool)]
    with futures.ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="sweep") as pool:
        for found, problem in zip(ours, pool.map(lambda one: _destroy(work, one), ours), strict=True):
            (left.append(f"{found.place}: {problem}") if problem else removed.append(str(found.place)))
    for vnet, owner in leftovers.vnets_of(work.cluster, site).items():
        if owner == environment:
            _try(f"VNet {vnet}", functools.partial(networks.remove, work.cluster, vnet, alias), removed, left)
    if shaken:
        _try("", lambda: networks.settle(work.cluster), removed, left)
    if leftovers.is_pool_ours(work.cluster, site, environment):
        _try(f"pool {own_pool}", lambda: pools.remove(work.cluster, own_pool, alias), removed, left)
    return ports.Removal(tuple(removed), tuple(left))


def _is_ours(found: leftovers.Found, environment: str, own_pool: str) -> bool:
    """By its mark; a guest whose description does not say whose it is, by lying in the environment's own pool and range."""
    return found.mark.environment == environment if found.mark else found.pool == own_pool


def _destroy(work: Work, found: leftovers.Found) -> str:
    try:
        guests.destroy(work.cluster, found.place, found.mark)
    except errors.LabctlError as error:
        return str(error)
    work.say(f"{found.place} removed by its mark")
    return ""


def _try(what: str, call: Callable[[], bool], removed: list[str], left: list[str]) -> None:
    try:
        if call():
            removed.append(what)
    except errors.LabctlError as error:
        left.append(f"{what}: {error}")
