"""A machine without tmux: a plain shell that ends with its connection, and that nobody else can see. And how much is sent unasked."""

from __future__ import annotations

import pytest

from api.terminals import viewer

PROMPT = rb"\$ "


@pytest.fixture
def plain_world(own_world):
    own_world.without_tmux(2)
    return own_world


def test_the_page_is_told_that_a_reload_begins_a_new_shell(plain_world):
    tab = plain_world.tab("grace", 2)
    assert tab.until_told("opened") == {"machine": "box", "mode": "own", "keeps": False}
    tab.until(PROMPT)
    tab.type("stty size; id -un\r")
    tab.until(rb"24 80\s+learner")
    tab.type("exit\r")
    assert tab.closed() == 4000


@pytest.mark.parametrize("mode", ["watch", "join"])
def test_nobody_can_watch_or_join_there_and_is_told_so(plain_world, mode):
    plain_world.tab("grace", 2).until(PROMPT)
    trainer = plain_world.tab("eva", 2, mode=mode)
    assert trainer.until_told("alone") is True
    assert trainer.closed() == 4000


def test_a_page_that_acknowledges_nothing_is_sent_no_more_and_goes_on_when_it_does(plain_world):
    tab = plain_world.tab("grace", 2, acks=False)
    tab.until(PROMPT)
    tab.type("yes | head -c 4000000; echo all$((1+1))\r")
    while len(tab.seen) <= viewer.AHEAD:
        assert tab.take(), "it is kept back too early"
    # What was on its way may come late, but the bound holds however long one waits.
    for _ in range(2):
        tab.quiet(1.5)
        assert viewer.AHEAD < len(tab.seen) < viewer.AHEAD + 256 * 1024
    tab._acks = True
    tab.say(ack=len(tab.seen))
    tab.until(rb"all2", 60)


def test_a_flood_can_be_interrupted(plain_world):
    tab = plain_world.tab("grace", 2)
    tab.until(PROMPT)
    tab.type("yes\r")
    tab.until(rb"(y\r\n){2000}")
    tab.type("\x03")
    tab.until(rb"\^C[^$]*\$ ")


def test_keys_that_a_program_does_not_read_do_not_keep_back_acknowledgements(plain_world):
    # The program writes first and reads afterwards: were its output kept back behind its input, both would wait for ever.
    tab = plain_world.tab("grace", 2, acks=False)
    tab.until(PROMPT)
    tab.type("stty -echo -icanon; echo be''gun; yes | head -c 2000000; head -c 400000 | cat > /dev/null; echo all$((1+1))\r")
    # Before that the terminal takes whole lines only, and drops what is longer.
    tab.until(rb"begun")
    for _ in range(40):
        tab.type("x" * 10_000)
    tab._acks = True
    tab.say(ack=len(tab.seen))
    tab.until(rb"all2", 60)
