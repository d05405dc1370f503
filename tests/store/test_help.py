"""Raised hands, messages and notes are kept, in order, for the living class of that name."""

from __future__ import annotations

import pytest

from labctl import errors
from tests import fakes


def opened(store):
    room = fakes.classroom(3)
    store.open(room, fakes.plans_for(room), range(1, 6))


def test_a_hand_is_up_once_keeps_its_place_and_goes_down_once(store, clock):
    opened(store)
    assert store.raise_hand("monday", 2, "first")
    clock.pass_(minutes=1)
    assert store.raise_hand("monday", 1, "")
    assert not store.raise_hand("monday", 2, "second thought")
    assert [(hand.seat, hand.text) for hand in store.hands("monday")] == [(2, "second thought"), (1, "")]
    assert store.lower_hand("monday", 2)
    assert not store.lower_hand("monday", 2)
    assert [hand.seat for hand in store.hands("monday")] == [1]


def test_messages_are_the_classes_and_notes_the_seats_newest_first(store):
    opened(store)
    for text in ("one", "two"):
        store.remark("monday", None, text, "eva")
    store.remark("monday", 1, "a note", "eva")
    assert [one.text for one in store.remarks("monday", None)] == ["two", "one"]
    assert [one.text for one in store.remarks("monday", None, 1)] == ["two"]
    assert [(one.text, one.who, one.seat) for one in store.remarks("monday", 1)] == [("a note", "eva", 1)]
    assert store.remarks("monday", 2) == ()


def test_of_a_class_that_is_not_there_nothing_is_kept(store):
    with pytest.raises(errors.NotFound):
        store.raise_hand("monday", 1, "")
    with pytest.raises(errors.NotFound):
        store.remark("monday", None, "hello", "eva")
    assert store.hands("monday") == ()
    assert store.remarks("monday", None) == ()


def test_the_furthest_page_stays(store):
    opened(store)
    for seat, page in ((2, 1), (1, 3), (1, 2)):
        store.reach("monday", seat, page, 4)
    assert {one.seat: (one.page, one.pages) for one in store.sight("monday").reached.values()} == {1: (3, 4), 2: (1, 4)}
