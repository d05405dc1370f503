"""What the SSH door and the API say to each other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.shapes import Shape
from labctl.model import passage

Text = Annotated[str, Field(max_length=300)]


class Principal(Shape):
    """The one a certificate names."""

    principal: Text


class Principals(Shape):
    """Those who are in."""

    principals: list[Text] = Field(max_length=10_000)


class Alive(Shape):
    """Those who may stay, each as "principal environment"."""

    alive: list[str]


class Redeemed(Shape):
    """What somebody typed at the prompt, and under which login."""

    code: Text
    login: Text


class Signed(Shape):
    """The door's key of the moment, and the seat it carries somebody into."""

    principal: Text
    public_key: Text


class CertificateShape(Shape):
    """In OpenSSH's text form."""

    certificate: str


class TargetShape(Shape):
    """One machine that may be entered."""

    name: str
    address: str
    user: str
    host: str
    host_key: str


class WayShape(Shape):
    """Where a seat's learner may go now."""

    environment: str
    classroom: str
    seat: int
    learner: str
    login: str
    principal: str
    until: datetime
    targets: list[TargetShape]


class CodeShape(Shape):
    """A code that is good once. `machines`: those of the seat, for `ssh LOGIN+MACHINE@HOST -p PORT`."""

    code: str
    until: datetime
    login: str
    machines: list[str]
    host: str
    port: int


def way(found: passage.Way) -> WayShape:
    """As it goes over the wire."""
    told = {name: value for name, value in vars(found).items() if name in WayShape.model_fields}
    return WayShape(**{**told, "targets": [TargetShape(**vars(one)) for one in found.targets]})
