"""`python -m labctl.apps --home FOLDER --listen HOST:PORT --api URL --site URL --labctl ORIGIN...`: serve until told to stop.

The folder holds what the proxy may know (made by `labctl up`): `host_ca.pub` and `token`. TLS is spoken by a proxy in front, if at all.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

import asyncssh

from labctl.apps import asking, guests, proxy
from labctl.drivers import account as account_
from labctl.drivers import ssh_inside


async def serve(
    home: Path, host: str, port: int, api: str, place: proxy.Place, account: str = "", *, guest_port: int = ssh_inside.PORT
) -> None:
    """Until SIGTERM. Port and folder are opened first, then everything is given up that is not needed any more."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asking.Asking(api, (home / "token").read_text().strip()) as asks:
        authority = " ".join((home / "host_ca.pub").read_text().split()[:2])
        house = proxy.House(place, asks, guests.Guests(authority, asks.certificate, port=guest_port))
        listener = await listen(house, host, port)
        if account:
            account_.become(account)
        logging.getLogger(__name__).warning("web apps are open on %s port %d", host, port)
        await house.visits.watch(stop)
        await close(house, listener)


async def listen(house: proxy.House, host: str, port: int) -> asyncio.Server:
    """Start to answer."""
    return await asyncio.start_server(house.serve, host, port, backlog=500)


async def close(house: proxy.House, listener: asyncio.Server) -> None:
    """End what is open."""
    listener.close()
    for line in list(house.lines):
        line.writer.transport.abort()
    house.machines.keep_only(frozenset())
    await listener.wait_closed()


def main() -> int:
    """0 after SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m labctl.apps", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the proxy's folder")
    parser.add_argument("--listen", required=True, help="HOST:PORT")
    parser.add_argument("--api", required=True, help="address of labctl's API")
    parser.add_argument("--site", required=True, help="where apps are: https://apps.example.org for https://APP.apps.example.org")
    parser.add_argument("--labctl", action="append", default=[], help="an origin of labctl's own pages")
    parser.add_argument("--account", default="", help="the account to become once the port is open (needs root)")
    chosen = parser.parse_args()
    host, _, port = chosen.listen.rpartition(":")
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncssh.set_log_level(logging.WARNING)
    place = proxy.Place(chosen.site, tuple(chosen.labctl))
    asyncio.run(serve(chosen.home, host.strip("[]"), int(port), chosen.api, place, chosen.account))
    return 0


if __name__ == "__main__":
    sys.exit(main())
