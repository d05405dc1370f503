"""What the answer to "would it fit?" looks like over the wire. No I/O, no decisions."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.shapes import Shape


class ShortShape(Shape):
    """One thing there is too little of; `seats`: how many it would be enough for."""

    what: str
    where: str
    needed: int
    free: int
    unit: str
    seats: int
    text: str


class ShareShape(Shape):
    """What one node would carry; sizes in MiB."""

    node: str
    guests: int
    memory: int
    memory_free: int
    disk: int
    disk_free: int
    seats: int


class StepTimeShape(Shape):
    """The median of a step's measured seconds; empty before it was ever measured here."""

    step: str
    seconds: float | None
    measurements: int


class FitShape(Shape):
    """Whether it fits, what is short, on which nodes, and when all would be ready (empty while a step was never measured)."""

    blueprint: str
    seats: int
    fits: bool
    most: int = Field(description="How many seats fit.")
    short: list[ShortShape]
    nodes: list[ShareShape]
    steps: list[StepTimeShape]
    ready_after_seconds: float | None = None
    ready_at: datetime | None = None
