"""Whoever has no ticket, another's, or an old one gets no terminal; who watches cannot type; who may be in no more is out."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync import client

from api.terminals import rooms
from labctl import ports
from tests.api.browser import Browser
from tests.api.terminals.conftest import Tab
from tests.world_here import wait_for

PROMPT = rb"\$ "


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "file://", "http://127.0.0.1.evil.example:{port}", None]
)
def test_a_page_from_elsewhere_is_refused_before_anything_is_said(world, origin):
    named = origin and origin.format(port=world.api.port)
    address = world.api.url.replace("http", "ws") + "/ws/terminal"
    with pytest.raises(InvalidStatus) as refused, client.connect(address, origin=named, open_timeout=60):
        pass
    assert refused.value.response.status_code == 403


def test_a_ticket_is_good_once(world):
    ticket = world.ticket("ada")
    world.show(ticket).until(PROMPT)
    assert world.show(ticket).closed() == 4401


@pytest.mark.parametrize(
    "said", ["", "[]", "{}", '{"ticket": 7}', '{"ticket": "' + "x" * 43 + '"}', '{"ticket": "x", "size": [1]}', "{" * 900]
)
def test_what_is_no_ticket_opens_nothing(world, said):
    tab = world.show(None)
    tab.socket.send(said)
    assert tab.closed() == 4401


def test_bytes_are_no_ticket(world):
    tab = world.show(None)
    tab.socket.send(world.ticket("ada").encode())
    assert tab.closed() == 4401


def test_who_says_nothing_is_out_after_five_seconds(world):
    begun = time.monotonic()
    assert world.show(None).closed() == 4401
    assert time.monotonic() - begun > 4


def test_a_ticket_runs_out(own_world):
    ticket = own_world.ticket("ada")
    own_world.clock.pass_(seconds=31)
    assert own_world.show(ticket).closed() == 4401


def test_a_ticket_from_before_a_reset_opens_nothing(own_world):
    ticket = own_world.ticket("ada")
    own_world.wiring.desk.reset("monday", 1, who="ada")
    assert own_world.show(ticket).closed() == 4410


@pytest.mark.parametrize(
    ("name", "seat", "wanted", "status"),
    [
        ("ada", 2, {}, 404),
        ("ada", 9, {}, 404),
        ("ada", 1, {"machine": "hidden"}, 404),
        ("ada", 1, {"machine": "../box"}, 404),
        ("ada", 1, {"mode": "watch"}, 403),
        ("ada", 1, {"mode": "join"}, 403),
        ("ada", 1, {"mode": "root"}, 422),
        ("ada", 1, {"kind": "desktop"}, 404),
        ("eva", 1, {"mode": "own"}, 403),
        ("eva", 9, {}, 404),
        ("eva", 2, {}, 201),
        ("ada", 1, {}, 201),
    ],
)
def test_a_ticket_is_for_ones_own_seat_and_role(world, name, seat, wanted, status):
    assert world.ask(name, seat, **wanted).status_code == status


def test_a_seat_that_is_not_ready_has_no_terminal(own_world):
    own_world.wiring.desk.reset("monday", 1, who="ada")
    answer = own_world.ask("ada")
    assert answer.status_code == 409
    assert "ready" in answer.json()["hint"]


def test_a_watcher_types_and_nothing_arrives(world):
    learner = world.tab("ada")
    learner.until(PROMPT)
    watcher = world.tab("eva")
    watcher.until(PROMPT)
    watcher.type("echo typed-by-$((40+2))\r")
    watcher.say(size=[11, 7])
    learner.quiet()
    assert b"typed-by" not in learner.seen
    learner.type("stty size\r")
    learner.until(rb"24 80")


def test_a_ticket_is_kept_as_a_hash_and_stands_in_no_address(world):
    ticket = world.ticket("ada")
    database = b"".join(path.read_bytes() for path in (world.folder / "home").glob("labctl.sqlite3*"))
    assert b"tickets" in database
    assert ticket.encode() not in database


@pytest.mark.parametrize("happens", ["lease", "reset", "close"])
def test_a_live_terminal_ends_with_its_seat(own_world, happens):
    tabs = [own_world.tab("ada"), own_world.tab("eva")]
    for tab in tabs:
        tab.until(PROMPT)
    other = own_world.tab("grace", 2)
    other.until(PROMPT)
    if happens == "lease":
        own_world.clock.pass_(days=30)
    elif happens == "reset":
        own_world.wiring.desk.reset("monday", 1, who="eva")
    else:
        own_world.wiring.desk.close("monday", who="eva")
    assert [tab.closed() for tab in tabs] == [4410, 4410]
    if happens == "reset":
        other.type("echo still-$((1+1))\r")
        other.until(rb"still-2")
        own_world.settle()
        own_world.tab("ada").until(PROMPT)
    else:
        assert other.closed() == 4410


def test_a_shell_that_ends_with_its_seat_says_that_the_seat_is_over(own_world):
    tab = own_world.tab("ada")
    tab.until(PROMPT)
    own_world.wiring.desk.close("monday", who="eva")
    own_world.stop_tmux()
    assert tab.closed() == 4410


def test_a_shell_that_ends_by_itself_says_so(own_world):
    tab = own_world.tab("ada")
    tab.until(PROMPT)
    own_world.stop_tmux()
    assert tab.closed() == 4000


def test_a_guest_that_shows_another_key_is_not_entered(own_world):
    own_world.sshd.close()
    own_world.imposter(1)
    assert own_world.tab("ada").closed() == 4502


def test_a_guest_that_is_off_says_so_and_is_back_after(own_world):
    own_world.sshd.close()
    assert own_world.tab("ada").closed() == 4502
    own_world.sshd = own_world._machine(1)
    own_world.tab("ada").until(PROMPT)


@pytest.mark.parametrize("says", [b"", b"SSH-2.0-" + b"x" * 100_000, b"no ssh at all\r\n" * 50_000])
def test_a_guest_that_hangs_or_floods_its_greeting_holds_up_nobody(own_world, says):
    own_world.sshd.close()
    with own_world.greeting(1, says):
        tickets = [own_world.ticket("ada") for _ in range(3)]
        tabs = [own_world.show(ticket) for ticket in tickets]
        # One attempt for all three: in a row they would take three times five seconds.
        assert [tab.closed() for tab in tabs] == [4502] * 3
        own_world.tab("grace", 2).until(PROMPT)


def test_a_frame_of_more_than_64_kib_ends_the_connection(world):
    tab = world.tab("ada")
    tab.until(PROMPT)
    tab.socket.send(b"x" * 70_000)
    assert tab.closed() == 1009


@pytest.mark.parametrize("said", ["no json", '{"size": "big"}', '{"ack": "all"}', '{"ack": 1e9}', "[1]"])
def test_what_is_not_understood_ends_the_connection(world, said):
    tab = world.tab("ada")
    tab.until(PROMPT)
    tab.socket.send(said)
    assert tab.closed() == 1007


def test_a_seat_has_so_many_terminals_and_no_more(world):
    tabs = [world.tab("ada") for _ in range(rooms.SEAT)]
    for tab in tabs:
        tab.until(PROMPT)
    assert world.tab("ada").closed() == 4429
    tabs[0].close()
    wait_for(lambda: len(world.api.made.state.hall.rooms) < rooms.SEAT)
    world.tab("ada").until(PROMPT)


def test_a_page_that_reads_nothing_does_not_hold_up_the_end_of_its_seat(own_world):
    ticket = own_world.ticket("ada")
    tab = Tab(own_world.api.url, ticket, acks=False)
    tab.until(PROMPT)
    tab.type("yes\r")
    own_world.wiring.desk.close("monday", who="eva")
    hall = own_world.api.made.state.hall
    end = time.monotonic() + 60
    while len(hall.rooms):
        assert time.monotonic() < end
        time.sleep(0.05)
    tab.close()


def test_a_revoked_token_asks_for_no_ticket(own_world):
    made = own_world.wiring.tokens.create(ports.Token("guest", "trainer"))
    own_world.secrets["guest"] = made
    assert own_world.ask("guest").status_code == 201
    own_world.wiring.tokens.revoke("guest")
    assert own_world.ask("guest").status_code == 401


def signed_in(world, seat=None):
    """A browser of Otto's, who trains the class with Eva; or of a learner with a class's code."""
    browser = Browser(world.api.made, world.api.url)
    inviting = world.wiring.inviting
    if seat is None:
        secret, _ = inviting.to_class("monday", "Otto", "otto@example.com", who="eva")
        browser.form(f"/invitation/{secret}", password="correct horse battery staple")
    else:
        browser.form("/join", code=inviting.class_code("monday", who="eva"), who="ada")
    browser.headers["Origin"] = browser.origin
    return browser


def shown_by(world, browser, **wanted):
    answer = browser.post("/api/v1/classrooms/monday/seats/1/tickets", json={"machine": "box", **wanted})
    assert answer.status_code == 201, answer.text
    return world.show(answer.json()["ticket"])


@pytest.mark.parametrize("happens", ["signs out", "signs out everywhere", "account closed", "idle"])
def test_a_trainers_terminals_end_when_they_are_signed_out(own_world, happens):
    otto, people_ = signed_in(own_world), own_world.wiring.signing_in
    watching = shown_by(own_world, otto)
    watching.until(PROMPT)
    learner = own_world.tab("ada")
    learner.until(PROMPT)
    account = people_.accounts.account(email="otto@example.com").id
    if happens == "signs out":
        otto.form("/sign-out")
    elif happens == "signs out everywhere":
        people_.sign_out_everywhere(account, who="it")
    elif happens == "account closed":
        people_.close_account(account, who="it")
    else:
        own_world.wiring.desk.extend("monday", own_world.clock.now() + timedelta(hours=17), who="eva")
        own_world.clock.pass_(hours=13)
    assert watching.closed() == 4401
    learner.type("echo still-$((1+1))\r")
    learner.until(rb"still-2")


def test_a_learners_terminal_ends_when_their_seat_is_freed_for_another(own_world):
    tab = shown_by(own_world, signed_in(own_world, 1))
    tab.until(PROMPT)
    own_world.wiring.inviting.free_seat("monday", 1, who="eva")
    assert tab.closed() == 4401


def test_terminals_of_a_revoked_token_end(own_world):
    tab = own_world.tab("ada")
    tab.until(PROMPT)
    watcher = own_world.tab("eva")
    watcher.until(PROMPT)
    own_world.wiring.tokens.revoke("eva")
    assert watcher.closed() == 4401
    tab.type("echo still-$((1+1))\r")
    tab.until(rb"still-2")


def test_a_ticket_opens_nothing_after_signing_out(own_world):
    otto = signed_in(own_world)
    ticket = otto.post("/api/v1/classrooms/monday/seats/1/tickets", json={"machine": "box"}).json()["ticket"]
    otto.form("/sign-out")
    assert own_world.show(ticket).closed() == 4401
