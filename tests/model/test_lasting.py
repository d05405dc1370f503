"""How long a class lasts where nobody says so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from labctl.model import lasting, reading


@pytest.mark.parametrize(
    ("about", "times", "lasts"),
    [
        ("", "", timedelta(hours=8)),
        (", hours: 2", "", timedelta(hours=3)),
        (", hours: 7", "", timedelta(hours=8)),
        (", hours: 8", "", timedelta(hours=8)),
        (", hours: 9", "", timedelta(days=1, hours=8)),
        (", hours: 16", "", timedelta(days=1, hours=8)),
        (", hours: 17", "", timedelta(days=2, hours=8)),
        (", hours: 2", "times: {lease: 5d}", timedelta(days=5)),
    ],
)
def test_a_class_lasts_as_the_blueprint_says_and_to_the_end_of_its_last_day(about, times, lasts):
    text = f"labctl: 1\nabout: {{title: A box, area: systems{about}}}\nmachines: {{box: {{image: debian-12}}}}\n{times}\n"
    assert lasting.usual(reading.parse(text, "f")) == lasts
