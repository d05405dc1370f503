"""A class as the API saw it last: only what changed is made anew, the clock is noticed, and what was forgotten is seen as well."""

from __future__ import annotations

import threading

import pytest

from api import boards
from labctl import errors
from labctl.model import viewing


@pytest.fixture
def notes(house):
    house.open()
    house.settle()
    return boards.Notes(house.wiring)


def words(seen):
    return {number: seat.status for number, seat in seen.seats.items()}


def test_only_seats_that_changed_are_made_anew(house, notes):
    before = notes.look("monday")
    house.wiring.helping.raise_hand("monday", 2, "", who="grace")
    after = notes.look("monday")
    assert after.seats[1] is before.seats[1]
    assert after.seats[2].hand_since == house.clock.now()
    assert before.seats[2].hand_since is None
    assert after.version > before.version
    assert after.changed_at == {1: before.version, 2: after.version}
    assert after.room_at == before.room_at


def test_where_nothing_was_written_nothing_is_new_but_the_time(house, notes):
    before = notes.look("monday")
    house.pass_(minutes=1)
    after = notes.look("monday")
    assert after.version == before.version
    assert after.board.classroom is before.board.classroom
    assert after.board.now == house.clock.now() != before.board.now


def test_what_the_clock_changes_is_seen_without_anything_being_written(house, notes):
    house.wiring.joinings.joining(viewing.Joining(1, viewing.Answer.ASKED, "eva", house.clock.now()), "monday")
    seen = notes.look("monday")
    assert (seen.seats[1].joining, words(seen)) == ("asked", {1: "ready", 2: "ready"})
    house.pass_(seconds=viewing.ASK_LIFE.total_seconds())
    assert notes.look("monday").seats[1].joining == ""
    house.pass_(seconds=(seen.board.classroom.ends - house.clock.now()).total_seconds())
    assert words(notes.look("monday")) == {1: "removing", 2: "removing"}


def test_a_message_is_news_of_the_class(house, notes):
    before = notes.look("monday")
    house.wiring.helping.broadcast("monday", "Break", who="trainer")
    after = notes.look("monday")
    assert after.room_at == after.version > before.version
    assert after.board.classroom.message == "Break"


def test_a_class_is_over_when_it_is_closed_and_all_of_it_gone(house, notes):
    house.wiring.desk.close("monday", who="trainer")
    assert not notes.look("monday").over
    house.settle()
    assert notes.look("monday").over


def test_what_had_to_be_forgotten_is_seen_again_and_newer_than_before(house, notes):
    small = boards.Notes(house.wiring, most=3)
    before = small.look("monday")
    house.open("tuesday")
    small.look("tuesday")
    after = small.look("monday")
    assert after.board.seats == before.board.seats
    assert set(after.changed_at.values()) == {after.version}
    assert after.version > before.version


def test_of_a_class_that_is_not_there_nothing_is_kept(notes):
    for name in ("wednesday", ""):
        with pytest.raises(errors.NotFound):
            notes.look(name)
    assert set(notes._classes) == set()


def test_many_who_look_at_once_see_what_was_written_before_they_asked(house, notes):
    wrong = []

    def learner(seat):
        for page in range(1, 30):
            house.wiring.progresses.reach("monday", seat, page, 99)
            if (found := notes.look("monday").seats[seat].guide_page) != page:
                wrong.append((seat, page, found))

    threads = [threading.Thread(target=learner, args=(seat,)) for seat in (1, 2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []
