"""The seats of a class: which learners and how many spares, whose a seat is in a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labctl import errors
from labctl.model import planning
from labctl.model.blueprint import Blueprint
from labctl.model.classroom import Learner, Seat
from labctl.model.plan import Plan, SeatRef
from labctl.model.site import Site

MOST_SPARES = 100
"""More spares than that are a second class."""


def chosen(learners: tuple[Learner, ...], seats: int | None, spares: int) -> tuple[Learner | None, ...]:
    """The learners of a class's seats in order (the first `seats` of the roster), then its spares. Raises BadInput."""
    if seats is not None and not 1 <= seats <= len(learners):
        raise errors.BadInput(
            f"{seats} seats are not possible: the roster has {len(learners)} learners.", hint="Give 1 or more, or leave it out."
        )
    if not 0 <= spares <= MOST_SPARES:
        raise errors.BadInput(f"{spares} spares are not possible.", hint=f"Give 0 to {MOST_SPARES}.")
    return (*learners[:seats], *[None] * spares)


def plan(lab: Blueprint, site: Site, seat: Seat, plot: int, source: str, values: Mapping[str, Any]) -> Plan:
    """A seat's plan on a plot."""
    return planning.plan(
        lab,
        site,
        environment=seat.environment,
        plot=plot,
        classroom=seat.classroom,
        seat=reference(seat),
        source=source,
        values=values,
    )


def reference(seat: Seat) -> SeatRef:
    """Whose seat it is, as plans name it; a spare is its seat's own."""
    learner = seat.learner or Learner(name=f"Seat {seat.number}", email="", login=f"seat{seat.number}")
    return SeatRef(number=seat.number, name=learner.name, login=learner.login, email=learner.email)
