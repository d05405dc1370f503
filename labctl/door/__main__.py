"""`python -m labctl.door --home FOLDER --listen HOST:PORT --api URL`: serve until told to stop.

The folder holds what the door may know (made by `labctl up`): `host_key`, `host_key-cert.pub`, `user_ca.pub`, `host_ca.pub`, `token`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import signal
import sys
from pathlib import Path

import asyncssh

from labctl.door import asking, server, watching
from labctl.drivers import account as account_

ALGORITHMS = {
    # Pinned: the library's defaults still offer SHA-1 (`access.md` 2.3).
    "kex_algs": ["mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"],
    "encryption_algs": ["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes128-ctr"],
    "mac_algs": ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
    "signature_algs": ["ssh-ed25519"],
    "compression_algs": None,
}


async def listen(house: server.House, home: Path, host: str, port: int) -> asyncssh.SSHAcceptor:
    """Start to answer."""
    return await asyncssh.listen(
        host,
        port,
        server_factory=lambda: server.Door(house),
        # Loaded now: the files are out of reach once the door is its own account, and asyncssh reads paths again at each login.
        server_host_keys=asyncssh.load_keypairs([(str(home / "host_key"), str(home / "host_key-cert.pub"))]),
        encoding=None,
        line_editor=False,
        login_timeout=120,
        keepalive_interval=15,
        keepalive_count_max=4,
        agent_forwarding=False,
        x11_forwarding=False,
        allow_scp=False,
        gss_host=None,
        host_based_auth=False,
        password_auth=False,
        server_version="labctl",
        backlog=500,
        config=None,
        **ALGORITHMS,
    )


async def serve(home: Path, host: str, port: int, api: str, account: str = "", *, guest_port: int = server.SSH_PORT) -> None:
    """Until SIGTERM. Port and folder are opened first, then everything is given up that is not needed any more."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asking.Asking(api, (home / "token").read_text().strip()) as asks:
        house = server.House(asks, _read(home / "user_ca.pub"), _read(home / "host_ca.pub"), guest_port=guest_port)
        acceptor = await listen(house, home, host, port)
        if account:
            account_.become(account)
        logging.getLogger(__name__).warning("the door is open on %s port %d", host, port)
        await watching.watch(house, stop)
        acceptor.close()
        for door in list(house.connections):
            door.end()
        await acceptor.wait_closed()


def _read(path: Path) -> str:
    return " ".join(path.read_text().split()[:2])


def main() -> int:
    """0 after SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m labctl.door", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the door's folder")
    parser.add_argument("--listen", required=True, help="HOST:PORT")
    parser.add_argument("--api", required=True, help="address of labctl's API")
    parser.add_argument("--account", default="", help="the account to become once the port is open (needs root)")
    chosen = parser.parse_args()
    # Each connection and each channel is an open file; many systems give processes 1,024 until they ask.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    host, _, port = chosen.listen.rpartition(":")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncssh.set_log_level(logging.WARNING)
    asyncio.run(serve(chosen.home, host.strip("[]"), int(port), chosen.api, chosen.account))
    return 0


if __name__ == "__main__":
    sys.exit(main())
