"""A few threads do what many ask for, in turn, and an error comes to whoever asked."""

from __future__ import annotations

import threading

import pytest

from labctl.drivers import hands


def test_no_more_than_so_many_are_done_at_once_and_all_are_done():
    made, inside, most, guard = hands.Hands(3), [0], [0], threading.Lock()
    full = threading.Barrier(3)

    def work():
        with guard:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        full.wait(timeout=60)
        with guard:
            inside[0] -= 1

    futures = [made.do(work) for _ in range(30)]
    for one in futures:
        one.result(timeout=60)
    assert most[0] == 3


def test_an_error_comes_out_and_the_hand_goes_on():
    made = hands.Hands(1)

    def fail():
        raise KeyError("x")

    broken = made.do(fail)
    with pytest.raises(KeyError):
        broken.result(timeout=60)
    assert made.do(lambda: None).result(timeout=60) is None


def test_what_waits_can_be_called_off():
    made, gate = hands.Hands(1), threading.Event()
    first, second = made.do(lambda: gate.wait(60) and None), made.do(lambda: None)
    assert second.cancel()
    gate.set()
    first.result(timeout=60)
    assert made.do(lambda: None).result(timeout=60) is None
