"""A way into a guest for somebody else, by asyncssh: with a key made for this moment, a certificate of ten minutes, and only the
machine's own host certificate accepted. Used by the SSH door's relay and by terminals in the browser.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import asyncssh

from labctl import errors
from labctl.model import passage

PORT = 22
DIAL_SECONDS = 5.0
"""A guest on the management network answers in milliseconds, or is off."""
LOGIN_SECONDS = 15.0
"""From then on: a node that has much to do lets a guest's login take its time."""


async def enter(
    target: passage.Target, host_authority: str, certify: Callable[[str], Awaitable[str]], *, port: int = PORT
) -> asyncssh.SSHClientConnection:
    """`certify` signs the public key for the seat. Raises Unreachable in a plain sentence, and what `certify` raises."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    certificate = await certify(key.export_public_key().decode())
    try:
        # Dialled here: asyncssh's own limit for connecting counts the login too.
        async with asyncio.timeout(DIAL_SECONDS):
            dialled = await _dial(target.address, port)
        return await asyncssh.connect(
            target.address,
            port,
            sock=dialled,
            username=target.user,
            client_keys=[(key, asyncssh.import_certificate(certificate))],
            known_hosts=asyncssh.import_known_hosts(f"@cert-authority {target.host} {host_authority}\n"),
            host_key_alias=target.host,
            server_host_key_algs=["ssh-ed25519-cert-v01@openssh.com"],
            preferred_auth="publickey",
            agent_path=None,
            config=None,
            compression_algs=None,
            connect_timeout=LOGIN_SECONDS,
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=15,
        )
    except (asyncssh.Error, OSError, TimeoutError) as error:
        # The guest chose some of these words, so they go to the log of whoever asked and not to the learner.
        raise errors.Unreachable(f"{target.name} cannot be entered ({type(error).__name__}: {error})") from None


async def _dial(address: str, port: int) -> socket.socket:
    dialled = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    dialled.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(dialled, (address, port))
    except BaseException:
        dialled.close()
        raise
    return dialled
