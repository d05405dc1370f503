"""What the proxy of web apps and the API say to each other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.shapes import Shape
from api.shapes_door import TargetShape, Text
from labctl.model import web_apps

Label = Annotated[str, Field(max_length=63)]
Secret = Annotated[str, Field(max_length=200)]


class Entered(Shape):
    """A ticket, and the host (its first part) where it was shown."""

    host: Label
    ticket: Secret


class Came(Shape):
    """A cookie, and the host (its first part) where it came."""

    host: Label
    secret: Secret


class VisitShape(Shape):
    """What it opens, and until when."""

    id: str
    host: str
    principal: str
    environment: str
    until: datetime
    target: TargetShape
    port: int
    scheme: str
    path: str


class EntryShape(Shape):
    """A cookie's secret, and what it opens."""

    secret: str
    visit: VisitShape


class VisitSigned(Shape):
    """The proxy's key of the moment, and the visit it carries."""

    visit: Text
    public_key: Text


class Visits(Shape):
    """Visits by their ids."""

    visits: list[Text] = Field(max_length=50_000)


def visit(found: web_apps.Visit) -> VisitShape:
    """As it goes over the wire."""
    return VisitShape(**{**vars(found), "target": TargetShape(**vars(found.target))})
