"""While a seat is not ready, those who run the class see its machines' own screens; when it is ready its learner does, and nobody else."""

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
        ("ada", 1, {}, 409),
        ("ada", 1, {"mode": "join"}, 409),
        ("grace", 1, {}, 404),
        ("eva", 2, {}, 409),
        ("eva", 1, {"machine": "100"}, 404),
        ("eva", 1, {"mode": "own"}, 403),
        ("eva", 1, {}, 201),
    ],
)
def test_of_a_seat_that_is_not_ready_consoles_are_for_those_who_run_the_class(resetting, name, seat, wanted, status):
    assert resetting.ask(name, seat, **{"kind": "console", **wanted}).status_code == status


def test_its_ticket_opens_no_terminal_and_names_no_guest(resetting):
    answer = resetting.ask("eva", kind="console").json()
    assert (answer["socket"], set(answer)) == ("/ws/desktop", {"ticket", "until", "machine", "mode", "kind", "socket"})
    assert resetting.show(answer["ticket"]).closed() == 4401


def test_a_node_that_shows_no_screen_says_unreachable(resetting):
    resetting.desktops[0].close()
    assert resetting.page("eva", kind="console").closed() == 4502


# --- of a seat that is ready: its learner's, who may have cut the terminal's way in


@pytest.fixture
def cut_off(own_world):
    """Ada stopped her machine's sshd."""
    own_world.sshd.close()
    return own_world


def test_a_learner_whose_machine_lets_no_terminal_in_sees_its_own_screen_and_types_there(cut_off):
    assert cut_off.tab("ada").closed() == 4502
    page = cut_off.page("ada", kind="console").greet()
    assert page.until_told("opened") == {"machine": "box", "mode": "own", "source": "console"}
    assert len(page.picture()) == 320 * 240 * 4
    page.keys("mine")
    desktop_here.until(lambda: cut_off.desktops[0].typed.endswith("mine"))
    (asked,) = cut_off.wiring.consoles.asked
    made = {one.name: one for one in cut_off.wiring.desk.seat("monday", 1)[1].facts.machines}["box"]
    assert (asked.vmid, asked.node, asked.kind) == (made.vmid, made.node, made.kind)
    said = [line.text for line in cut_off.wiring.journal.read(classroom="monday", limit=1000)]
    assert "opens the console of box" in said


@pytest.mark.parametrize("happens", ["lease", "reset", "close", "token revoked"])
def test_a_learners_console_ends_with_their_seat(own_world, happens):
    page = own_world.page("ada", kind="console").greet()
    late = own_world.ticket("ada", kind="console")
    if happens == "lease":
        own_world.clock.pass_(days=30)
    elif happens == "reset":
        own_world.wiring.desk.reset("monday", 1, who="eva")
    elif happens == "close":
        own_world.wiring.desk.close("monday", who="eva")
    else:
        own_world.wiring.tokens.revoke("ada")
    code = 4401 if happens == "token revoked" else 4410
    assert page.closed() == code
    # A lease of a month ago took the ticket with it.
    assert own_world.look(late).closed() == (4401 if happens == "lease" else code)
    assert own_world.ask("ada", kind="console").status_code in {401, 404, 409}


def test_a_seat_has_two_pictures_for_its_learner_desktops_and_consoles_together(own_world):
    pages = [own_world.page("ada").greet(), own_world.page("ada", kind="console").greet()]
    assert own_world.page("ada").closed() == 4429
    assert own_world.page("ada", kind="console").closed() == 4429
    assert all(page.picture() for page in pages)
    own_world.page("grace", 2, kind="console").greet()


def test_whoever_watches_the_seat_neither_sees_the_learners_console_nor_types_there(own_world):
    mine = own_world.page("ada", kind="console").greet()
    watcher = own_world.page("eva").greet()
    watcher.keys("watched")
    watcher.picture()
    mine.keys("mine")
    desktop_here.until(lambda: own_world.desktops[0].typed.endswith("mine"))
    assert "watched" not in own_world.desktops[0].typed
    assert own_world.ask("eva", kind="console", mode="watch").status_code == 409
