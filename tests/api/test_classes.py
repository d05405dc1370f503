"""The main road through the API, and what is refused on it."""

from __future__ import annotations

import json

import pytest

from labctl import errors
from tests import fakes
from tests.api.conftest import ROSTER

PROBLEM = "application/problem+json"


def test_a_class_is_opened_proven_shown_and_closed(house):
    opened = house.open()
    assert opened.headers["location"] == "/api/v1/classrooms/monday"
    trainer = house.client("trainer")
    assert [s["status"] for s in trainer.get(opened.headers["location"]).json()["seats"]] == ["waiting", "waiting"]
    assert len(house.bell.rung) == 2

    house.settle()
    board = trainer.get("/api/v1/classrooms/monday").json()
    assert board["classroom"]["counts"] == {"seats": 2, "ready": 2, "words": {"ready": 2}, "spares": 0, "spares_ready": 0}
    assert [s["machines"][0]["name"] for s in board["seats"]] == ["box", "box"]
    assert trainer.get("/api/v1/classrooms").json()[0]["counts"]["ready"] == 2

    closed = trainer.post("/api/v1/classrooms/monday/close")
    assert closed.status_code == 202
    house.settle()
    assert {s["status"] for s in trainer.get("/api/v1/classrooms/monday").json()["seats"]} == {"gone"}
    assert house.cluster.crumbs() == []
    assert trainer.get("/api/v1/classrooms").json() == []
    assert [room["slug"] for room in trainer.get("/api/v1/classrooms?closed=true").json()] == ["monday"]


def test_a_seat_that_fails_says_which_step_and_why_and_can_be_started_again(house):
    house.script.failures["configure"] = [errors.PlayFailed("box: install: no such package")]
    house.open()
    house.settle()
    trainer = house.client("trainer")
    bad, good = sorted(trainer.get("/api/v1/classrooms/monday/seats").json(), key=lambda seat: seat["status"])
    assert (bad["status"], good["status"]) == ("failed", "ready")
    assert "no such package" in bad["trouble"]["reason"]
    assert trainer.post(f"/api/v1/classrooms/monday/seats/{bad['number']}/reset").status_code == 202
    house.settle()
    assert trainer.get(f"/api/v1/classrooms/monday/seats/{bad['number']}").json()["status"] == "ready"


def test_extending_moves_the_end_and_an_earlier_end_is_refused(house):
    house.open()
    trainer = house.client("trainer")
    later = "2030-03-05T12:00:00+00:00"
    assert trainer.post("/api/v1/classrooms/monday/extend", json={"until": later}).json()["ends"].startswith("2030-03-05T12:00")
    refused = trainer.post("/api/v1/classrooms/monday/extend", json={"until": "2030-03-04T13:00:00+00:00"})
    assert refused.status_code == 400
    assert "already lasts" in refused.json()["detail"]


def test_the_journal_says_who_opened_and_goes_on_after_a_number(house):
    house.open()
    trainer = house.client("trainer")
    lines = trainer.get("/api/v1/classrooms/monday/journal").json()
    assert lines[0]["step"] == "open"
    assert lines[0]["who"] == "trainer"
    assert trainer.get("/api/v1/classrooms/monday/journal", params={"after": lines[-1]["number"]}).json() == []


def test_a_bundle_holds_what_ssh_needs_and_is_not_cached(house):
    house.open()
    trainer = house.client("trainer")
    early = trainer.post("/api/v1/classrooms/monday/seats/1/bundle")
    assert early.status_code == 409
    house.settle()
    bundle = trainer.post("/api/v1/classrooms/monday/seats/1/bundle")
    assert bundle.headers["cache-control"] == "no-store"
    assert set(bundle.json()["files"]) == {"id", "id-cert.pub", "known_hosts", "config"}
    assert bundle.json()["hosts"] == ["box"]


BAD = {
    "no such blueprint": ({"blueprint": "nothing"}, 404),
    "a broken blueprint": ({"blueprint": "broken"}, 422),
    "a path as a blueprint": ({"blueprint": "../hello"}, 422),
    "a name that is none": ({"name": "Monday Morning"}, 400),
    "a roster without a column": ({"roster": "name\nAda\n"}, 422),
    "a roster with a duplicate": ({"roster": "name,email\nAda,a@example.org\nAda,a@example.org\n"}, 422),
    "a roster with a bad address": ({"roster": "name,email\nAda,not-an-address\n"}, 422),
    "an empty roster": ({"roster": ""}, 422),
    "an end before the beginning": ({"ends": "2020-01-01T00:00:00+00:00"}, 400),
    "a time without a zone": ({"ends": "2031-01-01T00:00:00"}, 422),
    "an unknown key": ({"chairs": 3}, 422),
    "an answer nobody asked for": ({"answers": {"nobody": "asked"}}, 400),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_plain_words_and_nothing_is_made(house, case):
    change, status = BAD[case]
    body = {"blueprint": "hello", "name": "monday", "roster": ROSTER} | change
    answer = house.client("trainer").post("/api/v1/classrooms", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert answer.json()["detail"]
    assert house.wiring.classrooms.classrooms() == ()
    assert house.bell.rung == []


def test_a_class_that_does_not_fit_is_refused_and_nothing_is_made(house):
    house.script.failures["preflight"] = [errors.Conflict("no memory left: 2 GiB wanted, 1 GiB free.")]
    answer = house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "monday", "roster": ROSTER})
    assert answer.status_code == 409
    assert "no memory" in answer.json()["detail"]
    assert house.wiring.classrooms.classrooms() == ()


def test_a_node_that_does_not_answer_is_503_with_a_time_to_come_back(house):
    house.script.failures["preflight"] = [errors.Unreachable("the node does not answer.")]
    answer = house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "monday", "roster": ROSTER})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_without_a_broker_no_class_is_opened_and_it_says_what_to_do(house):
    house.bell.broken = True
    answer = house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "monday", "roster": ROSTER})
    assert answer.status_code == 503
    assert "labctl up" in answer.json()["hint"]
    assert house.wiring.classrooms.classrooms(closed=True) == ()


def test_the_same_name_twice_is_a_conflict(house):
    house.open()
    answer = house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "monday", "roster": ROSTER})
    assert answer.status_code == 409


def test_a_plan_shows_what_would_be_made_without_any_drawn_value(house):
    found = house.client("trainer").get("/api/v1/blueprints/hello/plan", params={"seats": 3}).json()
    assert (found["seats"], found["classroom"]["machines"], found["seat"]["machines"]) == (3, 3, 1)
    assert house.client("trainer").get("/api/v1/blueprints/hello/plan", params={"seats": 0}).status_code == 422


def test_blueprints_are_listed_the_broken_ones_with_their_reason(house):
    found = {one["name"]: one for one in house.client("trainer").get("/api/v1/blueprints").json()}
    assert found["hello"]["broken"] == ""
    assert "blueprint.yaml:" in found["broken"]["broken"]
    broken = house.client("trainer").get("/api/v1/blueprints/broken")
    assert broken.status_code == 422
    assert all({"file", "line", "column", "text"} <= set(one) for one in broken.json()["complaints"])


def test_an_error_nobody_foresaw_shows_nothing_of_itself(house):
    house.script.failures["preflight"] = [RuntimeError("token=hunter2")]
    answer = house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "monday", "roster": ROSTER})
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/classrooms", 405)]
)
def test_even_unknown_addresses_and_methods_answer_with_problems(house, method, path, status):
    answer = house.client("trainer").request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    assert set(answer.json()) == {"type", "title", "status", "detail", "hint", "complaints"}


def test_a_body_that_is_no_json_is_a_problem(house):
    answer = house.client("trainer").post("/api/v1/classrooms", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)


def test_the_newest_journal_line_is_on_the_board(house):
    house.open()
    house.settle()
    assert all("done" in seat["note"] for seat in house.client("trainer").get("/api/v1/classrooms/monday/seats").json())
    assert json.dumps(house.client("trainer").get("/api/v1/classrooms/monday").json()).count("secret") == 0


def test_a_slug_may_be_used_again_and_the_board_is_the_new_class(house):
    house.open()
    house.settle()
    house.client("trainer").post("/api/v1/classrooms/monday/close")
    house.settle()
    house.pass_(minutes=5)
    house.open()
    board = house.client("trainer").get("/api/v1/classrooms/monday").json()
    assert board["classroom"]["closed"] is None
    assert {seat["status"] for seat in board["seats"]} == {"waiting"}
    assert fakes.NOON.isoformat() not in board["now"]
