"""Boxes of tasks as a browser without JavaScript meets them, and as parts where there is one; nothing secret is in any of it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from api import shapes
from api.pages import tasks as boxes
from api.pages.sitting import Mine
from labctl.model.tasks import Outcome
from labctl.task_ports import Exam
from tests.api.pages.test_streams import UTC

HTMX = {"HX-Request": "true"}


@pytest.fixture
def house(house):
    folder = house.wiring.settings.blueprints[0] / "hello"
    (folder / "guide" / "03-more.md").write_text(
        "---\nrequires: [look]\n---\n# The tower\n\nSecond part.\n\n```file box notes/a.md\nhello\n```\n"
    )
    house.open()
    house.settle()
    return house


def seat(house, number=1):
    return f"/seat/{house.wiring.desk.seat('monday', number)[1].id}"


def box(text, task):
    found = re.search(rf'<section [^>]*id="task-{task}".*?</section>', text, re.DOTALL)
    return re.sub(r"\s+", " ", found[0]) if found else ""


def test_a_box_asks_and_a_form_answers_and_comes_back_to_it(house):
    learner, place = house.learner(), seat(house)
    before = learner.get(place).text
    assert "lighthouse" not in before
    assert "It shines" not in before
    assert "Look at the sea" not in before
    assert "3 tries left" in box(before, "look")
    answer = learner.post(f"{place}/task/look/answer", data={"said": "house", "page": 1}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{place}?page=1#task-look")
    assert "That is not it." in box(learner.get(place).text, "look")
    house.pass_(seconds=3)
    learner.post(f"{place}/task/look/hint", data={"which": 1})
    assert "Look at the sea" in box(learner.get(place).text, "look")
    learner.post(f"{place}/task/look/answer", data={"said": "Lighthouse"})
    after = box(learner.get(place).text, "look")
    assert "It shines." in after
    assert "3 of 5 points" in after
    assert "<form" not in after


def test_a_check_says_what_is_missing_then_that_it_is_done(house):
    learner, place = house.learner(), seat(house)
    house.examiner.finds["file"] = [Exam(Outcome.FAILED, "There is <no> file.", "exit 1"), Exam(Outcome.UNKNOWN, detail="away")]
    for said in ("There is &lt;no&gt; file.", "does not count against you", "done"):
        assert learner.post(f"{place}/task/file/check", follow_redirects=False).status_code == 303
        assert said in box(learner.get(place).text, "file")
    assert "exit 1" not in learner.get(place).text


def test_where_scripts_run_only_the_box_comes_back_and_a_refusal_is_said_in_it(house):
    learner, place = house.learner(), seat(house)
    first = learner.post(f"{place}/task/look/answer", data={"said": "house"}, headers=HTMX)
    assert first.text.lstrip().startswith("<section")
    again = learner.post(f"{place}/task/look/answer", data={"said": "house"}, headers=HTMX)
    assert again.status_code == 200
    assert "There are three seconds between two tries." in again.text
    empty = learner.post(f"{place}/task/look/answer", data={"said": " "}, headers=HTMX)
    assert 'role="alert"' in empty.text


def test_a_trainer_may_look_but_does_not_answer_for_anybody(house):
    trainer, place = house.client("trainer"), seat(house)
    shown = trainer.get(place).text
    assert "/task/file/check" in box(shown, "file")
    assert "<form" not in box(shown, "look")
    assert trainer.post(f"{place}/task/file/check", follow_redirects=False).status_code == 303
    assert trainer.post(f"{place}/task/look/give-up").status_code == 403


def test_a_page_opens_when_what_it_requires_is_done(house):
    learner, place = house.learner(), seat(house)
    locked = learner.get(f"{place}?page=3").text
    assert "Second part" not in locked
    assert "This page opens when this is done: What is the word?" in locked
    assert learner.post(f"{place}/file", data={"block": 0, "page": 3}).status_code == 404
    learner.post(f"{place}/task/look/give-up")
    assert "Second part" in learner.get(f"{place}?page=3").text


def test_tasks_that_stand_nowhere_follow_on_the_last_page(house):
    learner, place = house.learner(), seat(house)
    learner.post(f"{place}/task/look/give-up")
    last = learner.get(f"{place}?page=3").text
    assert re.findall(r'id="task-([a-z]+)"', last) == ["quiz", "read"]
    assert "Choose all that are right" in box(last, "quiz")


def test_a_file_block_is_written_as_the_guide_has_it(house):
    learner, place = house.learner(), seat(house)
    learner.post(f"{place}/task/look/give-up")
    answer = learner.post(f"{place}/file", data={"block": 0, "page": 3}, follow_redirects=False)
    assert (answer.status_code, house.examiner.written) == (303, [("box", "notes/a.md", "hello\n")])
    assert learner.post(f"{place}/file", data={"block": 0, "page": 3}, headers=HTMX).status_code == 200
    assert learner.post(f"{place}/file", data={"block": 1, "page": 3}).status_code == 404


def test_an_open_page_is_sent_the_boxes_that_changed(house):
    trainer = house.client("trainer")

    def row():
        return shapes.SeatShape.model_validate(trainer.get("/api/v1/classrooms/monday/seats").json()[0])

    follow = boxes.Boxes(house.wiring, Mine("monday", 1, None, row()), 1, own=True)
    first = follow.changed(row(), "en", UTC)
    assert [part.split('"')[1] for part in first] == ["#score", "#task-look", "#task-file"]
    assert follow.changed(row(), "en", UTC) == []
    house.pass_(seconds=1)
    house.wiring.tasking.give_up("monday", 1, "look", who="ada")
    score, part = follow.changed(row(), "en", UTC)
    assert "1 of 4 tasks" in score
    assert part.startswith('<hx-partial hx-target="#task-look"')


def test_many_who_press_at_once_hold_up_nobody_else(house):
    house.wiring.hands.held = []
    learners = {number: house.learner(seat=number) for number in (1, 2)}
    places = {number: seat(house, number) for number in (1, 2)}
    with ThreadPoolExecutor() as pressing:
        asked = [pressing.submit(learners[number].post, f"{places[number]}/task/file/check", follow_redirects=False) for number in (1, 2)]
        assert all(house.wiring.hands.asked.acquire(timeout=60) for _ in asked)
        assert "Looking into the machines" in box(learners[1].get(places[1]).text, "file")
        assert "is going on" in learners[1].post(f"{places[1]}/task/file/check", headers=HTMX).text
        house.wiring.hands.go_on()
        assert [one.result().status_code for one in asked] == [303, 303]
