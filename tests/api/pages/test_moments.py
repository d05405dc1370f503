"""Dates and times of forms: real moments, on days when the clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.pages import moments
from labctl import errors

BERLIN = ZoneInfo("Europe/Berlin")


def read(text):
    return moments.read(text, BERLIN, "from")


def test_a_class_through_a_night_in_which_the_clocks_change_is_as_long_as_it_is():
    assert read("2026-10-25T08:00") - read("2026-10-24T22:00") == timedelta(hours=11)
    assert read("2026-03-29T08:00") - read("2026-03-28T22:00") == timedelta(hours=9)


def test_what_is_typed_is_the_clock_of_that_day():
    assert read("2026-10-24T09:00") == datetime(2026, 10, 24, 7, tzinfo=UTC)
    assert read("2026-10-25T09:00") == datetime(2026, 10, 25, 8, tzinfo=UTC)
    assert read("2026-10-25T09:00+00:00") == datetime(2026, 10, 25, 9, tzinfo=UTC)
    assert read("  ") is None


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-30T09:00", "0001-01-01T00:00", "9999-12-31T23:59-12:00"])
def test_what_is_no_moment_is_said(text):
    with pytest.raises(errors.BadInput, match="is not a date and time"):
        read(text)
