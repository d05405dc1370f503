"""Whose seat a page is about: the seat behind an environment's id, if the asker may enter it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path

from api import boards, routes_classes, shapes, who
from api.pages import asking
from labctl import errors

EnvironmentId = Annotated[str, Path(min_length=1, max_length=40)]


@dataclass(frozen=True)
class Mine:
    """A seat that the asker may see. `slug` and `number` are where it is now."""

    slug: str
    number: int
    board: shapes.Board
    seat: shapes.SeatShape


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
