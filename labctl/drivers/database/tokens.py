"""Bearer tokens. The secret is shown once and kept nowhere; only its SHA-256 is stored.

A plain hash is right here, and a slow one is not needed: the secret is 32 random bytes, so there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from labctl import errors
from labctl.drivers.database import part
from labctl.drivers.database.tables import tokens
from labctl.ports import Token

PREFIX = "labctl_"
"""So that a scanner for leaked secrets can tell what it found."""


class TokenRows(part.Part):
    """Fills the port Tokens."""

    def create(self, token: Token) -> str:
        """The secret, shown once. Raises Conflict when the name is taken."""
        secret = PREFIX + secrets.token_urlsafe(32)
        row = {
            "name": token.name,
            "digest": _digest(secret),
            "role": token.role,
            "environment": token.environment,
            "expires": token.expires,
        }
        try:
            with self._connection.writing() as connection:
                connection.execute(sa.insert(tokens).values(**row, created=self._clock.now()))
        except exc.IntegrityError:
            raise errors.Conflict(f"there is already a token '{token.name}'.", hint="Revoke it first, or take another name.") from None
        return secret

    def check(self, secret: str) -> Token | None:
        """Whose secret it is; None for a wrong, revoked or expired one."""
        digest = _digest(secret)
        with self._connection.reading() as connection:
            row = connection.execute(sa.select(tokens).where(tokens.c.digest == digest)).one_or_none()
        # The look-up compares digests, whose bytes an attacker cannot choose; the last word is in constant time all the same.
        if row is None or not hmac.compare_digest(row.digest, digest):
            return None
        if row.expires is not None and row.expires <= self._clock.now():
            return None
        return _token(row)

    def token_proof(self, secret: str) -> str:
        """See `ports.Tokens`."""
        return _digest(secret).hex()

    def token_holders(self, proofs: Iterable[str]) -> dict[str, Token]:
        """See `ports.Tokens`."""
        good = tokens.c.expires.is_(None) | (tokens.c.expires > self._clock.now())
        query = sa.select(tokens).where(tokens.c.digest.in_([bytes.fromhex(proof) for proof in proofs]), good)
        with self._connection.reading() as connection:
            return {bytes(row.digest).hex(): _token(row) for row in connection.execute(query).all()}

    def revoke(self, name: str) -> bool:
        """Whether there was one."""
        with self._connection.writing() as connection:
            return connection.execute(sa.delete(tokens).where(tokens.c.name == name)).rowcount == 1

    def list(self) -> tuple[Token, ...]:
        """All of them, by name; never a secret."""
        with self._connection.reading() as connection:
            found = connection.execute(sa.select(tokens).order_by(tokens.c.name)).all()
        return tuple(_token(row) for row in found)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _token(row: Any) -> Token:
    return Token(name=row.name, role=row.role, environment=row.environment, expires=row.expires)
