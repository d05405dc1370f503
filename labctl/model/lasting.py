"""How long a class lasts where nobody says so. Pure."""

from __future__ import annotations

from datetime import timedelta

from labctl.model.blueprint import Blueprint

DAY = timedelta(hours=8)
"""Of teaching."""

SLACK = timedelta(hours=1)
"""Machines take a moment to be made, people come late and stay on: what ends on the minute takes their work from under their hands."""


def usual(lab: Blueprint) -> timedelta:
    """What the blueprint gives as `times.lease`; else the hours of learning that it says it takes and some slack, which make a class of
    more than one day end with its last day of teaching; else one such day.
    """
    if lab.times.lease:
        return timedelta(seconds=lab.times.lease)
    hours = timedelta(hours=lab.about.hours) if lab.about.hours else DAY
    nights = (hours - timedelta(seconds=1)) // DAY
    return min(hours + SLACK, DAY) if not nights else timedelta(days=nights) + DAY
