"""Passwords as argon2id hashes, by pwdlib. What makes a password good enough is decided in `labctl.signing_in`, not here."""

from __future__ import annotations

import secrets
import threading

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

AT_ONCE = 2
"""Each hash takes 64 MiB and a core for some 50 ms: a crowd at the door must not take the machine's memory."""


class Passwords:
    """Fills the port Passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHash.recommended()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        # Hashed once, so that looking for somebody who is not there takes as long as refusing somebody who is.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """See `people_ports.Passwords`."""
        with self._turns:
            return self._hasher.hash(password)

    def verify(self, password: str, digest: str | None) -> bool:
        """See `people_ports.Passwords`."""
        with self._turns:
            try:
                right = self._hasher.verify(password, digest or self._nobody)
            except UnknownHashError:
                return False
        return right and digest is not None
