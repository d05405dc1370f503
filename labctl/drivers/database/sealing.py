"""Plans at rest: a plan holds drawn passwords and flags, so it is stored encrypted (Fernet) under a key in a file.

The key is made on first use, readable by its owner only. Without it plans cannot be read, and nothing else is lost: removing
needs no plan.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from labctl import errors
from labctl.model.plan import Plan


class Seal:
    """Seals and opens plans with the key in `key_file`."""

    def __init__(self, key_file: Path) -> None:
        self._file = key_file
        self._key: Fernet | None = None

    def close(self, plan: Plan) -> bytes:
        """The sealed plan."""
        return self._fernet().encrypt(plan.model_dump_json().encode())

    def open(self, sealed: bytes) -> Plan:
        """The plan again. Raises PermanentError when it was sealed with another key."""
        try:
            return Plan.model_validate_json(self._fernet().decrypt(sealed))
        except InvalidToken:
            # `from None`: the chain would not help, and must not show anything of the plan.
            raise errors.PermanentError(
                f"a plan in the database was sealed with another key than the one in {self._file}.",
                hint="Put the key back that belongs to this database. Environments can be removed without it.",
            ) from None

    def hide(self, text: str) -> bytes:
        """A short secret that somebody will be shown again."""
        return self._fernet().encrypt(text.encode())

    def shown(self, hidden: bytes) -> str | None:
        """It again; None where it was hidden with another key."""
        try:
            return self._fernet().decrypt(hidden).decode()
        except InvalidToken:
            return None

    def digest(self, text: str) -> bytes:
        """HMAC-SHA256 of a short secret under a key of its own that follows from the file's."""
        key = hashlib.sha256(b"labctl codes " + self._read_or_make()).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    def _fernet(self) -> Fernet:
        if self._key is None:
            self._key = Fernet(self._read_or_make())
        return self._key

    def _read_or_make(self) -> bytes:
        if not self._file.exists():
            self._make()
        if stat.S_IMODE(self._file.stat().st_mode) & 0o077:
            raise errors.PermanentError(f"{self._file} can be read by others than its owner.", hint=f"chmod 600 {self._file}")
        return self._file.read_bytes().strip()

    def _make(self) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._file.with_name(f"{self._file.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link fails where the name is taken: of two processes that start at once, one key wins for both.
            os.link(draft, self._file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
