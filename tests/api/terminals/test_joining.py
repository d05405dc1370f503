"""Whoever joins types once the learner allowed it: asked once for the seat, enforced where the bytes pass, taken back at once."""

from __future__ import annotations

import time

from api.terminals import frames
from labctl.model import viewing

PROMPT = rb"\$ "


def joined(world):
    """Ada at her terminal and eva, who has asked to join."""
    ada = world.tab("ada")
    ada.until(PROMPT)
    eva = world.tab("eva", mode="join")
    eva.until(PROMPT)
    ada.until_told("with")
    eva.quiet()
    eva.told.clear()
    return ada, eva


def arrives(tab, other, text):
    """What one types is seen on the other's screen."""
    other.quiet(0.3)
    tab.type(f"echo {text}-$((40+2))\r")
    return other.until(f"{text}-42".encode())


def typed(tab, other, text):
    """Whether what one types arrives at the other's screen: for what must not, as it says no after a second of silence."""
    other.quiet(0.3)
    other.seen = b""
    tab.type(f"echo {text}-$((40+2))\r")
    other.quiet(1.0)
    return f"{text}-42".encode() in other._plain()


def test_the_question_is_kept_with_who_asked_and_until_it_is_answered_nothing_arrives(own_world):
    ada, eva = joined(own_world)
    asked = own_world.wiring.terminals.joining("monday", 1)
    assert (asked.answer, asked.who) == (viewing.Answer.ASKED, "eva")
    assert not typed(eva, ada, "unasked")
    own_world.allow()
    eva.until_with(types=True)
    assert arrives(eva, ada, "allowed")
    assert own_world.wiring.terminals.joining("monday", 1).answer is viewing.Answer.ALLOWED


def test_who_was_allowed_once_is_not_asked_again_and_comes_to_every_machine_of_the_seat(own_world):
    ada, eva = joined(own_world)
    own_world.allow()
    eva.until_told("with")
    again = own_world.tab("eva", mode="join")
    again.until(PROMPT)
    assert own_world.wiring.terminals.joining("monday", 1).answer is viewing.Answer.ALLOWED
    assert arrives(again, ada, "again")


def test_a_learner_refuses_and_is_left_in_peace(own_world):
    ada, eva = joined(own_world)
    own_world.wiring.terminals.answer("monday", 1, viewing.Answer.REFUSED, who="ada")
    assert own_world.wiring.terminals.joining("monday", 1).answer is viewing.Answer.REFUSED
    again = own_world.tab("eva", mode="join")
    again.until(PROMPT)
    assert own_world.wiring.terminals.joining("monday", 1).answer is viewing.Answer.REFUSED, "nobody is asked again at once"
    assert not typed(again, ada, "refused")
    assert not typed(eva, ada, "refused")


def test_a_stop_ends_whoever_watches_and_takes_back_the_leave(own_world):
    ada, eva = joined(own_world)
    own_world.allow()
    eva.until_told("with")
    ada.say(stop=True)
    assert eva.closed() == frames.STOPPED
    end = time.monotonic() + 60
    while own_world.wiring.terminals.joining("monday", 1).answer is not viewing.Answer.REFUSED:
        assert time.monotonic() < end
        ada.take(0.05)
    assert arrives(ada, ada, "mine")


def test_whoever_was_sent_away_may_look_on_again_and_is_seen_but_not_type(own_world):
    ada, eva = joined(own_world)
    own_world.allow()
    eva.until_told("with")
    ada.say(stop=True)
    assert eva.closed() == frames.STOPPED
    ada.quiet()
    ada.told.clear()
    again = own_world.tab("eva", mode="join")
    again.until(PROMPT)
    while ada.until_told("with") != [{"who": "eva", "mode": "join", "types": False}]:
        continue  # that eva was sent away may be told late
    assert not typed(again, ada, "again")


def test_only_the_learner_can_stop_it_and_nobody_allows_anything_at_a_terminal(own_world):
    ada, eva = joined(own_world)
    watcher = own_world.tab("eva")
    watcher.until(PROMPT)
    for said in ({"allow": True}, {"stop": True}):
        eva.say(**said)
        watcher.say(**said)
    watcher.quiet()
    eva.quiet()
    assert (eva.code, watcher.code) == (None, None)
    assert own_world.wiring.terminals.joining("monday", 1).answer is viewing.Answer.ASKED
    assert not typed(eva, ada, "myself")


def test_an_answer_on_the_page_counts_in_open_terminals_within_a_look(own_world):
    ada, eva = joined(own_world)
    own_world.wiring.terminals.answer("monday", 1, viewing.Answer.ALLOWED, who="ada")
    eva.until_with(types=True)
    own_world.wiring.terminals.answer("monday", 1, viewing.Answer.REFUSED, who="ada")
    eva.until_with(types=False)
    assert not typed(eva, ada, "late")
