"""One connection at the door: who is it, which seat, which channels (`access.md` 2.3, 2.4).

    seat-…            a certificate of labctl's user authority with this very principal: jump to the seat's machines, port 22
    LOGIN+MACHINE     a one-time code: everything is carried by the door into that machine
    LOGIN             the same, where the seat has one machine

Everything else is refused: shells and files of the door itself, other addresses and ports, listening, sockets, agents, X11.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from labctl import errors, turns
from labctl.door import asking, forwarding, limits, relay
from labctl.drivers import ssh_inside
from labctl.model import crowd, passage

LOG = logging.getLogger(__name__)

SSH_PORT = 22
_WELCOME = "labctl: type the code that your seat's page shows (or `labctl code`).\n"
_AGAIN = "That code is not good. Codes work once and for two minutes.\n"


@dataclass
class House:
    """What all connections share."""

    asks: asking.Asking
    user_authority: str
    host_authority: str
    caps: limits.Limits = field(default_factory=limits.Limits)
    connections: set[Door] = field(default_factory=set)
    quotas: dict[str, limits.Quota] = field(default_factory=dict)
    guest_port: int = SSH_PORT

    def __post_init__(self) -> None:
        self.line = turns.Line(self.caps.looked_at)

    def quota(self, principal: str) -> limits.Quota:
        """The seat's one bucket, however many connections it has."""
        return self.quotas.setdefault(principal, limits.Quota(self.caps.rate))

    def make_room(self) -> None:
        """Where too many have not said who they are, one of them goes: somebody who has not even agreed on keys before somebody who
        is asked for a code.
        """
        unknown = [door for door in self.connections if door.way is None]
        if len(unknown) < self.caps.unknown:
            return
        still = [door for door in unknown if not door.begun] or unknown
        going = crowd.going({door: door.address for door in sorted(still, key=lambda door: door.since)})
        LOG.warning("%d have not signed in: one from %s goes", len(unknown), going.address)
        self.connections.discard(going)
        going.abort()

    def of(self, principal: str) -> list[Door]:
        """The seat's connections."""
        return [door for door in self.connections if door.way is not None and door.way.principal == principal]


class Door(asyncssh.SSHServer):
    """See the module."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._conn: asyncssh.SSHServerConnection | None = None
        self._login = ""
        self._machine = ""
        self._tried = 0
        self._shown: passage.Way | None = None
        self.way: passage.Way | None = None
        self.channels = 0
        self.address = ""
        self.since = time.monotonic()
        self.begun = False
        self._guest: asyncssh.SSHClientConnection | None = None
        self._entering: asyncio.Task[asyncssh.SSHClientConnection] | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Room is made for it, whoever it is."""
        self._conn = conn
        self.address = crowd.address(str((conn.get_extra_info("peername") or ("",))[0]))
        self._house.make_room()
        self._house.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Its way into the guest goes too."""
        if exc is not None and not isinstance(exc, (asyncssh.DisconnectError, OSError)):
            LOG.error("a connection ended by a fault of the door", exc_info=exc)
        self._house.connections.discard(self)
        if self._entering is not None:
            # Also where it comes in at this very moment, and nobody has taken note of it yet.
            self._entering.add_done_callback(_out)
            self._entering.cancel()
        if self.way is not None:
            LOG.info("%s left", self.way.principal)
            if not self._house.of(self.way.principal):
                self._house.quotas.pop(self.way.principal, None)

    def abort(self) -> None:
        """Without a word: nobody is known to be there."""
        if self._conn is not None:
            self._conn.abort()

    def end(self) -> None:
        """It may be in no more: at once, whatever it is doing."""
        if self._guest is not None:
            self._guest.abort()
        if self._conn is not None:
            self._conn.disconnect(asyncssh.DISC_BY_APPLICATION, "this seat is closed, or starts again: see its page")

    # Who is it

    def begin_auth(self, username: str) -> bool:
        """Everybody has to prove something."""
        self.begun = True
        self._login, _, self._machine = username.partition("+")
        return True

    def public_key_auth_supported(self) -> bool:
        """Certificates name a seat; a login without one has a code."""
        return passage.seat_of(self._login) is not None and not self._machine

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Plain keys open nothing."""
        del username, key
        return False

    async def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Ours, and the seat may be entered now. That the certificate names this principal, asyncssh looks at."""
        if _public(key) != self._house.user_authority:
            return False
        try:
            self._shown = self._within(await self._house.asks.way(username))
        except errors.LabctlError as error:
            LOG.info("refused %s: %s", username, error)
            return False
        return True

    def kbdint_auth_supported(self) -> bool:
        """For those without a key."""
        return passage.seat_of(self._login) is None

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        """One prompt; what is typed is shown, for a code is good once."""
        del username, lang, submethods
        return "", _WELCOME, "en", [("Code: ", True)]

    async def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> Any:
        """True, or the prompt again; after three wrong ones the connection ends."""
        del username
        await self._house.line.enter(self.address)
        # Counted before it is looked at: asyncssh drops this where a client sends the next code without waiting for the answer.
        self._tried += 1
        pause = self._house.caps.pause
        try:
            if self._tried > self._house.caps.guesses:
                return self._no_more()
            way = self._within(await self._house.asks.redeem(responses[0] if responses else "", self._login))
            self._machine = _machine(way, self._machine)
            pause = 0.0
        except errors.TemporaryError as error:
            self._tried -= 1
            LOG.warning("a code could not be looked at: %s", error)
            return "", "labctl does not answer just now. Try again.\n", "en", [("Code: ", True)]
        except errors.LabctlError as error:
            LOG.info("refused a code for %s: %s", self._login, error)
            return self._no_more() if self._tried == self._house.caps.guesses else ("", _AGAIN, "en", [("Code: ", True)])
        finally:
            # Not by waiting here, which would end with the connection.
            asyncio.get_running_loop().call_later(pause, self._house.line.leave)
        self._shown = way
        return True

    def _no_more(self) -> bool:
        self._close("Three wrong codes.")
        return False

    def _close(self, why: str) -> None:
        if self._conn is not None:
            self._conn.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, why.strip())

    def _within(self, way: passage.Way) -> passage.Way:
        if len(self._house.of(way.principal)) >= self._house.caps.connections:
            raise errors.Forbidden(f"seat {way.principal} has {self._house.caps.connections} connections already")
        return way

    def auth_completed(self) -> None:
        """Only now it counts as the seat's: a certificate is shown before its key is proven. The log says who, never with what."""
        self.way = self._shown
        if self.way is not None:
            LOG.info("%s entered as %s", self.way.principal, "jump" if not self._machine else f"relay to {self._machine}")

    # What may they open

    def session_requested(self) -> Any:
        """The door itself has no shell; a relay's session is the guest's."""
        return self._carried(self._session) if self._machine else False

    async def _session(self, over: Callable[[], None]) -> relay.Outside:
        try:
            guest = await self._inside()
        except asyncssh.ChannelOpenError:
            over()
            raise
        return relay.Outside(guest, self._quota(), over)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        """Jump: a machine's name and port 22. Relay: what the machine itself can reach."""
        del orig_host, orig_port
        if self.way is None:
            return False
        if self._machine:
            return self._carried(lambda over: self._forwarded(dest_host, dest_port, over))
        target = self.way.target(dest_host)
        if target is None or dest_port != SSH_PORT:
            LOG.info("refused %s a channel to %r port %d", self.way.principal, dest_host, dest_port)
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "only your own machines by name, port 22")
        return self._carried(lambda over: self._dialled(target.name, over))

    async def _dialled(self, name: str, over: Callable[[], None]) -> forwarding.Half:
        """Asked again at each channel: a machine may have another address by now, or the seat be closed."""
        try:
            way = await self._house.asks.way(self._principal())
            target = way.target(name)
        except errors.LabctlError:
            target = None
        if target is None:
            over()
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "that machine cannot be entered now")
        return await forwarding.dial(target.address, self._house.guest_port, self._quota(), over)

    async def _forwarded(self, host: str, port: int, over: Callable[[], None]) -> forwarding.Half:
        try:
            guest = await self._inside()
        except asyncssh.ChannelOpenError:
            over()
            raise
        return await forwarding.through(guest, host, port, self._quota(), over)

    def _carried(self, make: Callable[[Callable[[], None]], Awaitable[Any]]) -> Awaitable[Any]:
        """Count the channel while it lives. Raises ChannelOpenError above the seat's cap."""
        if sum(door.channels for door in self._house.of(self._principal())) >= self._house.caps.channels:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "your seat has too many channels open")
        self.channels += 1
        counted = [True]

        def over() -> None:
            if counted:
                counted.pop()
                self.channels -= 1

        return make(over)

    async def _inside(self) -> asyncssh.SSHClientConnection:
        """One connection into the guest for all channels, made at the first. Raises ChannelOpenError."""
        if self._entering is None or (self._entering.done() and (self._entering.cancelled() or self._entering.exception())):
            self._entering = asyncio.get_running_loop().create_task(self._enter())
        try:
            self._guest = await asyncio.shield(self._entering)
        except errors.LabctlError as error:
            LOG.warning("%s cannot enter %s: %s", self._principal(), self._machine, error)
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "that machine cannot be entered now") from None
        return self._guest

    async def _enter(self) -> asyncssh.SSHClientConnection:
        """Asked again: the machine may have another address by now, or the seat be closed."""
        way = await self._house.asks.way(self._principal())
        target = way.target(self._machine)
        if target is None:
            raise errors.Forbidden("the seat has no such machine")
        return await ssh_inside.enter(
            target, self._house.host_authority, lambda key: self._house.asks.certificate(way.principal, key), port=self._house.guest_port
        )

    def _principal(self) -> str:
        return self.way.principal if self.way is not None else ""

    def _quota(self) -> limits.Quota:
        return self._house.quota(self._principal())


def _machine(way: passage.Way, named: str) -> str:
    if named:
        if way.target(named) is None:
            raise errors.Forbidden("the seat has no such machine")
        return named
    if len(way.targets) != 1:
        raise errors.Forbidden(f"say which machine: {way.login}+{'|'.join(one.name for one in way.targets)}")
    return way.targets[0].name


def _out(entering: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
    if not entering.cancelled() and entering.exception() is None:
        entering.result().abort()


def _public(key: asyncssh.SSHKey) -> str:
    """Algorithm and key, without the comment."""
    return " ".join(key.export_public_key().decode().split()[:2])
