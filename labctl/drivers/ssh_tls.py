"""TLS over a channel that a guest opened, for pages that a machine offers by https only. Its certificate is not looked at: the guest is
known by its SSH host certificate, and what it says about itself beyond that proves nothing.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import paramiko

_T = TypeVar("_T")


def context() -> ssl.SSLContext:
    """For whoever answers, with whatever certificate."""
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


class Sealed:
    """What http.client needs of a socket. Raises ssl.SSLError, which is an OSError, where the other side speaks no TLS."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context().wrap_bio(self._in, self._out)
        self._do(self._tls.do_handshake)

    def sendall(self, data: bytes) -> None:
        """All of it."""
        self._do(lambda: self._tls.write(data))

    def makefile(self, mode: str) -> Any:
        """The reading side."""
        del mode
        return io.BufferedReader(_Reading(self))

    def receive(self, most: int) -> bytes:
        """What comes next; nothing at the end."""
        try:
            return self._do(lambda: self._tls.read(most))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def _do(self, act: Callable[[], _T]) -> _T:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self._flush()
                if data := self._channel.recv(16 * 1024):
                    self._in.write(data)
                else:
                    self._in.write_eof()
                continue
            self._flush()
            return done

    def _flush(self) -> None:
        if data := self._out.read():
            self._channel.sendall(data)


class _Reading(io.RawIOBase):
    def __init__(self, sealed: Sealed) -> None:
        super().__init__()
        self._sealed = sealed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._sealed.receive(len(buffer))
        buffer[: len(data)] = data
        return len(data)
