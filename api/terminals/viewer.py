"""One WebSocket with its channel into a guest. Bytes, acknowledgements and sizes; who may type is enforced here and not in the page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import asyncssh
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from api.terminals import frames, marks
from labctl import terminals
from labctl.model import viewing

_log = logging.getLogger(__name__)

AHEAD = 256 * 1024
"""Bytes sent and not acknowledged by the page; then the guest is not read until half of them are."""

TYPED = 256 * 1024
"""Bytes the guest has not taken; then the page is not read."""

TYPED_MOST = 8 * 1024 * 1024
"""Bytes the guest has not taken while acknowledgements must be read past them; then the connection ends."""


LAST_WORDS = 1.0
"""Seconds for what is still to be sent when it is over."""


class Viewer(asyncssh.SSHClientSession[bytes]):
    """`said` is called with what concerns the others: the page's own size changed, or its learner wants to be alone."""

    def __init__(
        self,
        socket: WebSocket,
        admission: terminals.Admission,
        size: frames.Size,
        said: Callable[[Viewer, frames.Size | frames.Stop], None],
    ) -> None:
        self.admission = admission
        self.size = size
        self.mark = marks.new()
        self._socket = socket
        self._tell_others = said
        self.may_type = self.own
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._out: list[bytes | str] = []
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._ahead = 0
        self._paused = False
        self._listening = asyncio.Event()
        self._listening.set()
        self._guest_full = False
        self._over: int | None = None
        self._exited = False

    @property
    def own(self) -> bool:
        """Whether the screen follows this one's size."""
        return self.admission.ticket.mode is viewing.Mode.OWN

    # What others say to it

    def tell(self, text: str) -> None:
        """A text frame, in its turn."""
        self._out.append(text)
        self._news.set()

    def show(self, size: frames.Size) -> None:
        """The screen has this size now, by somebody else's doing."""
        if size != self.size:
            self.size = size
            if self._channel is not None:
                self._channel.change_terminal_size(size.columns, size.rows)
        self.tell(frames.told(size=[size.columns, size.rows]))

    def end(self, code: int) -> None:
        """Close it, at once; the first reason counts."""
        if self._over is None:
            self._over = code
        self._gone.set()
        self._news.set()

    # What the guest says

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Kept, to type and to stop reading by."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """To the page, as soon as it has taken enough of what came before."""
        del datatype
        self._out.append(data)
        self._ahead += len(data)
        self._news.set()
        if self._ahead > AHEAD and not self._paused and self._channel is not None:
            self._paused = True
            self._channel.pause_reading()
            self._may_listen()

    def exit_status_received(self, status: int) -> None:
        """The shell ended."""
        del status
        self._exited = True

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """The shell was ended."""
        del signal, core_dumped, msg, lang
        self._exited = True

    def pause_writing(self) -> None:
        """The guest takes no more keys just now."""
        self._guest_full = True
        self._may_listen()

    def resume_writing(self) -> None:
        """And again."""
        self._guest_full = False
        self._may_listen()

    def connection_lost(self, exc: Exception | None) -> None:
        """Without an exit status the guest went away."""
        del exc
        self.end(frames.ENDED if self._exited else frames.UNREACHABLE)

    # What the page says

    def _may_listen(self) -> None:
        # A guest that waits for its output to be taken must not keep back the acknowledgements behind what was typed.
        if self._guest_full and not self._paused:
            self._listening.clear()
        else:
            self._listening.set()

    async def serve(self) -> int:
        """Until one side is gone; the close code for the page (the caller closes)."""
        speaker, reader = asyncio.create_task(self._speak()), asyncio.create_task(self._listen())
        for task in (speaker, reader):
            task.add_done_callback(self._done)
        try:
            await self._gone.wait()
            # What the guest said last is worth a moment, a page that reads nothing is not.
            await asyncio.wait([speaker], timeout=LAST_WORDS)
        finally:
            for task in (speaker, reader):
                task.cancel()
            await asyncio.gather(speaker, reader, return_exceptions=True)
            if self._channel is not None:
                self._channel.abort()
        return self._over or frames.ENDED

    def _done(self, task: asyncio.Task[None]) -> None:
        """However it came about that one of the two stopped, the terminal ends."""
        if not task.cancelled() and (fault := task.exception()) is not None:
            _log.error("a terminal ended by a fault", exc_info=fault)
            self.end(frames.UNREACHABLE)

    async def _speak(self) -> None:
        while self._over is None or self._out:
            waiting, self._out = self._out, []
            try:
                for frame in _joined(waiting):
                    await (self._socket.send_text(frame) if isinstance(frame, str) else self._socket.send_bytes(frame))
            except (WebSocketDisconnect, RuntimeError):
                # The page went away while something was being sent.
                self.end(frames.ENDED)
                return
            if not self._out and self._over is None:
                self._news.clear()
                await self._news.wait()

    async def _listen(self) -> None:
        while self._socket.client_state is WebSocketState.CONNECTED:
            await self._listening.wait()
            try:
                message = await self._socket.receive()
            except (WebSocketDisconnect, RuntimeError):
                break
            if message["type"] == "websocket.disconnect":
                break
            data, text = message.get("bytes"), message.get("text")
            try:
                if data is not None:
                    self._typed(data)
                elif text is not None:
                    self._said(text)
            except frames.NotUnderstood:
                self.end(frames.BAD)
                return
        self.end(frames.ENDED)

    def _typed(self, data: bytes) -> None:
        if not self.may_type or self._channel is None or self._channel.is_closing():
            return
        self._channel.write(data)
        if self._channel.get_write_buffer_size() > TYPED_MOST:
            self.end(1009)

    def _said(self, text: str) -> None:
        said = frames.later(text)
        if isinstance(said, frames.Ack):
            self._ahead = max(0, self._ahead - said.taken)
            if self._paused and self._ahead <= AHEAD // 2 and self._channel is not None:
                self._paused = False
                self._channel.resume_reading()
                self._may_listen()
        elif isinstance(said, frames.Size) and self.own:
            self.size = said
            if self._channel is not None:
                self._channel.change_terminal_size(said.columns, said.rows)
            self._tell_others(self, said)
        elif isinstance(said, frames.Stop) and self.own:
            self._tell_others(self, said)


def _joined(waiting: list[bytes | str]) -> list[bytes | str]:
    """Neighbouring bytes as one frame."""
    joined: list[bytes | str] = []
    run: list[bytes] = []
    for one in waiting:
        if isinstance(one, bytes):
            run.append(one)
            continue
        if run:
            joined.append(b"".join(run))
            run = []
        joined.append(one)
    if run:
        joined.append(b"".join(run))
    return joined
