"""What asking for a terminal or a desktop looks like over the wire. What is said on its WebSocket is in
`api.terminals.frames`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.shapes import Shape
from labctl.model import viewing


class NewTicket(Shape):
    """Which machine, and how; without a mode a learner's own, or watching for staff."""

    machine: Annotated[str, Field(min_length=1, max_length=100)]
    kind: viewing.Kind = viewing.Kind.TERMINAL
    mode: viewing.Mode | None = None


class TicketShape(Shape):
    """Shown once, in the first message on the WebSocket at `socket`; never in an address."""

    ticket: str
    until: datetime
    machine: str
    mode: viewing.Mode
    kind: viewing.Kind = viewing.Kind.TERMINAL
    socket: str = "/ws/terminal"
