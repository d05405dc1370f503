"""Who asks, and whether they may: the one dependency that every route but /health and the sign-in pages carries.

Programs show a bearer token, browsers a session's cookie. With a cookie whatever changes something must come from a page of labctl's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api import sessions
from labctl import errors, knowing, wiring
from labctl.model import people
from labctl.model.people import Right

TRAINER, IT, LEARNER, DOOR = "trainer", "it", "learner", "door"

_bearer = HTTPBearer(auto_error=False, description="A token made by `labctl token create`; kept hashed, shown once.")


@dataclass(frozen=True)
class Asker:
    """Who asks. `name` is what the journal calls them (`person.name` what people call them), `role` the one word for them; what they may
    is asked of `person`.
    """

    name: str
    role: str
    environment: str | None = None
    """A learner's own (the first, where there are several)."""
    person: people.Person = field(default_factory=lambda: people.Person(""))
    proof: str = field(default="", repr=False)
    """By what they are known (`labctl.knowing`), for what stays open after this request."""

    def may(self, right: Right, classroom: str | None = None) -> bool:
        """In that class or, without one, everywhere."""
        return self.person.may(right, classroom)

    def must_own(self, environment: str, what: str, classroom: str | None = None) -> None:
        """Raise NotFound for another's, unless they may enter the seats of that class: that it exists is not theirs to know."""
        if not self.may(Right.ENTER_SEATS, classroom) and not self.person.owns(environment):
            raise errors.NotFound(f"There is no {what}.", hint="A learner's token opens one seat only; /api/v1/me says which.")


def of(known: knowing.Known) -> Asker:
    """As routes see them."""
    person, first = known.person, next(iter(known.person.places), None)
    return Asker(person.signature or person.name, person.role.value, first.environment if first else None, person, known.proof)


async def house(request: Request) -> wiring.Wiring:
    """What the app was created with. Without a thread, which would cost more than the answer."""
    return sessions.house(request)


House = Annotated[wiring.Wiring, Depends(house)]
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def somebody(request: Request, wired: House, credentials: Bearer = None) -> Asker | None:
    """Whoever asks, or nobody. A token that is shown and not good is refused, whatever cookie there is. Raises Unauthenticated, Forbidden
    (a cookie, and another site's page).
    """
    if credentials is not None or "authorization" in request.headers:
        known = wired.knowing.by_token(credentials.credentials) if credentials else None
        if known is None:
            raise errors.Unauthenticated("That token is not valid (any more).", hint=_HOW)
        return of(known)
    secret = sessions.secret(request)
    known = wired.knowing.by_session(secret) if secret else None
    if known is None:
        return None
    if request.method not in sessions.SAFE:
        sessions.refuse_other_pages(request)
    return of(known)


_HOW = "`labctl token create` makes one; send it as `Authorization: Bearer TOKEN`. In a browser, sign in at /sign-in."

Somebody = Annotated[Asker | None, Depends(somebody)]


class May:
    """The dependency: somebody who has that right, in the class that the address names (`slug`) where it names one. With `somewhere` it
    is enough to have it in any class; the route then looks which. Asks nobody: what the asker may is known by now.
    """

    def __init__(self, right: Right, *, somewhere: bool = False) -> None:
        self.right = right
        self.somewhere = somewhere

    async def __call__(self, request: Request, asker: Somebody) -> Asker:
        """The asker; Unauthenticated or Forbidden when there is none who may."""
        if asker is None:
            raise errors.Unauthenticated("This address needs a bearer token, or somebody who is signed in.", hint=_HOW)
        slug = request.path_params.get("slug")
        if not (asker.person.may_somewhere(self.right) if self.somewhere else asker.may(self.right, slug)):
            hint = "/api/v1/me says who is asking." if asker.person.account else "/api/v1/me says whose token it is."
            raise errors.Forbidden(f"A {asker.role} may not {self.right.value}.", hint=hint)
        return asker


Anyone = Annotated[Asker, Depends(May(Right.KNOW_MYSELF))]
SeesSomeClass = Annotated[Asker, Depends(May(Right.SEE_CLASS, somewhere=True))]
SeesClass = Annotated[Asker, Depends(May(Right.SEE_CLASS))]
RunsClass = Annotated[Asker, Depends(May(Right.RUN_CLASS))]
Invites = Annotated[Asker, Depends(May(Right.INVITE))]
Opens = Annotated[Asker, Depends(May(Right.OPEN_CLASS))]
ReadsCourses = Annotated[Asker, Depends(May(Right.READ_COURSES))]
Bakes = Annotated[Asker, Depends(May(Right.BAKE))]
SeesCluster = Annotated[Asker, Depends(May(Right.SEE_CLUSTER))]
ItOnly = Annotated[Asker, Depends(May(Right.ACCOUNTS))]
AppsOnly = Annotated[Asker, Depends(May(Right.CARRY_APPS))]
DoorOnly = Annotated[Asker, Depends(May(Right.CARRY))]
