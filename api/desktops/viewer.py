"""One WebSocket with its desktop. Bytes pass as they come; what a page may do to the desktop is enforced here and not in the page.

Text frames are JSON as for terminals (`api.terminals.frames`): `{"stop": true}` from the seat's learner, `opened` and `with` to the page.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from api.desktops import greeting, messages
from api.terminals import frames, marks
from labctl import terminals
from labctl.drivers import rfb
from labctl.model import viewing

_log = logging.getLogger(__name__)

Heard = Callable[["Viewer", frames.Size | frames.Stop], None]


class Viewer:
    """`said` is called when its learner wants to be alone. One who watches sees; one who joins acts once that is allowed."""

    def __init__(self, socket: WebSocket, admission: terminals.Admission, said: Heard) -> None:
        self.admission = admission
        self.size = frames.Size()
        self.mark = marks.new()
        self._socket = socket
        self._tell_others = said
        self.may_type = admission.ticket.acts
        self._texts: asyncio.Queue[str] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._greeted = asyncio.Event()
        self._gate = messages.Gate()
        self._over: int | None = None

    @property
    def own(self) -> bool:
        """Whether the desktop follows this one's size."""
        return self.admission.ticket.mode is viewing.Mode.OWN

    def tell(self, text: str) -> None:
        """A text frame."""
        self._texts.put_nowait(text)

    def show(self, size: frames.Size) -> None:
        """Desktops tell their size themselves."""

    def end(self, code: int) -> None:
        """Close it, at once; the first reason counts."""
        if self._over is None:
            self._over = code
        self._gone.set()

    async def serve(self, streams: rfb.Streams, init: rfb.Init) -> int:
        """Until one side is gone; the close code for the page (the caller closes)."""
        greeted = greeting.Greeting(init)
        tasks = [asyncio.create_task(one) for one in (self._speak(), self._show_on(streams), self._listen(streams, greeted))]
        for task in tasks:
            task.add_done_callback(self._done)
        try:
            await self._gone.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            streams.close()
        return self._over or frames.ENDED

    def _done(self, task: asyncio.Task[None]) -> None:
        """However it came about that one of them stopped, the desktop ends."""
        if task.cancelled() or (fault := task.exception()) is None:
            return
        if not isinstance(fault, WebSocketDisconnect | RuntimeError | OSError):
            _log.error("a desktop ended by a fault", exc_info=fault)
        self.end(frames.UNREACHABLE if isinstance(fault, OSError) else frames.ENDED)

    async def _speak(self) -> None:
        while True:
            await self._socket.send_text(await self._texts.get())

    async def _show_on(self, streams: rfb.Streams) -> None:
        """What the desktop sends; a page that takes nothing is waited for, and so is the desktop."""
        await self._greeted.wait()
        while data := await streams.some():
            await self._socket.send_bytes(data)
        self.end(frames.UNREACHABLE)

    async def _listen(self, streams: rfb.Streams, greeted: greeting.Greeting) -> None:
        await self._socket.send_bytes(greeted.first)
        with contextlib.suppress(WebSocketDisconnect):
            while (message := await self._socket.receive())["type"] != "websocket.disconnect":
                try:
                    if (data := message.get("bytes")) is not None:
                        await self._heard(streams, greeted, data)
                    elif isinstance(said := frames.later(message.get("text") or ""), frames.Stop) and self.own:
                        self._tell_others(self, said)
                except (frames.NotUnderstood, messages.NotUnderstood, greeting.NotUnderstood):
                    self.end(frames.BAD)
                    return
        self.end(frames.ENDED)

    async def _heard(self, streams: rfb.Streams, greeted: greeting.Greeting, data: bytes) -> None:
        if not greeted.done:
            if answer := greeted.feed(data):
                await self._socket.send_bytes(answer)
            if not greeted.done:
                return
            self._greeted.set()
            data = greeted.rest
        if passed := self._gate.feed(data, acts=self.may_type, sizes=self.own):
            await streams.send(passed)
