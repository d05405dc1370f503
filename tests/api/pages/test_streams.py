"""The live board as parts for htmx: rows made once for all viewers, whole at first, what changed afterwards; and a learner's own state."""

from __future__ import annotations

import asyncio
import re
from zoneinfo import ZoneInfo

import pytest

from api import boards
from api.pages import board_stream
from tests.api.test_events import Viewer, served

__all__ = ["served"]

UTC = ZoneInfo("UTC")


@pytest.fixture
def watched(house):
    house.open()
    house.settle()
    return house


async def first(house):
    async with asyncio.timeout(60):
        watching = house.app.state.boards.watch("monday")
        change = await anext(watching)
        await watching.aclose()
        return change


def test_a_viewer_gets_the_whole_board_first_each_part_with_what_it_replaces(watched):
    change = asyncio.run(first(watched))
    text = board_stream.Stream(watched.app.state.rows, "en", UTC).text(change)
    assert re.findall(r'<hx-partial hx-target="([^"]+)"', text) == ["#seat-1", "#seat-2", "#head", "#queue"]
    assert text.count("</hx-partial>") == 4
    assert '<tr id="seat-1"' in text


def test_a_row_is_rendered_once_for_all_viewers_of_a_language_and_again_when_it_changes(watched):
    rows = watched.app.state.rows
    change = asyncio.run(first(watched))
    for _ in range(50):
        board_stream.Stream(rows, "en", UTC).text(change)
    assert rows.rendered == 2
    assert "bereit" in board_stream.Stream(rows, "de", UTC).text(change)
    assert rows.rendered == 4
    watched.wiring.helping.raise_hand("monday", 1, "", who="ada")
    again = asyncio.run(first(watched))
    board_stream.Stream(rows, "en", UTC).text(again)
    assert rows.rendered == 5


def test_only_hands_and_failures_are_read_out_and_each_once(watched):
    stream = board_stream.Stream(watched.app.state.rows, "en", UTC)
    change = asyncio.run(first(watched))
    stream.text(change)
    watched.wiring.helping.raise_hand("monday", 1, "", who="ada")
    now = asyncio.run(first(watched))
    later = boards.Change("x-1", now.seen, now.seats[:1])
    said = stream.text(later)
    assert "Ada Lovelace asks for help." in said
    assert "#seat-2" not in said
    assert "asks for help." not in stream.text(later)


def test_names_stay_text_in_a_stream(house):
    roster = 'name,email\n"</tr><script>x</script>",ada@example.org\n'
    house.client("trainer").post("/api/v1/classrooms", json={"blueprint": "hello", "name": "monday", "roster": roster})
    house.wiring.helping.raise_hand("monday", 1, "", who="ada")
    text = board_stream.Stream(house.app.state.rows, "en", UTC).text(asyncio.run(first(house)))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 2


class PageViewer(Viewer):
    """The same for streams of pages, whose data is HTML."""

    def next(self):
        event = {}
        for line in self.lines:
            if not line and event:
                return event
            name, _, text = line.partition(":")
            if name:
                event[name] = event.get(name, "") + text.strip()
        return None


def said(viewer, text):
    """All that was sent until that was in it."""
    told = ""
    while text not in told:
        event = viewer.next()
        assert event is not None, told
        told += event.get("data", "")
    return told


@pytest.fixture
def view(house, served):
    made = []

    def open_(path, secret):
        made.append(PageViewer(served.removesuffix("/api/v1") + path, secret))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def test_the_board_of_a_page_follows_over_a_real_socket_and_ends_with_the_class(watched, view):
    viewer = view("/class/monday/events", watched.secrets["trainer"])
    assert viewer.answer.headers["content-type"].startswith("text/event-stream")
    whole = viewer.next()
    assert whole["data"].count('<tr id="seat-') == 2
    assert "event" not in whole, "htmx puts in only what has no name"
    watched.wiring.helping.raise_hand("monday", 2, "", who="grace")
    assert "Grace Hopper asks for help." in viewer.until(lambda event: "#news" in event["data"])["data"]
    watched.wiring.desk.close("monday", who="trainer")
    assert viewer.until(lambda event: event.get("event") == "over")
    watched.settle()
    assert viewer.until(lambda event: event.get("event") == "closed")


def test_a_learner_is_sent_their_own_state_and_messages_and_nothing_of_others(watched, view):
    watched.learner(seat=1)
    environment = watched.wiring.desk.seat("monday", 1)[1].id
    viewer = view(f"/seat/{environment}/events", watched.secrets["learner-monday-1"])
    assert "ready" in viewer.next()["data"]
    watched.wiring.helping.raise_hand("monday", 2, "", who="grace")
    watched.wiring.desk.reset("monday", 2, who="grace")
    watched.wiring.helping.broadcast("monday", "Break <until> ten", who="trainer")
    told = said(viewer, "Break &lt;until&gt; ten")
    assert "Grace" not in told


def test_a_learners_stream_lasts_until_the_class_is_gone_with_its_course(watched, view):
    watched.learner(seat=1)
    environment = watched.wiring.desk.seat("monday", 1)[1].id
    viewer = view(f"/seat/{environment}/events", watched.secrets["learner-monday-1"])
    viewer.next()
    watched.wiring.desk.close("monday", who="trainer")
    assert viewer.until(lambda event: event.get("event") == "over")
    watched.settle()
    assert viewer.until(lambda event: event.get("event") == "closed")


def test_a_learner_whose_hand_was_taken_down_is_asked_again_and_nobody_else_loses_what_they_type(watched, view):
    watched.learner(seat=1)
    watched.wiring.helping.raise_hand("monday", 1, "", who="ada")
    environment = watched.wiring.desk.seat("monday", 1)[1].id
    viewer = view(f"/seat/{environment}/events?hand=true", watched.secrets["learner-monday-1"])
    assert "#hand" not in viewer.next()["data"]
    watched.wiring.helping.lower_hand("monday", 1, who="trainer")
    assert 'id="help"' in viewer.until(lambda event: "#hand" in event["data"])["data"]
    watched.wiring.helping.broadcast("monday", "Well done", who="trainer")
    assert said(viewer, "Well done").count('id="help"') == 0


def test_a_learner_hears_nothing_of_anothers_seat(watched, view):
    watched.learner(seat=1)
    other = watched.wiring.desk.seat("monday", 2)[1].id
    assert view(f"/seat/{other}/events", watched.secrets["learner-monday-1"]).answer.status_code == 404


def test_the_wall_is_the_same_stream_with_tiles(watched, view):
    viewer = view("/class/monday/events?wall=true", watched.secrets["trainer"])
    whole = viewer.next()["data"]
    assert whole.count('<li id="seat-') == 2
    assert "<tr" not in whole
    watched.wiring.helping.raise_hand("monday", 2, "", who="grace")
    change = viewer.next()["data"]
    assert '<li id="seat-2" class="tile ready hand"' in change
    assert '<li id="seat-1"' not in change


def test_a_learner_is_asked_at_once_whether_somebody_may_type(watched, view):
    learner = watched.learner(seat=1)
    del learner
    environment = watched.wiring.desk.seat("monday", 1)[1].id
    viewer = view(f"/seat/{environment}/events", watched.secrets["learner-monday-1"])
    assert "asks to type on your" not in viewer.next()["data"]
    wanted = {"machine": "box", "mode": "join"}
    assert watched.client("trainer").post("/api/v1/classrooms/monday/seats/1/tickets", json=wanted).status_code == 201
    assert said(viewer, "trainer asks to type")


def test_it_sees_trouble_and_removals_as_they_come(watched, view):
    viewer = view("/it/events", watched.secrets["it"])
    assert "Nothing is being removed" in viewer.next()["data"]
    watched.client("trainer").post("/class/monday/close")
    assert said(viewer, "/class/monday/seat/1")


def test_a_trainers_page_of_a_seat_says_what_becomes_of_it_and_when_there_is_something_to_watch(watched, view):
    viewer = view("/class/monday/seat/1/events?mode=join&shown=ready", watched.secrets["trainer"])
    assert "asked whether you may type" not in viewer.next()["data"]
    wanted = {"machine": "box", "mode": "join"}
    assert watched.client("trainer").post("/api/v1/classrooms/monday/seats/1/tickets", json=wanted).status_code == 201
    assert said(viewer, "The learner is asked whether you may type")
    watched.wiring.helping.raise_hand("monday", 1, "Pipes & <b>", who="ada")
    assert said(viewer, "Pipes &amp; &lt;b&gt;")
    watched.wiring.desk.reset("monday", 1, who="trainer")
    assert said(viewer, "resetting")
    watched.settle()
    assert viewer.until(lambda event: event.get("event") == "ready")
    watched.client("trainer").post("/class/monday/close")
    assert viewer.until(lambda event: event.get("event") == "over")
    watched.settle()
    assert viewer.until(lambda event: event.get("event") == "closed")


def test_a_trainers_page_of_a_seat_that_is_not_there_has_no_stream(watched, view):
    assert view("/class/monday/seat/9/events", watched.secrets["trainer"]).answer.status_code == 404
