"""While a seat is not ready, those who run the class see its machines' own screens; nobody else does, and when it is ready nobody."""

from __future__ import annotations

import pytest

from tests import desktop_here


@pytest.fixture
def resetting(own_world):
    """Seat 1 starts again, and nobody works at that yet."""
    own_world.wiring.desk.reset("monday", 1, who="ada")
    return own_world


def lines(world):
    return [line.text for line in world.wiring.journal.read(classroom="monday", limit=1000) if line.who == "eva"]


def test_a_trainer_sees_the_machines_own_screen_and_it_is_written_down(resetting):
    page = resetting.page("eva", kind="console", machine="hidden").greet()
    assert page.until_told("opened") == {"machine": "hidden", "mode": "watch", "source": "console"}
    assert len(page.picture()) == 320 * 240 * 4
    (asked,) = resetting.wiring.consoles.asked
    made = {one.name: one for one in resetting.wiring.desk.seat("monday", 1)[1].facts.machines}["hidden"]
    assert (asked.vmid, asked.node, asked.kind) == (made.vmid, made.node, made.kind)
    assert lines(resetting)[-1] == "watches the console of hidden"


def test_whoever_watches_changes_nothing_and_whoever_joins_types_without_asking(resetting):
    watcher, joiner = (resetting.page("eva", kind="console", mode=mode).greet() for mode in ("watch", "join"))
    watcher.keys("watched")
    watcher.picture()
    joiner.keys("joined")
    desktop_here.until(lambda: resetting.desktops[0].typed.endswith("joined"))
    assert "watched" not in resetting.desktops[0].typed
    size = joiner.size
    joiner.resize(640, 480)
    joiner.picture()
    watcher.close()
    desktop_here.until(lambda: len(resetting.api.made.state.hall.rooms) == 1)
    assert resetting.page("eva", kind="console").greet().size == size
    assert resetting.wiring.terminals.joining("monday", 1) is None
    assert "joins the console of box" in lines(resetting)


def test_it_ends_when_the_seat_is_ready(resetting):
    page = resetting.page("eva", kind="console", mode="join").greet()
    late = resetting.ticket("eva", kind="console")
    resetting.settle()
    assert page.closed() == 4410
    assert resetting.look(late).closed() == 4410
    assert resetting.ask("eva", kind="console").status_code == 409
    assert resetting.page("ada").greet().picture()


@pytest.mark.parametrize("happens", ["class closed", "lease over", "token revoked"])
def test_it_ends_with_the_class_the_lease_and_the_right_to_it(resetting, happens):
    page = resetting.page("eva", kind="console").greet()
    if happens == "class closed":
        resetting.wiring.desk.close("monday", who="eva")
    elif happens == "lease over":
        resetting.clock.pass_(days=30)
    else:
        resetting.wiring.tokens.revoke("eva")
    assert page.closed() == (4401 if happens == "token revoked" else 4410)


@pytest.mark.parametrize(
    ("name", "seat", "wanted", "status"),
    [
        ("ada", 1, {}, 403),
        ("ada", 1, {"mode": "join"}, 403),
        ("grace", 1, {}, 404),
        ("eva", 2, {}, 409),
        ("eva", 1, {"machine": "100"}, 404),
        ("eva", 1, {"mode": "own"}, 403),
        ("eva", 1, {}, 201),
    ],
)
def test_a_console_is_for_those_who_run_the_class_and_for_seats_that_are_not_ready(resetting, name, seat, wanted, status):
    assert resetting.ask(name, seat, **{"kind": "console", **wanted}).status_code == status


def test_its_ticket_opens_no_terminal_and_names_no_guest(resetting):
    answer = resetting.ask("eva", kind="console").json()
    assert (answer["socket"], set(answer)) == ("/ws/desktop", {"ticket", "until", "machine", "mode", "kind", "socket"})
    assert resetting.show(answer["ticket"]).closed() == 4401


def test_a_node_that_shows_no_screen_says_unreachable(resetting):
    resetting.desktops[0].close()
    assert resetting.page("eva", kind="console").closed() == 4502
