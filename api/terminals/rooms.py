"""Who is at which terminal or desktop: everybody there is told of everybody, and who may be there no more is out within a second: their
seat may be entered by nobody, or they are signed out.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from api import staying
from api.terminals import frames
from labctl import errors, terminals
from labctl.model import viewing

LOOK_SECONDS = 1.0

SEAT = 24
"""Terminals of one seat, of all who are at it together: some tabs of its learner, and a few who watch."""

DESKTOPS = 2
"""Of one seat for its learner, consoles counted with them, and as many for all who watch or join: a picture costs what a hundred terminals
do."""

CLASS_DESKTOPS = 80
"""Of one class: a node of Proxmox has a hundred consoles for everybody (`proxmox-truth.md` 3.12)."""

_log = logging.getLogger(__name__)

Ended = Callable[[frozenset[viewing.Ticket]], Awaitable[Mapping[viewing.Ticket, viewing.Ending]]]
"""Those of these that may be open no more. Raises LabctlError."""

Typing = Callable[[frozenset[str]], Awaitable[frozenset[str]]]
"""Of these principals the seats on which whoever joins may type. Raises LabctlError."""

Refused = Callable[[terminals.Admission], Awaitable[None]]
"""That this learner lets nobody type along, to be kept."""

CODES = {viewing.Ending.SEAT: frames.CLOSED, viewing.Ending.PERSON: frames.TICKET}


class Viewer(Protocol):
    """One WebSocket, of a terminal or of a desktop."""

    admission: terminals.Admission
    size: frames.Size
    may_type: bool
    mark: str

    @property
    def own(self) -> bool:
        """Whether the screen follows this one's size."""

    def tell(self, text: str) -> None:
        """A text frame."""

    def show(self, size: frames.Size) -> None:
        """The screen has this size now."""

    def end(self, code: int) -> None:
        """Close it."""


class Rooms:
    """All terminals and desktops of this process."""

    def __init__(self, ended: Ended, typing: Typing, refused: Refused, written: staying.Written, now: Callable[[], datetime]) -> None:
        self._ended = ended
        self._typing = typing
        self._refused = refused
        self._pace = staying.Pace(written, now)
        self._now = now
        self._viewers: set[Viewer] = set()
        self._looking: asyncio.Task[None] | None = None
        self._said: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._viewers)

    @contextlib.asynccontextmanager
    async def at(self, viewer: Viewer) -> AsyncIterator[None]:
        """While it is there. Raises Conflict where the seat has too many already."""
        self._count(viewer)
        self._viewers.add(viewer)
        self._pace.forget()  # what was written since it was admitted may have been looked at without it
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_on())
        try:
            with contextlib.suppress(errors.LabctlError):
                await self._let_type()
            self._say_who(viewer)
            yield
        finally:
            self._viewers.discard(viewer)
            self._say_who(viewer)
            if not self._viewers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    def _count(self, viewer: Viewer) -> None:
        kind, way = viewer.admission.ticket.kind, viewer.admission.way
        alike = [one for one in self._viewers if one.admission.ticket.kind.socket == kind.socket]
        mine = [one for one in alike if one.admission.way.principal == way.principal]
        hint = "Close some tabs."
        if kind is viewing.Kind.TERMINAL:
            if len(mine) >= SEAT:
                raise errors.Conflict(f"{SEAT} terminals of this seat are open already.", hint=hint)
        # Apart, so that a learner's tabs do not keep out who comes to help.
        elif sum(one.own is viewer.own for one in mine) >= DESKTOPS:
            raise errors.Conflict(f"{DESKTOPS} desktops of this seat are open already.", hint=hint)
        elif sum(one.admission.way.classroom == way.classroom for one in alike) >= CLASS_DESKTOPS:
            raise errors.Conflict(f"{CLASS_DESKTOPS} desktops of this class are open already.", hint=hint)

    def size_for(self, viewer: Viewer) -> frames.Size:
        """Its own, or that of the screen it comes to."""
        if viewer.own:
            return viewer.size
        return next((one.size for one in self._with(viewer) if one.own), viewer.size)

    def alone(self, viewer: Viewer, mark: str) -> bool:
        """Whether nobody else may type there. Whoever had that mark is the same page, whose connection is not known to be gone yet."""
        return not any(one.own or one.may_type for one in self._with(viewer) if one is not viewer and one.mark != mark)

    async def at_last(self, viewer: Viewer, code: int) -> int:
        """The close code for its page: machines that went away because the seat is over say more than that a shell ended."""
        if code not in (frames.ENDED, frames.UNREACHABLE):
            return code
        ticket = viewer.admission.ticket
        try:
            why = (await self._ended(frozenset((ticket,)))).get(ticket)
        except errors.LabctlError:
            return code
        return code if why is None else CODES[why]

    def said(self, viewer: Viewer, what: frames.Size | frames.Stop) -> None:
        """By the learner: the screen has their size; or whoever watches or joins is out, and may not type when they come again."""
        if isinstance(what, frames.Size):
            for one in self._with(viewer):
                if not one.own:
                    one.show(what)
            return
        for one in self._seat(viewer):
            if not one.own:
                # At once, whatever the store says: somebody wants to be alone at their keyboard.
                one.may_type = False
                one.end(frames.STOPPED)
        task = asyncio.create_task(self._refuse(viewer))
        self._said.add(task)
        task.add_done_callback(self._said.discard)

    async def _refuse(self, viewer: Viewer) -> None:
        try:
            await self._refused(viewer.admission)
            await self._let_type()
        except errors.LabctlError as error:
            _log.warning("a learner's answer could not be kept: %s", error)

    async def _let_type(self) -> None:
        """As it is allowed now; those whose leave changed are told."""
        joined = [one for one in self._viewers if one.admission.ticket.mode is viewing.Mode.JOIN and not one.admission.ticket.acts]
        if not joined:
            return
        allowed = await self._typing(frozenset(one.admission.way.principal for one in joined))
        for one in joined:
            before, one.may_type = one.may_type, one.admission.way.principal in allowed
            if before != one.may_type:
                self._say_who(one)

    def _seat(self, viewer: Viewer) -> Iterable[Viewer]:
        """All at any machine of the same seat."""
        return [one for one in self._viewers if one.admission.way.environment == viewer.admission.way.environment]

    def arrived(self, viewer: Viewer) -> None:
        """The learner's screen has its size from now; somebody else is told which."""
        if viewer.own:
            self.said(viewer, viewer.size)
        else:
            viewer.show(self.size_for(viewer))

    def _with(self, viewer: Viewer) -> Iterable[Viewer]:
        """At the same terminal or desktop, itself among them while it is there."""
        key = _screen(viewer)
        return [one for one in self._viewers if _screen(one) == key]

    def _say_who(self, viewer: Viewer) -> None:
        there = self._with(viewer)
        guests = [
            {"who": one.admission.ticket.who, "mode": one.admission.ticket.mode.value, "types": one.may_type}
            for one in there
            if not one.own
        ]
        text = frames.told(**{"with": guests})
        for one in there:
            if guests or not viewer.own:
                one.tell(text)

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """One look."""
        try:
            if not await self._pace.due(one.admission.way.until for one in self._viewers):
                return
            with contextlib.suppress(errors.LabctlError):
                await self._let_type()
            inside = set(self._viewers)
            ended = await self._ended(frozenset(one.admission.ticket for one in inside))
        except errors.LabctlError as error:
            _log.warning("cannot ask who may stay at a terminal: %s", error)
            self._pace.forget()
            now, inside = self._now(), set(self._viewers)
            ended = {one.admission.ticket: viewing.Ending.SEAT for one in inside if one.admission.way.until <= now}
        for one in inside:
            why = ended.get(one.admission.ticket)
            if why is not None:
                one.end(CODES[why])


def _screen(viewer: Viewer) -> tuple[str, str, viewing.Kind]:
    return viewer.admission.way.environment, viewer.admission.target.name, viewer.admission.ticket.kind
