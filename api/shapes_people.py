"""What accounts, links and codes look like over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from api.shapes import Shape

OwnRole = Literal["it", "trainer", "author"]
Address = Annotated[str, Field(max_length=254, examples=["eva@example.org"])]


class NewAccount(Shape):
    """Wanted: a link by which somebody makes an account with these roles."""

    name: str = Field(default="", max_length=200, description="Empty: whoever has the link says it.")
    email: Address
    roles: list[OwnRole] = Field(default_factory=list, max_length=3)


class Roles(Shape):
    """Wanted: these roles and no others."""

    roles: list[OwnRole] = Field(max_length=3)


class NewTrainer(Shape):
    """Wanted: a link by which somebody comes to run this one class."""

    name: str = Field(default="", max_length=200)
    email: Address


class Link(Shape):
    """A link that is good once, shown this once."""

    url: str
    until: datetime


class JoinCode(Shape):
    """A class's code, shown this once; the one before is not good any more."""

    code: str
    url: str


class AccountShape(Shape):
    """Somebody whom labctl knows. `provider`: they sign in by the identity provider."""

    id: str
    name: str
    email: str
    roles: list[OwnRole]
    provider: bool
    created: datetime
    closed: datetime | None = None


class SignedOut(Shape):
    """How many sessions ended."""

    ended: int


class Freed(Shape):
    """Whether somebody sat there."""

    freed: bool
