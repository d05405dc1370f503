"""IT today: removals and trouble as they are, and a retry that works."""

from __future__ import annotations

import re

from labctl import errors


def test_what_is_in_trouble_stands_there_with_its_reason_and_can_be_tried_again(house):
    house.open()
    it = house.client("it")
    assert "Nothing is in trouble" in it.get("/it").text
    house.script.failures["configure"] = [errors.PlayFailed("box: install: no such package")]
    house.settle()
    page = it.get("/it").text
    assert "no such package" in page
    (path,) = set(re.findall(r'action="(/it/retry/[^"]+)"', page))
    assert "is being tried again" in it.post(path).text
    house.settle()
    assert "Nothing is in trouble" in it.get("/it").text
    assert {seat["status"] for seat in it.get("/api/v1/classrooms/monday/seats").json()} == {"ready"}


def test_nothing_is_retried_by_others_nor_what_is_not_there(house):
    house.open()
    env = house.wiring.desk.seat("monday", 1)[1]
    assert house.client("trainer").post(f"/it/retry/{env.id}").status_code == 403
    assert house.client("it").post("/it/retry/nothing").status_code == 404
    assert house.wiring.desk.seat("monday", 1)[1].wishes.round == env.wishes.round


def test_what_is_being_removed_is_listed_until_it_is_gone(house):
    house.open()
    house.settle()
    house.client("trainer").post("/class/monday/close")
    it = house.client("it")
    assert it.get("/it").text.count('href="/class/monday/seat/') == 2
    house.settle()
    assert "Nothing is being removed" in it.get("/it").text
