"""What the first who comes would wait for is made before they can come, and changes nothing of what they get."""

from __future__ import annotations

from api import warming


def test_an_app_that_was_warmed_answers_as_any_other(house):
    house.open()
    house.settle()
    warming.warm(house.app, house.wiring)
    answer = house.client("trainer").get("/class/monday")
    assert answer.status_code == 200
    assert answer.text.count('<tr id="seat-') == 2
    assert house.client("trainer").get("/api/v1/there-is-nothing-at-this-address").status_code == 404
