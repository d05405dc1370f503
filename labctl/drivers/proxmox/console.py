"""A guest's own screen by Proxmox: `vncproxy`, then its WebSocket (`proxmox-truth.md` 3.12, 5.3). For machines that have no VNC server of
their own, and for those whose network is broken.

Ticket, port, password and node stay in here: the relay ends VNC's authentication itself. Both calls go to the same node, whose
certificate must be the cluster's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib import parse

from websockets.asyncio import client as sockets
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from labctl import errors
from labctl.drivers.proxmox import client
from labctl.model import passage
from labctl.model import site as site_

FRAME = 64 * 1024
"""Bytes of a frame to Proxmox, which takes 128 KiB at most."""

MOST = 90
"""Consoles at once. A node has a hundred ports for everybody's."""

OPEN_SECONDS = 10.0
"""A worker waits that long for its one connection."""

_KINDS = {"vm": "qemu", "container": "lxc"}


class Socket:
    """Fills `rfb.Streams`."""

    def __init__(self, connection: sockets.ClientConnection) -> None:
        self._connection = connection
        self._rest = bytearray()

    async def exactly(self, size: int) -> bytes:
        """So many bytes."""
        while len(self._rest) < size:
            if not (more := await self._more()):
                raise EOFError
            self._rest += more
        data = bytes(self._rest[:size])
        del self._rest[:size]
        return data

    async def some(self) -> bytes:
        """What there is; empty at the end."""
        if self._rest:
            data = bytes(self._rest)
            self._rest.clear()
            return data
        return await self._more()

    async def send(self, data: bytes) -> None:
        """Returns when there is room for more."""
        try:
            for at in range(0, len(data), FRAME):
                await self._connection.send(data[at : at + FRAME])
        except ConnectionClosed:
            raise ConnectionResetError("the console is closed") from None

    def close(self) -> None:
        """At once."""
        self._connection.transport.abort()

    async def _more(self) -> bytes:
        try:
            data = await self._connection.recv()
        except ConnectionClosed:
            return b""
        return data.encode() if isinstance(data, str) else data


@dataclass(frozen=True)
class Console:
    """An open one; `password` is for VNC's authentication inside."""

    streams: Socket
    password: str


class Consoles:
    """All of this process, on one cluster."""

    def __init__(self, cluster: site_.Cluster, to: client.Client) -> None:
        self._cluster = cluster
        self._client = to
        self._open = 0

    @contextlib.asynccontextmanager
    async def console(self, screen: passage.Screen) -> AsyncIterator[Console]:
        """Raises Unreachable, Busy (too many are open), Forbidden, NotFound."""
        if self._open >= MOST:
            raise errors.Busy(f"{MOST} consoles are open already.", hint="Close some.")
        self._open += 1
        try:
            place = f"/nodes/{screen.node}/{_KINDS[screen.kind]}/{screen.vmid}"
            # Containers' password comes by itself.
            asked = {"websocket": 1} | ({"generate-password": 1} if screen.kind == "vm" else {})
            proxy = await asyncio.to_thread(self._client.once, "POST", f"{place}/vncproxy", **asked)
            async with contextlib.AsyncExitStack() as ending:
                socket = await self._dial(place, str(proxy["port"]), str(proxy["ticket"]), ending)
                ending.callback(socket.close)
                yield Console(socket, str(proxy.get("password") or proxy["ticket"])[:8])
        finally:
            self._open -= 1

    async def _dial(self, place: str, port: str, ticket: str, ending: contextlib.AsyncExitStack) -> Socket:
        address = parse.urlsplit(self._cluster.url)
        query = parse.urlencode({"port": port, "vncticket": ticket})
        secret = (await asyncio.to_thread(Path(self._cluster.secret_file).read_text, "utf-8")).strip()
        trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusted.load_verify_locations(self._cluster.ca_file)
        try:
            connecting = sockets.connect(
                f"wss://{address.hostname}:{address.port or 8006}/api2/json{parse.quote(place)}/vncwebsocket?{query}",
                ssl=trusted,
                subprotocols=[Subprotocol("binary")],
                additional_headers={"Authorization": f"PVEAPIToken={self._cluster.user}!{self._cluster.token}={secret}"},
                compression=None,
                open_timeout=OPEN_SECONDS,
                close_timeout=1,
                max_size=2**20,
                proxy=None,
            )
            return Socket(await ending.enter_async_context(connecting))
        except (OSError, TimeoutError, WebSocketException) as error:
            # What it says may hold the address with its ticket.
            raise errors.Unreachable(f"the node opens no console ({type(error).__name__})") from None
