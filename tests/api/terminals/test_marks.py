"""A page that comes back is told whether it is at the shell that it was at, and nobody else came to type in it."""

from __future__ import annotations

import pytest

from api.terminals import marks

PROMPT = rb"\$ "


def again(world, shell, name="ada", seat=1):
    tab = world.show(world.ticket(name, seat), shell=shell)
    return tab, tab.until_told("opened")


@pytest.fixture
def left(world):
    """The mark of a tab that was there and is gone; its shell knows what it was told."""
    tab = world.tab("ada")
    shell = tab.until_told("opened")["shell"]
    tab.until(PROMPT)
    tab.type("mine=here; echo told-$mine\r")
    tab.until(rb"told-here")
    tab.close()
    return shell


def test_the_same_shell_is_said_to_be_so_each_time(world, left):
    tab, opened = again(world, left)
    assert opened["same"]
    tab.until(PROMPT)
    tab.type("echo still-$mine\r")
    tab.until(rb"still-here")


def test_it_is_so_while_the_old_connection_is_not_known_to_be_gone(world):
    first = world.tab("ada")
    shell = first.until_told("opened")["shell"]
    first.until(PROMPT)
    assert again(world, shell)[1]["same"]


def test_a_shell_that_ended_meanwhile_is_another(world, left):
    other, opened = again(world, left)
    other.until(PROMPT)
    other.type("exit\r")
    assert other.closed() == 4000
    assert not again(world, opened["shell"])[1]["same"]


def test_so_is_one_to_which_somebody_came_meanwhile_to_type(world, left):
    other = world.tab("ada")
    other.until(PROMPT)
    other.close()
    assert not again(world, left)[1]["same"]


def test_and_one_at_which_a_trainer_came_to_type_along_but_not_one_that_was_only_watched(world, left):
    watching = world.tab("eva", mode="watch")
    watching.until(PROMPT)
    watching.close()
    tab, opened = again(world, left)
    assert opened["same"]
    tab.until(PROMPT)
    joining = world.tab("eva", mode="join")
    joining.until(PROMPT)
    joining.close()
    tab.close()
    assert not again(world, opened["shell"])[1]["same"]


def test_another_tab_that_is_there_still_keeps_it_from_being_the_same(world, left):
    first, opened = again(world, left)
    first.until(PROMPT)
    second, newer = again(world, opened["shell"])
    assert newer["same"]
    second.until(PROMPT)
    assert not again(world, newer["shell"])[1]["same"], "the first is not known to be gone"


def test_no_mark_and_anybody_elses_are_never_the_same(world, left):
    for shell in ("", marks.new(), "x'; touch /tmp/x; '", 7, ["a"]):
        tab, opened = again(world, shell)
        assert not opened["same"]
        tab.close()
    assert not again(world, left, "grace", 2)[1]["same"]
