"""Passwords as argon2id hashes, by pwdlib. What makes a password good enough is decided in `labctl.signing_in`, not here."""

from __future__ import annotations

import concurrent.futures
import os
import secrets

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

AT_ONCE = 2
"""Each hash takes 64 MiB and 100 to 200 ms of CPU: a crowd at the door must not take the machine's memory."""

NICE = 5
"""Niceness of the threads that hash (and of those that argon2 starts): terminals and boards of the same process go first."""


class Passwords:
    """Fills the port Passwords."""

    def __init__(self) -> None:
        self._hasher = PasswordHash.recommended()
        self._threads = concurrent.futures.ThreadPoolExecutor(AT_ONCE, "argon2", initializer=os.nice, initargs=(NICE,))
        # Hashed once, so that looking for somebody who is not there takes as long as refusing somebody who is.
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def hash(self, password: str) -> str:
        """See `people_ports.Passwords`."""
        return self._threads.submit(self._hasher.hash, password).result()

    def verify(self, password: str, digest: str | None) -> bool:
        """See `people_ports.Passwords`."""
        try:
            right = self._threads.submit(self._hasher.verify, password, digest or self._nobody).result()
        except UnknownHashError:
            return False
        return right and digest is not None
