"""Moments on the command line, in this machine's local time, whatever its clocks do that day."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from labctl import errors
from labctl.cli import screen


@pytest.fixture
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def utc(day, hour, minute=0, month=10):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("now", "text", "means"),
    [
        (utc(23, 18), "09:00", utc(24, 7)),
        (utc(24, 18), "09:00", utc(25, 8)),  # summer time ends in the night between
        (utc(24, 22, 30), "09:00", utc(25, 8)),  # or is about to
        (utc(25, 0, 45), "02:30", utc(25, 1, 30)),  # 02:30 was already, and comes once more
        (utc(25, 12), "09:00", utc(26, 8)),
        (utc(28, 19, month=3), "09:00", utc(29, 7, month=3)),
        (utc(24, 18), "+13h", utc(25, 7)),
        (utc(24, 18), "2026-10-25 09:00", utc(25, 8)),
        (utc(24, 18), "2026-10-25T09:00+00:00", utc(25, 9)),
    ],
)
def test_a_time_of_day_is_the_next_one_that_clocks_here_show(now, text, means):
    assert screen.moment(text, now) == means


@pytest.mark.parametrize("text", ["25:00", "soon", "+3x", "+99999d", "0001-01-01T00:00+14:00"])
def test_what_is_no_moment_is_said(text):
    with pytest.raises(errors.BadInput):
        screen.moment(text)
