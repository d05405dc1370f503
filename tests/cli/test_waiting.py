"""What `--wait` says and how it ends when some seats are not well: the class is usable with the others."""

from __future__ import annotations

import pytest

from labctl import errors
from labctl.cli import board, classes, screen


def seat(number, status="ready", *, learner="Ada", retry_at=None, spare=False, aside=False):
    trouble = None
    if status in {"failed", "stuck"}:
        trouble = {"step": "configure", "reason": "box: task 'x': no.", "attempts": 5, "since": "", "retry_at": retry_at}
    return {
        "number": number,
        "learner": None if spare or aside else learner,
        "status": status,
        "trouble": trouble,
        "spare": spare,
        "aside": aside,
        "doing": None,
        "note": "",
    }


def last(*seats):
    return {"classroom": {"slug": "monday"}, "seats": list(seats)}


def test_all_ready_is_well_whatever_became_of_spares(capsys):
    classes.fail_unless_ready(last(seat(1), seat(2, "gone", aside=True), seat(3, "failed", spare=True)))
    assert "spare 3 is failed" in capsys.readouterr().err


def test_three_bad_seats_of_thirty_are_named_with_their_reasons_and_the_others_can_be_used():
    seats = [seat(number, "failed" if number in {4, 9, 30} else "ready") for number in range(1, 31)]
    with pytest.raises(errors.PermanentError) as caught:
        classes.fail_unless_ready(last(*seats))
    assert caught.value.message.startswith("27 of 30 seats are ready and can be used; not so: seat 4 (Ada): configure failed: box: task")
    assert "seat 30" in caught.value.message
    assert screen.exit_code(caught.value) == 1


def test_seats_that_go_on_by_themselves_are_worth_another_try():
    with pytest.raises(errors.TemporaryError) as caught:
        classes.fail_unless_ready(last(seat(1), seat(2, "stuck", retry_at="2030-03-04T13:00:00+00:00")))
    assert "1 of 2 seats are ready" in caught.value.message
    assert "go on by themselves" in caught.value.hint
    assert screen.exit_code(caught.value) == 3


def test_waiting_ends_when_every_seat_is_ready_or_would_only_hold_the_others_up():
    assert board.all_ready(last(seat(1), seat(2, "failed"), seat(3, "stuck"), seat(4, "removing", aside=True)))
    assert not board.all_ready(last(seat(1), seat(2, "proving")))
    assert not board.all_ready(last(seat(1), seat(2, "building", spare=True)))


class Revoked:
    """An API that shows the board until the token is revoked."""

    def __init__(self):
        self.asked = 0

    def events(self, path):
        self.asked += 1
        if self.asked > 1:
            raise errors.Unauthenticated("That token is not valid (any more).")
        yield "board", last(seat(1, "proving"))
        yield "left", {}


def test_whoever_may_see_the_class_no_more_is_told_why():
    with pytest.raises(errors.Unauthenticated, match="not valid"):
        board.watch(Revoked(), "monday", board.all_ready, quiet=True)
