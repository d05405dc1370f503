"""Root's shell on a guest, kept open: one session says script after script. Not here: the connection (`ssh_connection`).

A session of its own costs the guest three processes and a login's worth of PAM each time; a class of thirty would pay that some
hundred times over. Each script is read by a fresh shell from a here-document, so none can change what the next one finds, and its end
is told on both outputs by a word that nobody could have guessed before.

What is left running in the background keeps the outputs of all later scripts too, and may write into them.
"""

from __future__ import annotations

import re
import secrets
import select
import time
from typing import Any

_STATUS = 8
"""Bytes after the word: a space, up to three digits, a newline, and some to spare."""


class _Stream:
    """One output of one script, cut at a limit, until the word that ends it."""

    def __init__(self, word: bytes, limit: int) -> None:
        self.kept = bytearray()
        self.status: int | None = None
        self._end = re.compile(rb"\n" + word + rb" ([0-9]{1,3})\n")
        self._limit = limit
        self._held = b""
        self._length = len(word) + _STATUS

    def feed(self, data: bytes) -> None:
        """What came. Whatever follows the end belongs to nobody."""
        if self.status is not None:
            return
        data = self._held + data
        if found := self._end.search(data):
            self.status = int(found[1])
            self._keep(data[: found.start()])
            self._held = b""
            return
        cut = max(0, len(data) - self._length)
        self._keep(data[:cut])
        self._held = data[cut:]

    def rest(self) -> bytes:
        """All there is when no end will come."""
        self._keep(self._held)
        self._held = b""
        return bytes(self.kept)

    def _keep(self, data: bytes) -> None:
        self.kept.extend(data[: self._limit - len(self.kept)])


class RootShell:
    """See the module. `channel` is paramiko's (which only `ssh_connection` imports) and runs a shell of root's that reads from it."""

    def __init__(self, channel: Any, limit: int) -> None:
        self._channel = channel
        self._limit = limit
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    @property
    def alive(self) -> bool:
        """False once the shell has ended."""
        return not (self._channel.closed or self._channel.eof_received or self._channel.exit_status_ready())

    def close(self) -> None:
        """Repeatable."""
        self._channel.close()

    def run(self, script: str, timeout: float) -> tuple[int, bytes, bytes]:
        """Exit status and both outputs. Where the shell itself ends (sudo says no), its own. Raises TimeoutError, or EOFError when the
        connection ended; after either the shell is of no use any more.
        """
        deadline = time.monotonic() + timeout
        word = f"labctl-{secrets.token_hex(16)}"
        text = script if script.endswith("\n") else f"{script}\n"
        self._channel.settimeout(timeout)
        told = f"code=$?; printf '\\n{word} %s\\n' $code; printf '\\n{word} %s\\n' $code >&2\n"
        stdout, stderr = _Stream(word.encode(), self._limit), _Stream(word.encode(), self._limit)
        try:
            self._channel.sendall(f"/bin/sh -s <<'{word}'\n{text}{word}\n{told}".encode())
        except TimeoutError:
            raise
        except OSError:
            if not self._channel.eof_received:  # else the shell has ended already, and what it said still stands to be read
                raise
        return self._hear(stdout, stderr, deadline)

    def _hear(self, stdout: _Stream, stderr: _Stream, deadline: float) -> tuple[int, bytes, bytes]:
        while True:
            over = not self.alive
            quiet = True
            if self._channel.recv_ready():
                quiet = False
                stdout.feed(self._channel.recv(65536))
            if self._channel.recv_stderr_ready():
                quiet = False
                stderr.feed(self._channel.recv_stderr(65536))
            if stdout.status is not None and stderr.status is not None:
                return stdout.status, bytes(stdout.kept), bytes(stderr.kept)
            if quiet and over:
                return self._ended(deadline), stdout.rest(), stderr.rest()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if quiet:
                self._poll.poll(min(left, 0.25) * 1000)

    def _ended(self, deadline: float) -> int:
        while not self._channel.exit_status_ready():
            if self._channel.closed or time.monotonic() > deadline:
                break
            self._poll.poll(20)
        if self._channel.exit_status < 0:
            raise EOFError("no exit status came")
        return int(self._channel.exit_status)
