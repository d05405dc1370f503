"""Who asks, and whether that role may: the one dependency that every route but /health carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from labctl import errors, ports, wiring

TRAINER, IT, LEARNER, DOOR = "trainer", "it", "learner", "door"
STAFF = (TRAINER, IT)
EVERYONE = (TRAINER, IT, LEARNER)

_bearer = HTTPBearer(auto_error=False, description="A token made by `labctl token create`; kept hashed, shown once.")


@dataclass(frozen=True)
class Asker:
    """The owner of the token. `environment` is a learner's own."""

    name: str
    role: str
    environment: str | None = None

    @property
    def staff(self) -> bool:
        """Whether it is a trainer or IT."""
        return self.role in STAFF

    def must_own(self, environment: str, what: str) -> None:
        """Raise NotFound when a learner asks for another's: that it exists is not theirs to know."""
        if not self.staff and self.environment != environment:
            raise errors.NotFound(f"There is no {what}.", hint="A learner's token opens one seat only; /api/v1/me says which.")


def house(request: Request) -> wiring.Wiring:
    """What the app was created with."""
    wired = request.app.state.wiring
    assert isinstance(wired, wiring.Wiring)
    return wired


House = Annotated[wiring.Wiring, Depends(house)]


class May:
    """The dependency: a valid token whose role is one of `roles`. Runs in a thread, for it asks the database."""

    def __init__(self, *roles: str) -> None:
        self.roles = roles

    def __call__(self, wired: House, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None) -> Asker:
        """The asker; Unauthenticated or Forbidden when there is none who may."""
        token = wired.tokens.check(credentials.credentials) if credentials else None
        if token is None:
            raise errors.Unauthenticated(
                "This address needs a bearer token, and a valid one." if credentials is None else "That token is not valid (any more).",
                hint="`labctl token create` makes one; send it as `Authorization: Bearer TOKEN`.",
            )
        if token.role not in self.roles:
            raise errors.Forbidden(
                f"A {token.role}'s token may not do this; it takes one of: {', '.join(self.roles)}.",
                hint="/api/v1/me says whose token it is.",
            )
        return _asker(token)


def _asker(token: ports.Token) -> Asker:
    return Asker(token.name, token.role, token.environment)


Staff = Annotated[Asker, Depends(May(*STAFF))]
ItOnly = Annotated[Asker, Depends(May(IT))]
Anyone = Annotated[Asker, Depends(May(*EVERYONE))]
DoorOnly = Annotated[Asker, Depends(May(DOOR))]
