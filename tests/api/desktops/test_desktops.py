"""Learners work at a desktop in the browser; trainers watch and join, and the learner is told."""

from __future__ import annotations

import time

from labctl.model import viewing
from tests import desktop_here


def test_a_learner_sees_the_desktop_and_what_they_type_arrives(world):
    page = world.page("ada").greet()
    assert page.until_told("opened") == {"machine": "box", "mode": "own", "source": "guest"}
    assert page.socket.subprotocol == "binary"
    assert (page.size, page.name) == ((320, 240), "box")
    assert len(page.picture()) == 320 * 240 * 4
    desktop_here.until(lambda: len(colours(page.picture())) > 1)
    page.keys("hello")
    desktop_here.until(lambda: world.desktops[0].typed.endswith("hello"))
    assert "hello" not in world.desktops[1].typed


def colours(picture):
    return {picture[at : at + 3] for at in range(0, len(picture), 4)}


def test_a_trainer_sees_the_same_desktop_and_the_learner_is_told(world):
    learner = world.page("ada").greet()
    trainer = world.page("eva").greet()
    assert trainer.until_told("opened")["mode"] == "watch"
    assert learner.until_told("with") == [{"who": "eva", "mode": "watch", "types": False}]
    desktop_here.until(lambda: trainer.picture() == learner.picture())  # it may still be drawn
    trainer.close()
    assert learner.until_told("with") == []
    lines = [line.text for line in world.wiring.journal.read(classroom="monday", limit=1000) if line.who == "eva"]
    assert lines[-1] == "watches the desktop of box"


def test_whoever_comes_without_wanting_to_share_sends_nobody_away(world):
    learner = world.page("ada").greet()
    world.page("eva").greet(shared=0).picture()
    assert len(learner.picture()) == 320 * 240 * 4


def test_a_trainer_who_joins_acts_once_the_learner_allows_it_and_never_changes_the_size(world):
    learner = world.page("ada").greet()
    trainer = world.page("eva", mode="join").greet()
    trainer.keys("early")
    trainer.picture()
    world.allow()
    end = time.monotonic() + 60
    while not learner.until_told("with")[0]["types"]:
        assert time.monotonic() < end
    trainer.resize(640, 480)
    trainer.keys("later")
    desktop_here.until(lambda: world.desktops[0].typed.endswith("later"))
    assert "early" not in world.desktops[0].typed
    assert world.page("eva").greet().size == (320, 240)


def test_a_stop_sends_away_whoever_watches_or_works_along_and_takes_back_the_leave(world):
    learner, watcher = world.page("ada").greet(), world.page("eva").greet()
    world.allow()
    joiner = world.page("eva", mode="join").greet()
    joiner.keys("along")
    desktop_here.until(lambda: world.desktops[0].typed.endswith("along"))
    watcher.socket.send('{"stop": true}')
    watcher.picture()
    learner.socket.send('{"stop": true}')
    assert (watcher.closed(), joiner.closed()) == (4403, 4403)
    desktop_here.until(lambda: world.wiring.terminals.joining("monday", 1).answer is viewing.Answer.REFUSED)
    again = world.page("eva", mode="join").greet()
    again.keys("alone")
    assert again.picture()
    learner.keys("mine")
    desktop_here.until(lambda: world.desktops[0].typed.endswith("mine"))
    assert "alone" not in world.desktops[0].typed


def test_the_desktop_takes_the_size_its_learner_asks_for(own_world):
    page = own_world.page("ada").greet()
    page.resize(400, 300)

    def size():
        another = own_world.page("eva").greet()
        another.close()
        # Two look at once at most.
        desktop_here.until(lambda: len(own_world.api.made.state.hall.rooms) == 1)
        return another.size

    desktop_here.until(lambda: size() == (400, 300))


def test_a_terminal_and_a_desktop_of_a_machine_stand_beside_each_other(world):
    page, tab = world.page("ada").greet(), world.tab("ada")
    tab.until(rb"\$ ")
    assert page.picture()
    assert world.api.made.state.hall.guests.connections() == 1
    watcher = world.tab("eva")
    watcher.until(rb"\$ ")
    assert tab.until_told("with")
    assert not [one for one in page.told if one.get("with")]
