"""A session carried into a guest: shell, command and subsystem (sftp, and scp which is sftp), PTY, size, signals, exit status.

Raw session pairs, not processes: a process would take the `sftp` subsystem for itself (`access.md` 2.3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncssh

from labctl.door import limits

_PASSED = ("LANG", "LC_", "COLORTERM")
"""Names of variables a learner's terminal may set in the guest; its sshd has the last word."""


class Outside(asyncssh.SSHServerSession[bytes]):
    """The learner's end. `over` is called once when it is gone."""

    def __init__(self, guest: asyncssh.SSHClientConnection, quota: limits.Quota, over: Callable[[], None]) -> None:
        self._guest = guest
        self._quota = quota
        self._over = over
        self._channel: Any = None
        self._inside: Any = None
        self._terminal: dict[str, Any] = {}
        self._wanted: dict[str, Any] = {}
        self._early: list[bytes] = []
        self._resized: tuple[int, int, int, int] | None = None
        self._ended = False
        self._gone = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """Kept, to answer on."""
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Any) -> bool:
        """Remembered, and asked of the guest."""
        self._terminal = {"request_pty": True, "term_type": term_type, "term_size": term_size, "term_modes": term_modes}
        return True

    def shell_requested(self) -> bool:
        """A login shell."""
        return True

    def exec_requested(self, command: str) -> bool:
        """One command."""
        self._wanted = {"command": command}
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """sftp, as the guest has it."""
        self._wanted = {"subsystem": subsystem}
        return True

    def session_started(self) -> None:
        """Open the guest's end. What arrives before it is there is kept, and nothing more is read."""
        asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        environment = {
            name.decode(): value.decode()
            for name, value in self._channel.get_environment_bytes().items()
            if name.decode("ascii", "replace").startswith(_PASSED) and value.isascii()
        }
        terminal = self._terminal or {"request_pty": False}
        try:
            self._inside, _ = await self._guest.create_session(
                lambda: Inside(self._channel, self._quota), env=environment, encoding=None, **terminal, **self._wanted
            )
        except (asyncssh.Error, OSError) as error:
            if not self._channel.is_closing():
                self._channel.write_stderr(f"the machine refused this session: {error}\r\n".encode())
                self._channel.exit(255)
            return
        if self._gone:
            self._inside.abort()
            return
        if self._resized:
            self._inside.change_terminal_size(*self._resized)
        for data in self._early:
            self._inside.write(data)
        if self._ended:
            self._inside.write_eof()
        self._channel.resume_reading()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Keys, or a file."""
        del datatype
        if self._inside is None:
            self._early.append(data)
            self._channel.pause_reading()
            return
        self._inside.write(data)
        _pause(self._channel, self._quota.wait(len(data)))

    def eof_received(self) -> bool:
        """No more keys; what the guest still says passes."""
        self._ended = True
        if self._inside is not None:
            self._inside.write_eof()
        return True

    def signal_received(self, signal: str) -> None:
        """Passed on."""
        if self._inside is not None:
            self._inside.send_signal(signal)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """Passed on."""
        self._resized = width, height, pixwidth, pixheight
        if self._inside is not None:
            self._inside.change_terminal_size(*self._resized)

    def pause_writing(self) -> None:
        """The learner reads slowly: the guest is not read."""
        if self._inside is not None:
            self._inside.pause_reading()

    def resume_writing(self) -> None:
        """And again."""
        if self._inside is not None:
            self._inside.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The guest's end goes too."""
        del exc
        self._gone = True
        if self._inside is not None:
            self._inside.abort()
        self._over()


class Inside(asyncssh.SSHClientSession[bytes]):
    """The guest's end."""

    def __init__(self, outside: Any, quota: limits.Quota) -> None:
        self._outside = outside
        self._quota = quota
        self._channel: Any = None
        self._last: Callable[[], None] | None = None

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Kept, to stop reading by."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """What the guest says, both of its voices."""
        self._outside.write(data, datatype)
        _pause(self._channel, self._quota.wait(len(data)))

    def eof_received(self) -> bool:
        """No more output."""
        self._outside.write_eof()
        return True

    def exit_status_received(self, status: int) -> None:
        """The command's own. Kept to the end: sshd says it when the command is over, and what that printed last may come after."""
        self._last = lambda: self._outside.exit(status)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """The command's end by a signal. Kept to the end, too."""
        self._last = lambda: self._outside.exit_with_signal(signal, core_dumped, msg, lang)

    def pause_writing(self) -> None:
        """The guest reads slowly: the learner is not read."""
        self._outside.pause_reading()

    def resume_writing(self) -> None:
        """And again."""
        self._outside.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Without an exit status the guest went away."""
        del exc
        (self._last or self._outside.close)()


def _pause(channel: Any, seconds: float) -> None:
    if seconds:
        channel.pause_reading()
        asyncio.get_running_loop().call_later(seconds, channel.resume_reading)
