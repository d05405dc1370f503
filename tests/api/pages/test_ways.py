"""How people come to a class by its pages: seats for anybody with a code, new codes, co-trainers, links of seats."""

from __future__ import annotations

import re

import pytest

from labctl.model.people import Role
from tests.api.browser import Browser
from tests.api.test_sign_in import WORDS, account


def opened(house, **form):
    answer = house.client("trainer").post("/open", data={"blueprint": "hello", "name": "monday", **form})
    assert answer.status_code == 200, answer.text
    return answer


def shown(page):
    return re.search(r"/join/([a-z0-9]{10})<", page)[1]


@pytest.mark.parametrize("said", ["3 seats + code", "3", " 3 Seats ", "3 places", "3 Plätze und ein Code"])
def test_so_many_seats_and_a_code_open_a_class_for_whoever_has_it(house, said):
    code = shown(opened(house, learners=said).text)
    names = [Browser(house.app).form("/join", code=code, who=f"Person {n}").status_code for n in range(4)]
    assert names == [303, 303, 303, 409]


def test_names_alone_open_a_class_with_a_code_and_each_takes_their_own_seat(house):
    code = shown(opened(house, learners="Ada Lovelace\nEva Müller").text)
    names = ["eva müller", "Grace Hopper", "Ada Lovelace", "Eva Müller"]
    assert [Browser(house.app).form("/join", code=code, who=who).status_code for who in names] == [303, 400, 303, 409]
    assert [one.seat for one in house.wiring.database.sittings("monday")] == [1, 2]
    assert "names.invalid" not in house.client("trainer").get("/class/monday").text


def test_a_full_class_says_so_with_a_button_that_works(house):
    code = shown(opened(house, learners="1 seat").text)
    Browser(house.app).form("/join", code=code, who="Ada")
    answer = Browser(house.app).form("/join", code=code, who="Grace")
    assert "somebody has taken that seat" in answer.text.lower()
    assert 'action="/join"' in answer.text
    assert 'value="Grace"' in answer.text


@pytest.mark.parametrize("said", ["0 seats", "9999 seats"])
def test_no_seats_and_too_many_are_refused_with_what_was_typed(house, said):
    answer = house.client("trainer").post("/open", data={"blueprint": "hello", "learners": said})
    assert answer.status_code == 422
    assert said in answer.text
    assert house.wiring.classrooms.classrooms() == ()


def test_a_code_is_shown_again_to_who_runs_the_class_and_a_new_one_ends_it(house):
    house.open()
    eva, other = account(house), account(house, "kim@example.org", [Role.AUTHOR])
    assert "There is no class code yet" in eva.get("/class/monday").text
    assert eva.form("/class/monday/code").headers["location"] == "/class/monday?said=code"
    first = shown(eva.get("/class/monday").text)
    assert shown(eva.get("/class/monday").text) == first
    eva.form("/class/monday/code")
    second = shown(eva.get("/class/monday").text)
    assert second != first
    assert Browser(house.app).get(f"/join/{first}").status_code == 403
    assert Browser(house.app).get(f"/join/{second}").status_code == 200
    assert other.form("/class/monday/code").status_code == 403
    raw = b"".join(path.read_bytes() for path in house.wiring.settings.home.glob("labctl.sqlite3*"))
    assert second.encode() not in raw


def test_a_co_trainer_is_invited_from_the_board_and_invites_nobody_themselves(house):
    house.open()
    eva = account(house)
    answer = eva.form("/class/monday/invite", email="nonsense")
    assert (answer.status_code, 'value="nonsense"' in answer.text) == (400, True)
    link = re.search(r"/invitation/[\w-]+", eva.form("/class/monday/invite", email="otto@example.com", name="Otto").text)[0]
    otto = Browser(house.app)
    assert otto.form(link, name="Otto", password=WORDS).status_code == 303
    page = otto.get("/class/monday").text
    assert "/class/monday/invite" not in page
    assert otto.get("/class/monday/invite").status_code == 403
    assert otto.form("/class/monday/code").status_code == 303


def test_a_link_of_a_seat_seats_its_learner_until_the_seat_is_freed(house):
    house.open()
    house.settle()
    eva, ada = account(house), Browser(house.app)
    link = re.search(r"/invitation/[\w-]+", eva.form("/class/monday/seat/1/link").text)[0]
    assert "Ada Lovelace" in ada.get(link).text
    assert ada.form(link).status_code == 303
    assert ada.get("/", follow_redirects=True).status_code == 200
    assert eva.form("/class/monday/seat/1/free").status_code == 303
    assert ada.me() is None
    assert Browser(house.app).get(link).status_code == 404


def test_choosing_another_course_brings_what_it_asks(house):
    form = {"blueprint": "hello", "learners": "Ada, ada@example.org"}
    part = house.client("trainer").post("/open/fit?course=true", data=form, headers={"HX-Request": "true"}).text
    assert '<hx-partial hx-target="#questions"' in part
    assert "hx-partial" not in house.client("trainer").post("/open/fit", data=form, headers={"HX-Request": "true"}).text
