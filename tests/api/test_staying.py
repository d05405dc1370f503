"""Whoever is signed out, or may see no more of it, is sent nothing more by a stream that is open; all are asked about in one question."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api import staying, who
from labctl import ports
from labctl.model import people
from tests import fakes
from tests.api.browser import Browser
from tests.api.pages.test_streams import PageViewer
from tests.api.test_events import served

__all__ = ["served"]


@pytest.fixture
def watched(house):
    house.open()
    house.settle()
    return house


@pytest.fixture
def follow(watched, served):
    """A stream for a browser that is signed in, or for a token's secret; what came first is read already."""
    made = []

    def open_(path, browser=None, secret=""):
        headers = {"Cookie": f"labctl={browser.cookies['labctl']}"} if browser else {"Authorization": f"Bearer {secret}"}
        made.append(PageViewer(served.removesuffix("/api/v1") + path, None, **headers))
        assert made[-1].answer.status_code == 200
        assert made[-1].next()
        return made[-1]

    yield open_
    for one in made:
        one.close()


def trainer(house):
    """Otto's browser: he runs the class beside its trainer."""
    browser = Browser(house.app)
    secret, _ = house.wiring.inviting.to_class("monday", "Otto", "otto@example.com", who="trainer")
    browser.form(f"/invitation/{secret}", password="correct horse battery staple")
    return browser


def learner(house):
    """Ada's, who came with the class's code."""
    browser = Browser(house.app)
    browser.form("/join", code=house.wiring.inviting.class_code("monday", who="trainer"), who="ada")
    return browser


def it(house, name="ines"):
    """Ines's, of IT."""
    browser = Browser(house.app)
    secret, _ = house.wiring.inviting.person(name, f"{name}@example.com", [people.Role.IT], who="it")
    browser.form(f"/invitation/{secret}", password="correct horse battery staple")
    return browser


def left(viewer):
    """It says so, and is over."""
    viewer.until(lambda event: event.get("event") == "left")
    assert viewer.next() is None


def otto(house):
    return house.wiring.signing_in.accounts.account(email="otto@example.com").id


@pytest.mark.parametrize("path", ["/class/monday/events", "/class/monday/events?wall=true", "/api/v1/classrooms/monday/events"])
def test_a_board_ends_when_its_viewer_signs_out(watched, follow, path):
    browser, other = trainer(watched), follow("/class/monday/events", secret=watched.secrets["trainer"])
    viewer = follow(path, browser)
    browser.form("/sign-out")
    left(viewer)
    watched.wiring.helping.raise_hand("monday", 1, "", who="ada")
    assert other.until(lambda event: "asks for help" in event.get("data", "")), "nobody else's ends"


@pytest.mark.parametrize("happens", ["everywhere", "closed", "idle"])
def test_a_board_ends_with_the_session_and_the_account(watched, follow, happens):
    browser, people_ = trainer(watched), watched.wiring.signing_in
    viewer = follow("/class/monday/events", browser)
    if happens == "everywhere":
        people_.sign_out_everywhere(otto(watched), who="it")
    elif happens == "closed":
        people_.close_account(otto(watched), who="it")
    else:
        watched.wiring.desk.extend("monday", watched.clock.now() + timedelta(hours=17), who="trainer")
        watched.pass_(hours=13)
    left(viewer)


@pytest.mark.parametrize("happens", ["signs out", "freed"])
def test_a_learners_page_ends_when_they_sign_out_and_when_their_seat_is_freed(watched, follow, happens):
    browser = learner(watched)
    viewer = follow(f"/seat/{watched.wiring.desk.seat('monday', 1)[1].id}/events", browser)
    if happens == "signs out":
        browser.form("/sign-out")
    else:
        watched.wiring.inviting.free_seat("monday", 1, who="trainer")
    left(viewer)


def test_a_learner_whose_machines_go_to_another_seat_is_told_that_and_not_that_they_left(house, served):
    house.wiring.desk.open("hello", b"name,email\nAda,ada@example.org\n", slug="monday", trainer="trainer", spares=1)
    house.settle()
    browser = learner(house)
    environment = house.wiring.desk.seat("monday", 1)[1].id
    address = served.removesuffix("/api/v1") + f"/seat/{environment}/events"
    viewer = PageViewer(address, None, Cookie=f"labctl={browser.cookies['labctl']}")
    assert viewer.next()
    house.wiring.seating.swap("monday", 1, who="trainer", keep=False, refill=False)
    assert viewer.until(lambda event: "event" in event)["event"] == "moved"
    viewer.close()


def test_what_it_sees_ends_when_they_sign_out_and_when_the_role_is_taken(watched, follow):
    it(watched, "last")
    browser, signing_in = it(watched), watched.wiring.signing_in
    id_ = signing_in.accounts.account(email="ines@example.com").id
    viewer = follow("/it/events", browser)
    signing_in.change_roles(id_, frozenset({people.Role.TRAINER}), who="it")
    left(viewer)
    signing_in.change_roles(id_, frozenset({people.Role.IT}), who="it")
    viewer = follow("/it/events", browser)
    browser.form("/sign-out")
    left(viewer)


def test_the_stream_of_a_revoked_token_ends(watched, follow):
    viewer = follow("/api/v1/classrooms/monday/events", secret=watched.wiring.tokens.create(ports.Token("guest", "trainer")))
    watched.wiring.tokens.revoke("guest")
    left(viewer)


def test_whoever_is_signed_out_is_led_to_signing_in_with_a_sentence_and_back(watched):
    browser = trainer(watched)
    browser.form("/sign-out")
    answer = browser.get("/class/monday")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/class/monday")
    assert "That page is for people who are signed in." in browser.get(answer.headers["location"]).text
    assert "That page is for" not in browser.get("/sign-in").text


class Store:
    """Knows whom it is told to know, and counts what it is asked."""

    def __init__(self):
        self.writes, self.asked, self.known = 1, [], {}
        self.clock = fakes.SetClock()

    async def written(self):
        return self.writes

    async def still(self, proofs):
        self.asked.append(set(proofs))
        return {proof: self.known[proof] for proof in proofs if proof in self.known}


async def endless(tell):
    while True:
        yield await tell.get()


def test_all_streams_are_asked_about_in_one_question_and_only_where_anything_can_have_changed():
    async def run():
        store, tell = Store(), [asyncio.Queue() for _ in range(20)]
        streams = staying.Streams(store.still, store.written, store.clock.now)
        store.known = {f"session {number}": people.Person(str(number)) for number in range(20)}
        made = [
            streams.to(who.Asker(str(number), "trainer", proof=f"session {number}"), lambda _: True, endless(tell[number]))
            for number in range(20)
        ]
        for number, one in enumerate(made):
            tell[number].put_nowait(staying.LEFT)
            await anext(one)
        await streams.look()
        assert store.asked == [{f"session {number}" for number in range(20)}]
        await streams.look()
        assert len(store.asked) == 1, "nothing was written since"
        store.clock.pass_(seconds=6)
        await streams.look()
        assert len(store.asked) == 2, "sessions end by time, too"
        del store.known["session 7"]
        store.writes += 1
        await streams.look()
        assert await anext(made[7]) is staying.LEFT
        with pytest.raises(StopAsyncIteration):
            await anext(made[7])
        assert len(streams) == 19
        for one in made:
            await one.aclose()
        assert len(streams) == 0

    asyncio.run(run())
