"""One look at a class's walls serves all of its seats that are proven at the same time, whatever it finds."""

from __future__ import annotations

import threading

import pytest

from labctl import errors
from labctl.drivers import ssh_isolation
from tests.drivers import guests_here

CLASS = "linux-101"


@pytest.fixture
def walls():
    return ssh_isolation.Walls(guests_here.site())


class Seat:
    """A seat that is proven in a thread of its own. Its look, if it takes one, ends with `outcome` as soon as `go` is set."""

    def __init__(self, walls, outcome):
        self.go, self.looking = threading.Event(), threading.Event()
        self.walls, self.outcome, self.said = walls, outcome, None
        self.thread = threading.Thread(target=self._prove)
        self.thread.start()

    def ended(self):
        """What the proof said: None when it went well."""
        self.go.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.said

    def _prove(self):
        try:
            self.walls.proven(CLASS, self._look)
        except errors.LabctlError as error:
            self.said = error

    def _look(self):
        self.looking.set()
        assert self.go.wait(60)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def begun(walls, outcome):
    seat = Seat(walls, outcome)
    assert seat.looking.wait(60)
    return seat


def test_nobody_is_ready_beside_a_guest_that_reaches_what_it_must_not(walls):
    open_ = ssh_isolation.Reached("box reaches labctl itself.", hint="Run `labctl up`.")
    first = begun(walls, open_)
    others = [Seat(walls, open_) for _ in range(5)]  # they wait for the first one, or look and find the same
    for other in others:
        other.go.set()  # all of them: whoever looks, the rest may wait for it
    assert first.ended() is open_
    assert [(str(other.ended()), other.said.hint) for other in others] == [(str(open_), open_.hint)] * 5
    assert begun(walls, True).ended() is None  # once IT has mended it, the next one looks again


def test_a_class_found_walled_is_not_looked_at_again(walls):
    first = begun(walls, True)
    others = [Seat(walls, ssh_isolation.Reached("it was looked at twice")) for _ in range(5)]
    assert first.ended() is None
    assert [other.ended() for other in others] == [None] * 5
    assert not any(other.looking.is_set() for other in others)


@pytest.mark.parametrize("outcome", [errors.Unreachable("box is gone"), False])
def test_where_a_look_says_nothing_of_the_class_the_next_one_looks(walls, outcome):
    first, second = begun(walls, outcome), Seat(walls, True)
    assert first.ended() is (outcome or None)
    assert second.looking.wait(60)
    assert second.ended() is None
    third = Seat(walls, True)
    assert third.ended() is None
    assert not third.looking.is_set()


TWO = [ssh_isolation.Target("its neighbour box", "100.127.0.5", 22), ssh_isolation.Target("labctl itself", "100.127.0.1", 22, labctl=True)]


def found(*lines):
    return ssh_isolation.read("".join(f"{line}\n" for line in lines), TWO)


def test_silence_counts_from_when_somebody_was_dialled():
    silent = found("begun 100.0", "at 0 100.01", "at 1 100.02", "tried")
    assert silent == ssh_isolation.Found()
    assert found("begun 100.0", "at 1 100.02", "at 0 100.45", "tried").late
    assert found("begun 100.0", "at 0 100.01", "tried").late  # the other was not dialled at all
    assert found("begun", "at 0", "at 1", "tried") == silent  # an old bash does not say when
    assert found("lacking") is None
    with pytest.raises(errors.Unreachable, match="cut off"):
        found("begun 100.0", "at 0 100.01")


def test_who_answers_was_reached_however_late():
    assert found("begun 100.0", "at 1 100.45", "refused 1", "at 0 100.02", "tried") == ssh_isolation.Found((TWO[1],))
    assert found("begun 100.0", "at 1 100.1", "open 1", "tried") == ssh_isolation.Found((TWO[1],), late=True)
