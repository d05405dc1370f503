"""Which moments people may name: real ones, in UTC from here on. Pure.

Python computes what lies between two moments of one zone from their clocks, an hour wrong when those change; and at the
ends of what `datetime` can say, the years 1 and 9999, adding or changing zones fails.
"""

from __future__ import annotations

from datetime import UTC, datetime

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""No class is older or later, and no computing with these comes near the ends of what `datetime` can say."""


def plain(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError for one that no class can have."""
    try:
        found = moment.astimezone(UTC)
    except OverflowError:
        found = None
    if found is None or not FIRST <= found < LAST:
        raise ValueError(f"must lie in the years {FIRST.year} to {LAST.year - 1}")
    return found
