"""Learners work in a terminal in the browser; trainers watch and join, and the learner is told."""

from __future__ import annotations

import hashlib
import re
import time

from api import app
from tests import world_here

PROMPT = rb"\$ "


def test_a_learner_types_and_sees_the_answer(world):
    tab = world.tab("ada", size=(100, 30))
    assert tab.until_told("opened").items() >= {"machine": "box", "mode": "own", "keeps": True, "same": False}.items()
    tab.until(PROMPT)
    tab.type("id -un; stty size; echo $((6*7))$TMUX\r")
    tab.until(rb"learner\s+30 100\s+42\s")


def test_the_same_shell_comes_back_with_its_screen(world):
    first = world.tab("ada")
    first.until(PROMPT)
    first.type("export MARK=here; echo before-$MARK\r")
    first.until(rb"before-here")
    first.close()
    again = world.tab("ada")
    again.until(rb"before-here")
    again.type("echo after-$MARK\r")
    again.until(rb"after-here")


def test_the_same_shell_comes_back_after_another_api_took_over(own_world):
    tab = own_world.tab("ada")
    tab.until(PROMPT)
    tab.type("export MARK=here; echo before-$MARK\r")
    tab.until(rb"before-here")
    own_world.api.close()
    assert tab.closed() in {1001, 1006, 1012}
    own_world.api = world_here.Api(app.create(own_world.wiring), own_world.api.port)
    again = own_world.tab("ada")
    again.until(rb"before-here")
    again.type("echo after-$MARK\r")
    again.until(rb"after-here")


def test_a_new_size_reaches_the_shell_and_is_clamped(world):
    tab = world.tab("ada")
    tab.until(PROMPT)
    tab.say(size=[44, 43])
    has_size(tab, rb"43 44")
    tab.say(size=[10_000, -3])
    has_size(tab, rb"2 500")


def has_size(tab, size):
    """The shell is asked until it has that size: keys go past a change of size, which is told by a signal."""
    end = time.monotonic() + 60
    while not re.search(rb"(?<!\d)" + size, tab._plain()):
        assert time.monotonic() < end, tab.seen[-500:]
        tab.type("stty size\r")
        tab.quiet()


def test_a_trainer_sees_the_screen_and_the_learner_is_told(world):
    learner = world.tab("ada", size=(90, 20))
    learner.until(PROMPT)
    learner.type("echo on-the-screen\r")
    learner.until(rb"on-the-screen\r")
    trainer = world.tab("eva", size=(200, 60))
    assert trainer.until_told("size") == [90, 20]
    trainer.until(rb"on-the-screen")
    assert learner.until_told("with") == [{"who": "eva", "mode": "watch", "types": False}]
    learner.say(size=[70, 15])
    assert trainer.until_told("size") == [70, 15]
    trainer.close()
    assert learner.until_told("with") == []
    lines = [line.text for line in journal(world) if line.who == "eva"]
    assert lines[-1] == "watches the terminal of box"


def journal(world):
    return world.wiring.journal.read(classroom="monday", limit=1000)


def test_a_trainer_who_joins_types_once_the_learner_allows_it_without_changing_the_learners_size(world):
    learner = world.tab("ada", size=(90, 20))
    learner.until(PROMPT)
    trainer = world.tab("eva", mode="join", size=(200, 60))
    trainer.until(PROMPT)
    assert learner.until_told("with") == [{"who": "eva", "mode": "join", "types": False}]
    trainer.type("echo not-$((1+1))-yet\r")
    learner.quiet()
    assert b"not-" not in learner.seen
    world.allow()
    assert learner.until_told("with") == [{"who": "eva", "mode": "join", "types": True}]
    trainer.type("stty size\r")
    learner.until(rb"20 90")


def test_a_trainer_may_come_before_the_learner_was_ever_there(world):
    trainer = world.tab("eva")
    trainer.until(PROMPT)
    learner = world.tab("ada")
    learner.until(PROMPT)
    learner.type("echo now-$((1+1))\r")
    trainer.until(rb"now-2")


def test_a_paste_of_a_hundred_kilobytes_arrives_whole(world):
    tab = world.tab("ada")
    tab.until(PROMPT)
    tab.type("stty -echo; echo be''gun; cat > paste; md5sum paste; stty echo\r")
    tab.until(rb"begun")
    text = "".join(f"{number:07d} a line of a paste\n" for number in range(4000))
    for start in range(0, len(text), 16_000):
        tab.type(text[start : start + 16_000])
    tab.type("\x04")
    tab.until(hashlib.md5(text.encode()).hexdigest().encode())


def test_a_shell_that_ends_says_so_and_the_next_one_is_new(world):
    tab = world.tab("ada")
    tab.until(PROMPT)
    tab.type("export MARK=old; exit\r")
    assert tab.closed() == 4000
    again = world.tab("ada")
    again.until(PROMPT)
    again.type("echo new-$MARK-\r")
    again.until(rb"new--")


def test_one_connection_into_the_guest_carries_all_terminals_of_a_machine(world):
    tabs = [world.tab("ada") for _ in range(4)]
    for tab in tabs:
        tab.until(PROMPT)
    assert app_hall(world).guests.connections() == 1
    world.tidy()
    assert app_hall(world).guests.connections() == 0


def app_hall(world):
    return world.api.made.state.hall
