"""Whose seat a page is about: the seat behind an environment's id, if the asker may enter it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path
from fastapi.sse import ServerSentEvent

from api import boards, routes_classes, shapes, who
from api.pages import asking
from labctl import errors

LEAVING = ("removing", "gone")
"""Status words of a seat that takes nothing any more, whatever its class does."""

OVER = ServerSentEvent(raw_data="over", event="over")
"""Tells an open page that this has come; what was typed on it stays to be seen (`web/src/page/over.ts`)."""

EnvironmentId = Annotated[str, Path(min_length=1, max_length=40)]


@dataclass(frozen=True)
class Mine:
    """A seat that the asker may see. `slug` and `number` are where it is now."""

    slug: str
    number: int
    board: shapes.Board
    seat: shapes.SeatShape

    @property
    def over(self) -> bool:
        """See `over`."""
        return over(self.board.classroom, self.seat)


def over(room: shapes.ClassroomShape, seat: shapes.SeatShape) -> bool:
    """Whether the class is over for that seat: labctl refuses whatever is still done there, so its pages do not offer it."""
    return room.closed is not None or seat.status in LEAVING


def mine(asker: asking.Anyone, house: who.House, known: routes_classes.Notes, environment: EnvironmentId) -> Mine:
    """The seat, the same NotFound for another's as for one that is not there."""
    missing = errors.NotFound("There is no such seat, or it is not yours.", hint="Your own seat is behind the button below.")
    try:
        env = house.environments.environment(environment)
        if not asking.owns(asker, environment, env.classroom):
            raise missing
        board = boards.read(known, env.classroom)
    except errors.NotFound:
        raise missing from None
    for seat in board.seats:
        if seat.environment == environment:
            return Mine(env.classroom, seat.number, board, seat)
    raise missing


Seat = Annotated[Mine, Depends(mine)]
