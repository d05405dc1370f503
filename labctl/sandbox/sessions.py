"""Who is calling: API tokens, and the tickets of `POST /access/ticket` with their CSRF tokens (`proxmox-truth.md` 3.1).

Secrets are kept hashed (tokens: random, so SHA-256; passwords: scrypt). Tickets are signed with the node's own key and are
valid for two hours. No TFA, no realms but `pam` (root only) and `pve`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from pathlib import Path

from labctl.sandbox import access_control, state

LIFETIME = 7200.0


class Sessions:
    """Checks and makes credentials for one node."""

    def __init__(self, key_file: Path, state_: state.State, access: access_control.AccessControl) -> None:
        if not key_file.exists():
            key_file.touch(0o600)
            key_file.write_bytes(secrets.token_bytes(32))
        self._key = key_file.read_bytes()
        self._content = state_.content
        self._access = access

    def from_token(self, text: str) -> str | None:
        """The token's name when `user@realm!id=secret` is right and neither user nor token has ended."""
        name, _, secret = text.partition("=")
        facts = self._content["tokens"].get(name)
        if not facts or not self._access.is_enabled(access_control.owner(name)):
            return None
        if facts.get("expire") and float(facts["expire"]) < time.time():
            return None
        return name if hmac.compare_digest(facts.get("secret", ""), hash_token(secret)) else None

    def login(self, user: str, password: str) -> bool:
        """A password, or an older ticket of the same user."""
        if not self._access.is_enabled(user):
            return False
        if password.startswith("PVE:"):
            return self.from_ticket(password) in {user, access_control.ROOT}
        stored = self._content["users"][user].get("password")
        return bool(stored) and check_password(password, stored)

    def ticket(self, user: str) -> str:
        """A ticket for now."""
        return self._signed(f"PVE:{user}:{int(time.time()):08X}")

    def from_ticket(self, text: str) -> str | None:
        """The user of a ticket that we signed and that is not too old."""
        found = re.fullmatch(r"(PVE:([^:]+):([0-9A-F]{8}))::.+", text)
        if not found or not hmac.compare_digest(self._signed(found[1]), text):
            return None
        age = time.time() - int(found[3], 16)
        return found[2] if -300 < age < LIFETIME and self._access.is_enabled(found[2]) else None

    def vnc_ticket(self, who: str, path: str, port: int) -> str:
        """For one console: bound to whom it was given (a token's name included), the guest and the port (`proxmox-truth.md` 3.12)."""
        stamp = f"PVEVNC:{int(time.time()):08X}"
        return f"{stamp}::{self._signature(f'{stamp}:{who}:{path}:{port}')}"

    def vnc_ticket_holds(self, text: str, who: str, path: str, port: int) -> bool:
        """Whether it is ours, for this, and of the last 40 seconds."""
        found = re.fullmatch(r"(PVEVNC:([0-9A-F]{8}))::(.+)", text)
        if not found or not hmac.compare_digest(self._signature(f"{found[1]}:{who}:{path}:{port}"), found[3]):
            return False
        return -20 < time.time() - int(found[2], 16) < 40

    def csrf(self, user: str) -> str:
        """The token that has to come with every write made under a ticket."""
        stamp = f"{int(time.time()):08X}"
        return f"{stamp}:{self._signature(f'{stamp}:{user}')}"

    def csrf_holds(self, user: str, text: str) -> bool:
        """Whether it is ours, this user's and not too old."""
        stamp, _, signature = text.partition(":")
        if not re.fullmatch("[0-9A-F]{8}", stamp) or not hmac.compare_digest(self._signature(f"{stamp}:{user}"), signature):
            return False
        return -300 < time.time() - int(stamp, 16) < LIFETIME

    def _signed(self, text: str) -> str:
        return f"{text}::{self._signature(text)}"

    def _signature(self, text: str) -> str:
        return base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode().rstrip("=")


def hash_token(secret: str) -> str:
    """Token secrets are random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hash_password(password: str, *, cost: int = 2**14) -> str:
    """Scrypt with its salt; `cost` is lower only for recorded test users."""
    salt = secrets.token_bytes(16)
    return f"{cost}${salt.hex()}${_scrypt(password, salt, cost).hex()}"


def check_password(password: str, stored: str) -> bool:
    """Whether the password is the one that was hashed."""
    cost, salt, digest = stored.split("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt), int(cost)).hex(), digest)


def _scrypt(password: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=8, p=1)
