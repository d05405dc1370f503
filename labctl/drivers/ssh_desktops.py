"""The proof that a desktop shows a picture (`blueprint.md` 12): looked at as learners will, through the machine's own sshd with a
certificate for the seat, by the same code as the relay's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from labctl import errors
from labctl.drivers import rfb, rfb_guest, ssh_ca, ssh_inside
from labctl.model import passage
from labctl.model.environment import Machine
from labctl.model.plan import Plan, PlannedMachine

SECONDS = 60.0
"""Until the session is drawn: a desktop is one of the last things that a machine starts."""

PROOF_LIFE = timedelta(minutes=10)


def prove(
    plan: Plan, planned: PlannedMachine, machine: Machine, authority: ssh_ca.Authority, *, port: int, seconds: float = SECONDS
) -> None:
    """Look until there is a picture of more than one colour or the time is over. Raises CheckFailed, Unreachable."""
    asyncio.run(_prove(plan, planned, machine, authority, port=port, seconds=seconds))


async def _prove(plan: Plan, planned: PlannedMachine, machine: Machine, authority: ssh_ca.Authority, *, port: int, seconds: float) -> None:
    target = passage.Target(machine.name, machine.address, planned.login, ssh_ca.host_name(plan, machine.name), machine.host_key)

    async def certify(key: str) -> str:
        return authority.certify(key, planned.login, plan.principal, datetime.now(UTC) + PROOF_LIFE)

    connection = await ssh_inside.enter(target, authority.host_authority(), certify, port=port)
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, 0.2
    try:
        while reason := await _look(lambda: rfb_guest.open_(connection, planned.login)):
            if loop.time() + pause >= deadline:
                raise errors.CheckFailed(
                    f"{machine.name}: its desktop shows no picture ({reason})",
                    hint="The role `desktop` gives a machine one; on the machine, `systemctl status 'labctl-desktop@*'` says more.",
                )
            await asyncio.sleep(pause)  # between two looks at something that is still starting
            pause = min(pause * 2, 2.0)
    finally:
        connection.abort()
        await connection.wait_closed()


async def _look(dial: Callable[[], Awaitable[rfb.Streams]]) -> str:
    """Why not; empty where there is a picture."""
    try:
        streams = await dial()
    except errors.Unreachable as error:
        return error.message
    try:
        return "" if await rfb.colours(streams, await rfb.enter(streams)) > 1 else "it is of one colour"
    except errors.Unreachable as error:
        return error.message
    finally:
        streams.close()
