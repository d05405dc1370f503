"""What a learner may ask and a trainer may say, and when it is refused."""

from __future__ import annotations

import pytest

from labctl import errors, helping
from tests.api.conftest import House


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    made.open()
    made.settle()
    yield made
    made.wiring.database.dispose()


def test_who_waits_longest_comes_first_and_the_journal_has_both_ends(house):
    desk = house.wiring.helping
    desk.raise_hand("monday", 2, "", who="grace")
    house.pass_(minutes=1)
    desk.raise_hand("monday", 1, "the shell hangs", who="ada")
    desk.raise_hand("monday", 2, "still", who="grace")
    assert [(one.seat.learner.login, one.hand.text) for one in desk.queue("monday")] == [("grace", "still"), ("ada", "the shell hangs")]
    desk.lower_hand("monday", 2, who="trainer")
    desk.lower_hand("monday", 2, who="trainer")
    assert [one.seat.number for one in desk.queue("monday")] == [1]
    lines = house.wiring.journal.read(environment=house.wiring.desk.seat("monday", 2)[1].id)
    assert [(line.text, line.who) for line in lines if line.step == "help"] == [
        ("a hand was raised", "grace"),
        ("the hand was lowered", "trainer"),
    ]


def test_what_a_learner_wrote_is_not_in_the_journal(house):
    house.wiring.helping.raise_hand("monday", 1, "my password is tide", who="ada")
    assert not [line for line in house.wiring.journal.read(classroom="monday") if "tide" in line.text]


@pytest.mark.parametrize("text", ["", "  \n ", "\x00\x07", "x" * (helping.LONGEST + 1)])
def test_a_message_that_is_none_or_a_book_is_refused(house, text):
    with pytest.raises(errors.BadInput):
        house.wiring.helping.broadcast("monday", text, who="trainer")
    assert house.wiring.helping.messages("monday") == ()


def test_nobody_sits_on_a_spare_or_in_a_class_that_is_not_there(house):
    with pytest.raises(errors.NotFound):
        house.wiring.helping.raise_hand("monday", 9, "", who="ada")
    with pytest.raises(errors.NotFound):
        house.wiring.helping.broadcast("tuesday", "hello", who="trainer")


def test_in_a_closed_class_nobody_can_ask_and_nothing_is_said(house):
    house.wiring.desk.close("monday", who="trainer")
    with pytest.raises(errors.Conflict):
        house.wiring.helping.raise_hand("monday", 1, "", who="ada")
    with pytest.raises(errors.Conflict):
        house.wiring.helping.broadcast("monday", "hello", who="trainer")
