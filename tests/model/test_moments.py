"""Moments that people name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from labctl.model import moments


def test_a_moment_is_the_same_in_utc():
    there = datetime(2026, 10, 25, 9, tzinfo=timezone(timedelta(hours=1)))
    assert moments.plain(there) == there
    assert moments.plain(there).tzinfo is UTC


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
        datetime(1999, 12, 31, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
    ],
)
def test_what_nobody_can_compute_with_is_refused(moment):
    with pytest.raises(ValueError, match="must lie in the years 2000 to 2099"):
        moments.plain(moment)
