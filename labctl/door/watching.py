"""Closes live connections whose seat may be entered no more: each second all of them are asked about in one question.

A seat that was reset, swapped or closed, or whose lease ended, is out within about a second. While labctl's API does not answer,
those who are in stay in until their lease's end, and nobody new comes in.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from labctl import errors
from labctl.door import server

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


async def watch(house: server.House, stop: asyncio.Event) -> None:
    """Until `stop`."""
    while not stop.is_set():
        await look(house)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue


async def look(house: server.House) -> None:
    """One look."""
    inside = [door for door in house.connections if door.way is not None]
    if not inside:
        return
    try:
        alive = await house.asks.still({door.way.principal for door in inside if door.way})
    except errors.LabctlError as error:
        LOG.warning("cannot ask who may stay: %s", error)
        now = datetime.now(UTC)
        alive = frozenset(f"{door.way.principal} {door.way.environment}" for door in inside if door.way and door.way.until > now)
    for door in inside:
        if door.way is not None and f"{door.way.principal} {door.way.environment}" not in alive:
            LOG.info("%s may be in no more", door.way.principal)
            door.end()
