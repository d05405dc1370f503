"""Spares, swap, undo and fit over HTTP: what a trainer may, what a learner may on their own seat, and how refusals read."""

from __future__ import annotations

import pytest

from tests.api.conftest import ROSTER

CLASS = "/api/v1/classrooms/monday"


@pytest.fixture
def spared(house):
    body = {"blueprint": "hello", "name": "monday", "roster": ROSTER, "spares": 1}
    assert house.client("trainer").post("/api/v1/classrooms", json=body).status_code == 202
    house.settle()
    return house


def test_spares_are_counted_by_themselves(spared):
    board = spared.client("trainer").get(CLASS).json()
    counts = board["classroom"]["counts"]
    assert (counts["seats"], counts["ready"], counts["spares"], counts["spares_ready"]) == (2, 2, 1, 1)
    assert counts["words"] == {"ready": 2}
    assert [(seat["number"], seat["learner"], seat["spare"]) for seat in board["seats"]][2] == (3, None, True)


def test_only_the_first_of_the_roster_may_be_asked_for(house):
    body = {"blueprint": "hello", "name": "few", "roster": ROSTER, "seats": 1}
    told = house.client("trainer").post("/api/v1/classrooms", json=body).json()["what"]
    assert told == "Classroom `few` with 1 seats is being made; it lasts until 2030-03-04 20:00 UTC."
    answer = house.client("trainer").post("/api/v1/classrooms", json=body | {"name": "many", "seats": 9})
    assert (answer.status_code, "the roster has 2 learners" in answer.json()["detail"]) == (400, True)


def test_a_swap_moves_the_learner_and_their_token_to_the_spare(spared):
    trainer, learner = spared.client("trainer"), spared.learner(seat=1)
    before = trainer.get(f"{CLASS}/seats").json()
    done = trainer.post(f"{CLASS}/seats/1/swap", json={"keep": True})
    assert done.status_code == 202, done.text
    assert done.headers["location"] == f"{CLASS}/seats/1"
    assert (done.json()["spare"], done.json()["kept"]) == (3, True)
    spared.settle()
    after = trainer.get(f"{CLASS}/seats").json()
    assert [seat["environment"] for seat in after] == [before[place]["environment"] for place in (2, 1, 0)]
    assert [(seat["status"], seat["spare"], seat["aside"]) for seat in after] == [
        ("ready", False, False),
        ("ready", False, False),
        ("ready", False, True),
    ]
    assert learner.get("/api/v1/me").json()["seat"] == 1
    assert learner.get(f"{CLASS}/seats/1").status_code == 200
    assert learner.get(f"/api/v1/environments/{before[0]['environment']}").status_code == 404
    bundle = learner.post(f"{CLASS}/seats/1/bundle").json()
    assert after[0]["machines"][0]["address"] in bundle["files"]["config"]
    refused = trainer.post(f"{CLASS}/seats/2/swap", json={})
    assert (refused.status_code, refused.json()["detail"]) == (409, "class 'monday' has no spare.")


def test_a_learner_undoes_the_reset_of_their_own_seat_only(spared):
    learner = spared.learner(seat=1)
    nothing = learner.post(f"{CLASS}/seats/1/undo")
    assert (nothing.status_code, "nothing to undo" in nothing.json()["detail"]) == (409, True)
    assert learner.post(f"{CLASS}/seats/1/reset").status_code == 202
    spared.settle()
    assert learner.get(f"{CLASS}/seats/1").json()["undo_until"] == "2030-03-04T13:00:00Z"
    assert learner.post(f"{CLASS}/seats/2/undo").status_code == 404
    assert learner.post(f"{CLASS}/seats/1/undo").status_code == 202
    spared.settle()
    seat = learner.get(f"{CLASS}/seats/1").json()
    assert (seat["status"], seat["undo_until"]) == ("ready", None)
    assert learner.post(f"{CLASS}/seats/1/undo").status_code == 409


def test_a_fit_says_what_is_short_and_nothing_is_made(house):
    trainer = house.client("trainer")
    good = trainer.post("/api/v1/classrooms/fit", json={"blueprint": "hello", "seats": 2, "spares": 1}).json()
    assert (good["fits"], good["seats"], good["most"], good["ready_at"]) == (True, 3, 3, None)
    bad = trainer.post("/api/v1/classrooms/fit", json={"blueprint": "hello", "seats": 4000}).json()
    assert bad["fits"] is False
    assert 0 < bad["most"] < 4000
    assert bad["short"][0]["text"].startswith(f"{bad['most']} plots")
    assert trainer.get("/api/v1/classrooms").json() == []
    assert trainer.post("/api/v1/classrooms/fit", json={"blueprint": "nothing", "seats": 1}).status_code == 404


def test_after_a_class_was_made_there_are_times_to_go_by(spared):
    found = spared.client("trainer").post("/api/v1/classrooms/fit", json={"blueprint": "hello", "seats": 2}).json()
    assert [(one["step"], one["measurements"]) for one in found["steps"]] == [("build", 3), ("configure", 3), ("prove", 3)]
    assert found["ready_at"] is not None
