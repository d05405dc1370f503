"""The live board over a real socket: whole board first, then changes, one look at the store however many watch."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import httpx2
import pytest
import uvicorn

from tests.free_ports import free_port


@pytest.fixture
def served(house):
    """The app on a loopback port."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(house.app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/api/v1"
    server.should_exit = True
    thread.join(60)
    assert not thread.is_alive()


class Viewer:
    """Reads events of a stream, one at a time."""

    def __init__(self, url, token, **headers):
        self.client = httpx2.Client(timeout=60, trust_env=False)
        self.context = self.client.stream("GET", url, headers=({"Authorization": f"Bearer {token}"} if token else {}) | headers)
        self.answer = self.context.__enter__()
        self.lines = self.answer.iter_lines()

    def next(self):
        event = {}
        for line in self.lines:
            if not line and event:
                return event["event"], json.loads(event["data"]), event["id"]
            name, _, text = line.partition(":")
            if name:
                event[name] = event.get(name, "") + text.strip()
        return None

    def until(self, wanted):
        """The first event that `wanted` takes."""
        while (event := self.next()) is not None:
            if wanted(event):
                return event
        raise AssertionError("the stream ended")

    def close(self):
        self.context.__exit__(None, None, None)
        self.client.close()


@pytest.fixture
def viewer(house, served):
    made = []

    def view(slug="monday", **headers):
        made.append(Viewer(f"{served}/classrooms/{slug}/events", house.secrets["trainer"], **headers))
        return made[-1]

    yield view
    for one in made:
        one.close()


def test_the_whole_board_comes_first_then_only_what_changed(house, viewer):
    house.open()
    watching = viewer()
    name, board, first = watching.next()
    assert (name, [s["status"] for s in board["seats"]]) == ("board", ["waiting", "waiting"])
    env = board["seats"][1]["environment"]
    house.wiring.runner.turn(env)
    name, told, second = watching.until(lambda event: event[0] == "seats" and event[1]["seats"][0]["state"] == "built")
    assert {seat["number"] for seat in told["seats"]} == {2}
    assert first.rpartition("-")[0] == second.rpartition("-")[0]
    assert int(first.rpartition("-")[2]) < int(second.rpartition("-")[2])


def test_a_viewer_that_comes_back_gets_the_whole_board_again(house, viewer):
    house.open()
    first = viewer()
    _, _, seen = first.next()
    first.close()
    house.settle()
    name, board, _ = viewer(**{"Last-Event-ID": seen}).next()
    assert (name, {s["status"] for s in board["seats"]}) == ("board", {"ready"})


def test_many_viewers_share_one_look_at_the_store_and_none_is_left_behind(house, viewer, served):
    house.open()
    crowd = [viewer() for _ in range(5)]
    for one in crowd:
        assert one.next()[0] == "board"
    live = house.app.state.boards
    assert live.watched() == {"monday": 5}
    for one in crowd:
        one.close()
    deadline = time.monotonic() + 60
    while live.watched():
        assert time.monotonic() < deadline, "a viewer that left is still counted"
        time.sleep(0.05)


def test_whoever_changed_something_and_then_watches_sees_it_at_once_though_others_were_watching(house):
    house.open()
    live = house.app.state.boards

    async def seen():
        async with asyncio.timeout(60):
            other, mine = live.watch("monday"), live.watch("monday")
            before = await anext(other)
            # Nothing else runs on this loop between the change and the question.
            house.wiring.helping.raise_hand("monday", 2, "", who="grace")
            found = before, await anext(mine), await anext(other)
            await mine.aclose()
            await other.aclose()
            return found

    before, first, later = asyncio.run(seen())
    assert before.board.seats[1].hand_since is None
    assert (first.whole, first.board.seats[1].hand_since) == (True, house.clock.now())
    assert [seat.number for seat in later.seats] == [2]


def test_the_stream_ends_when_everything_of_the_class_is_gone(house, viewer):
    house.open()
    watching = viewer()
    watching.next()
    house.wiring.desk.close("monday", who="test")
    house.settle()
    _, board, _ = watching.until(lambda event: event[0] == "closed")
    assert {s["status"] for s in board["seats"]} == {"gone"}
    assert watching.next() is None


def test_a_class_that_is_not_there_is_a_problem_and_no_stream(house, viewer):
    watching = viewer("tuesday")
    assert watching.answer.status_code == 404
    assert watching.answer.headers["content-type"] == "application/problem+json"
