"""Moments in requests: what no class can have is said, and is no fault of labctl's."""

from __future__ import annotations

import pytest

from tests.api import conftest

ENDS = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59Z", "1999-12-31T00:00:00Z"]


@pytest.mark.parametrize("moment", ENDS)
def test_a_moment_at_the_ends_of_time_is_refused_wherever_one_is_sent(house, moment):
    trainer, office = house.client("trainer"), house.client("it")
    house.open()
    opening = {"blueprint": "hello", "name": "tuesday", "roster": conftest.ROSTER}
    answers = {
        "starts": trainer.post("/api/v1/classrooms", json={**opening, "starts": moment}),
        "ends": trainer.post("/api/v1/classrooms", json={**opening, "ends": moment}),
        "fit": trainer.post("/api/v1/classrooms/fit", json={"blueprint": "hello", "seats": 2, "starts": moment}),
        "until": trainer.post("/api/v1/classrooms/monday/extend", json={"until": moment}),
        "expires": office.post("/api/v1/tokens", json={"name": "late", "role": "trainer", "expires": moment}),
    }
    said = {what: (answer.status_code, "must lie in the years 2000 to 2099" in answer.text) for what, answer in answers.items()}
    assert said == dict.fromkeys(answers, (422, True))


def test_a_time_with_an_offset_is_told_as_what_it_is_in_utc(house):
    opening = {"blueprint": "hello", "name": "tuesday", "roster": conftest.ROSTER, "ends": "2030-03-04T12:30:00+01:00"}
    answer = house.client("trainer").post("/api/v1/classrooms", json=opening)
    assert "would end (2030-03-04 11:30 UTC)" in answer.json()["detail"]
