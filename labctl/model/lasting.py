"""How long a class lasts where nobody says so. Pure."""

from __future__ import annotations

from datetime import timedelta

from labctl.model.blueprint import Blueprint

DAY = timedelta(hours=8)
"""Of teaching."""


def usual(lab: Blueprint) -> timedelta:
    """What the blueprint gives as `times.lease`; else the hours of learning that it says it takes, which make a class of more than one day
    end with its last day of teaching; else one such day.
    """
    if lab.times.lease:
        return timedelta(seconds=lab.times.lease)
    hours = timedelta(hours=lab.about.hours) if lab.about.hours else DAY
    nights = (hours - timedelta(seconds=1)) // DAY
    return hours if not nights else timedelta(days=nights) + DAY
