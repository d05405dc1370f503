"""Reaching a guest's sshd: dial until it answers, and look at its first line before anything else reads it. Raises OSError and EOFError
only; what follows is in `ssh_connection`.
"""

from __future__ import annotations

import socket
import time
from typing import Any

IDENTIFICATION_LIMIT = 255
"""RFC 4253, 4.2: the identification line has at most 255 bytes. Lines before it are allowed there, but OpenSSH sends none."""


class Prompt(socket.socket):
    """A socket whose kernel acknowledges the answer to what it sent at once. sshd says its first words on a channel in two small packets,
    and its kernel keeps the second back until the first is acknowledged, which ours would put off for 40 ms: at each login.
    """

    def send(self, data: Any, flags: int = 0, /) -> int:
        """As of any socket; paramiko sends by this alone."""
        sent = super().send(data, flags)
        # Sending takes it back (tcp(7): "not permanent"), so it is said each time.
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return sent


def patience(waited: float) -> float:
    """Seconds for which the next dial is waited for, after so many without an answer: a guest that boots is met soon after its sshd is
    there, also where its firewall swallows the refusals before (`sandbox.guests.filters`), and one that is away is not dialled for ever.
    """
    return min(0.1 + waited / 20, 2.0)


def dial(address: str, port: int, deadline: float) -> socket.socket:
    """Short timeouts repeated: a SYN lost while the card comes up would cost a second (`access.md` 1.1)."""
    begun = time.monotonic()
    while True:
        now = time.monotonic()
        left, patient = deadline - now, patience(now - begun)
        try:
            dialled = socket.create_connection((address, port), timeout=max(0.05, min(patient, left)))
        except TimeoutError:
            if left <= patient:
                raise
        else:
            # SSH's packets are small and each waits for an answer; Nagle's algorithm would hold every second one for 40 ms.
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            prompt = Prompt(fileno=dialled.detach())
            prompt.settimeout(patient)
            return prompt


def look_at_identification(sock: socket.socket, deadline: float, patience: float) -> None:
    """Wait for a whole identification line without taking it from the socket."""
    until = min(deadline, time.monotonic() + patience)
    seen = b""
    while b"\n" not in seen:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it accepts connections but says nothing")
        sock.settimeout(left)
        now = sock.recv(IDENTIFICATION_LIMIT, socket.MSG_PEEK)
        if not now:
            raise EOFError("it closed the connection at once")
        if not now.startswith(b"SSH-2.0-"[: len(now)]) or (len(now) == IDENTIFICATION_LIMIT and b"\n" not in now):
            raise OSError("what answers there does not speak SSH")
        if now == seen:
            time.sleep(0.02)  # a peek returns at once with what is there; wait for the rest of the line
        seen = now
