"""Golden machines through the API: baked ahead or by a class, shown, waited for, removed when nobody stands on them."""

from __future__ import annotations

import pytest

from labctl import errors
from tests.api.conftest import ROSTER

BAKED = """\
labctl: 1
about: {title: A web server each, area: systems}
machines:
  box: {image: debian-12, kind: container}
variables:
  flag: {random: flag}
configure:
  - {packages: [nginx]}
  - {write: /root/flag, content: "${lab.flag}", bake: false}
"""


@pytest.fixture
def trainer(house):
    folder = house.wiring.settings.blueprints[0] / "server"
    folder.mkdir()
    (folder / "blueprint.yaml").write_text(BAKED)
    return house.client("trainer")


def open_class(client, slug="monday"):
    answer = client.post("/api/v1/classrooms", json={"blueprint": "server", "name": slug, "roster": ROSTER})
    assert answer.status_code == 202, answer.text


def test_they_are_baked_ahead_once_and_shown(house, trainer):
    assert trainer.get("/api/v1/goldens").json() == []
    first = trainer.post("/api/v1/blueprints/server/bake")
    assert first.status_code == 202
    assert trainer.post("/api/v1/blueprints/server/bake").json() == first.json()
    assert trainer.get(first.headers["location"]).json()["seats"][0]["status"] == "waiting"
    house.settle()
    assert trainer.get(first.headers["location"]).json()["seats"][0]["status"] == "ready"
    (golden,) = trainer.get("/api/v1/goldens").json()
    assert (golden["blueprint"], golden["status"], golden["classes"], golden["seats"]) == ("server", "ready", [], 0)
    assert golden["name"] == first.headers["location"].rpartition("/")[2]
    assert [machine["name"] for machine in golden["machines"]] == ["box"]
    open_class(trainer)
    assert trainer.get("/api/v1/goldens").json()[0]["classes"] == ["monday"]
    assert [room["slug"] for room in trainer.get("/api/v1/classrooms").json()] == ["monday"]


def test_a_waiting_seat_says_what_it_waits_for(house, trainer):
    open_class(trainer)
    (golden,) = trainer.get("/api/v1/goldens").json()
    house.wiring.runner.turn(golden["environment"])
    for seat in trainer.get("/api/v1/classrooms/monday/seats").json():
        assert seat["status"] == "waiting"
        assert seat["note"].startswith("golden machines are being baked: done after")
    house.settle()
    assert {seat["status"] for seat in trainer.get("/api/v1/classrooms/monday/seats").json()} == {"ready"}


def test_a_bake_that_fails_is_said_on_every_seat_and_baked_again_on_request(house, trainer):
    house.script.failures["configure"] = [errors.PlayFailed("box: task 'Install nginx' failed: no such package")]
    open_class(trainer)
    house.settle()
    for seat in trainer.get("/api/v1/classrooms/monday/seats").json():
        assert seat["status"] == "failed"
        assert "task 'Install nginx' failed: no such package" in seat["trouble"]["reason"]
        assert seat["trouble"]["retry_at"] is None
    assert trainer.get("/api/v1/goldens").json() == []
    assert house.cluster.crumbs() == []
    for number in (1, 2):
        assert trainer.post(f"/api/v1/classrooms/monday/seats/{number}/reset").status_code == 202
    assert len(trainer.get("/api/v1/goldens").json()) == 1
    house.settle()
    assert {seat["status"] for seat in trainer.get("/api/v1/classrooms/monday/seats").json()} == {"ready"}


def test_they_are_removed_only_when_nobody_stands_on_them(house, trainer):
    open_class(trainer)
    house.settle()
    refused = trainer.delete("/api/v1/goldens/server")
    assert refused.status_code == 409
    assert "in use: monday" in refused.json()["detail"]
    trainer.post("/api/v1/classrooms/monday/close")
    house.settle()
    removed = trainer.delete("/api/v1/goldens/server")
    assert removed.status_code == 202
    house.settle()
    assert trainer.get(removed.headers["location"]).json()["seats"][0]["status"] == "gone"
    assert trainer.get("/api/v1/goldens").json() == []
    assert house.cluster.crumbs() == []


def test_what_has_nothing_to_bake_or_is_not_there_is_said(trainer):
    nothing = trainer.post("/api/v1/blueprints/hello/bake")
    assert nothing.status_code == 409
    assert "no step that is the same for everybody" in nothing.json()["detail"]
    assert trainer.post("/api/v1/blueprints/helo/bake").status_code == 404
    assert trainer.post("/api/v1/blueprints/broken/bake").status_code == 422


def test_golden_machines_are_not_closed_or_extended_as_a_class(house, trainer):
    slug = trainer.post("/api/v1/blueprints/server/bake").headers["location"].rpartition("/")[2]
    assert trainer.post(f"/api/v1/classrooms/{slug}/close").status_code == 404
    assert trainer.post(f"/api/v1/classrooms/{slug}/seats/1/reset").status_code == 404
    assert trainer.post(f"/api/v1/classrooms/{slug}/seats/1/bundle").status_code == 404
    house.settle()
    assert trainer.get("/api/v1/goldens").json()[0]["status"] == "ready"
