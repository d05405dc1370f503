"""Whoever has no ticket, another's, or an old one gets no desktop; who watches changes nothing; who may be in no more is out."""

from __future__ import annotations

import os

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync import client

from api.terminals import rooms
from tests import desktop_here


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", None])
def test_a_page_from_elsewhere_is_refused_before_anything_is_said(world, origin):
    with (
        pytest.raises(InvalidStatus) as refused,
        client.connect(world.api.url.replace("http", "ws") + "/ws/desktop", origin=origin, open_timeout=60),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_ticket_is_good_once_and_for_its_kind_only(world):
    ticket = world.ticket("ada", kind="desktop")
    world.look(ticket).greet()
    assert world.look(ticket).closed() == 4401
    assert world.look(world.ticket("ada")).closed() == 4401
    assert world.show(world.ticket("ada", kind="desktop")).closed() == 4401


@pytest.mark.parametrize("said", ["", "{}", '{"ticket": "' + "x" * 43 + '"}', "RFB 003.008\n", b"RFB 003.008\n"])
def test_what_is_no_ticket_opens_nothing(world, said):
    page = world.look(None)
    page.socket.send(said)
    assert page.closed() == 4401


@pytest.mark.parametrize(
    ("name", "seat", "wanted", "status"),
    [
        ("ada", 2, {}, 404),
        ("ada", 9, {}, 404),
        ("ada", 1, {"machine": "hidden"}, 404),
        ("ada", 1, {"machine": "100"}, 404),
        ("ada", 1, {"machine": "../box"}, 404),
        ("ada", 1, {"mode": "watch"}, 403),
        ("ada", 1, {"mode": "join"}, 403),
        ("ada", 1, {"vmid": 100}, 422),
        ("ada", 1, {"kind": "console"}, 201),
        ("ada", 1, {"kind": "console", "mode": "watch"}, 403),
        ("ada", 1, {"kind": "console", "mode": "join"}, 403),
        ("ada", 1, {"kind": "console", "machine": "hidden"}, 404),
        ("eva", 1, {"kind": "console", "mode": "own"}, 409),
        ("eva", 2, {"kind": "console", "mode": "watch"}, 409),
        ("ada", 2, {"kind": "console"}, 404),
        ("eva", 1, {"kind": "console"}, 409),
        ("eva", 1, {"kind": "vnc"}, 422),
        ("eva", 1, {"mode": "own"}, 403),
        ("eva", 2, {}, 201),
        ("ada", 1, {}, 201),
    ],
)
def test_a_ticket_is_for_ones_own_seat_and_role(world, name, seat, wanted, status):
    answer = world.ask(name, seat, **{"kind": "desktop", **wanted})
    assert answer.status_code == status
    if status == 201:
        assert answer.json()["socket"] == "/ws/desktop"


def test_the_answer_names_no_guest_node_or_port(world):
    answer = world.ask("ada", kind="desktop").json()
    assert set(answer) == {"ticket", "until", "machine", "mode", "kind", "socket"}


def test_whoever_watches_changes_nothing_while_the_owner_does(world):
    learner, watcher = world.page("ada").greet(), world.page("eva").greet()
    learner.cut("before")
    size = watcher.size
    watcher.keys("typed")
    watcher.keys("qemu", qemu=True)
    watcher.point(10, 10, 1)
    watcher.point(10, 10, 0, more=1)
    watcher.cut("pasted")
    watcher.cut("\x01\0\0\x01pasted", extended=True)
    watcher.resize(640, 480)
    watcher.socket.send('{"stop": true}')
    # What it asked for afterwards came, so all before was read.
    assert watcher.picture()
    learner.keys("mine")
    desktop_here.until(lambda: world.desktops[0].typed.endswith("mine"))
    assert not {"typed", "qemu"} & {world.desktops[0].typed[-8:-4], world.desktops[0].typed[-9:-4]}
    assert "typed" not in world.desktops[0].typed
    assert "qemu" not in world.desktops[0].typed
    assert world.page("eva").greet().size == size


@pytest.mark.parametrize("said", [b"\x07", b"\xff\x01\0\0", b"\x02\0\xff\xff", b"\x06\0\0\0\x7f\xff\xff\xff"])
def test_a_message_that_is_not_understood_ends_the_connection(world, said):
    page = world.page("ada").greet()
    page.socket.send(said)
    assert page.closed() == 1007


@pytest.mark.parametrize("happens", ["lease", "reset", "close"])
def test_a_live_desktop_ends_with_its_seat(own_world, happens):
    pages = [own_world.page("ada").greet(), own_world.page("eva").greet()]
    other = own_world.page("grace", 2).greet()
    if happens == "lease":
        own_world.clock.pass_(days=30)
    elif happens == "reset":
        own_world.wiring.desk.reset("monday", 1, who="eva")
    else:
        own_world.wiring.desk.close("monday", who="eva")
    assert [page.closed() for page in pages] == [4410, 4410]
    if happens == "reset":
        assert other.picture()
        own_world.settle()
        assert own_world.page("ada").greet().picture()
    else:
        assert other.closed() == 4410


def test_a_desktop_that_goes_away_with_its_seat_says_that_the_seat_is_over(own_world):
    page = own_world.page("ada").greet()
    own_world.wiring.desk.close("monday", who="eva")
    own_world.desktops[0].close()
    assert page.closed() == 4410


def test_a_seat_has_two_desktops_for_its_learner_and_two_for_those_who_come(world):
    pages = [world.page(name).greet() for name in ("ada", "eva") for _ in range(rooms.DESKTOPS)]
    assert world.page("ada").closed() == 4429
    assert world.page("eva").closed() == 4429
    assert all(page.picture() for page in pages)
    world.page("grace", 2).greet()


def test_a_machine_whose_desktop_is_off_says_so_and_is_back_after(own_world):
    own_world.desktops[0].close()
    assert own_world.page("ada").closed() == 4502


def test_a_desktop_that_stops_under_somebody_tells_the_page(own_world):
    page = own_world.page("ada").greet()
    own_world.desktops[0].close()
    assert page.closed() == 4502


def test_the_socket_in_the_guest_is_the_learners_alone(world):
    place = world.ground / "desktops1" / "learner"
    assert place.stat().st_mode & 0o777 == 0o700
    assert (place / "rfb").stat().st_mode & 0o777 == 0o600
    assert (place / "rfb").stat().st_uid == desktop_here.LEARNER != os.getuid()
