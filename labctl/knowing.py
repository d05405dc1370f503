"""Who somebody is, by what they showed: a browser's session, or a token. What is kept open for them asks again whether that still holds.

A *proof* names what was shown and opens nothing, so it may be stored. What somebody may do is looked up each time (`model.people`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from labctl import people_ports, ports
from labctl.model import people

_SESSION, _TOKEN = "session ", "token "


@dataclass(frozen=True)
class Known:
    """Somebody, and by what."""

    person: people.Person
    proof: str = field(repr=False)


@dataclass(frozen=True)
class Knowing:
    """See the module. `idle`: after how long without use an account's session ends."""

    sessions: people_ports.Sessions
    tokens: ports.Tokens
    idle: timedelta

    def by_session(self, secret: str) -> Known | None:
        """Marks it as seen."""
        person = self.sessions.person(secret, self.idle)
        return Known(person, _SESSION + self.sessions.session_proof(secret)) if person else None

    def by_token(self, secret: str) -> Known | None:
        """None for a wrong, revoked or expired one."""
        token = self.tokens.check(secret)
        return Known(_bearer(token), _TOKEN + self.tokens.token_proof(secret)) if token else None

    def still(self, proofs: Collection[str]) -> Mapping[str, people.Person]:
        """Who these are now; what ended is left out. Asked each second about all who have something open."""
        by_session = self.sessions.session_holders(_of(_SESSION, proofs), self.idle)
        by_token = self.tokens.token_holders(_of(_TOKEN, proofs))
        found = {_SESSION + proof: person for proof, person in by_session.items()}
        return found | {_TOKEN + proof: _bearer(token) for proof, token in by_token.items()}


def _of(kind: str, proofs: Collection[str]) -> list[str]:
    return [proof.removeprefix(kind) for proof in proofs if proof.startswith(kind)]


def _bearer(token: ports.Token) -> people.Person:
    if token.environment is not None:
        return people.Person(token.name, places=(people.Place("", 0, token.environment),))
    return people.Person(token.name, roles=frozenset({people.Role(token.role)}))
