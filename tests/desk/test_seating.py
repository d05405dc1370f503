"""Spares, swap, undo and fit at the front desk: what is wrong is said in plain words, and nothing is half-written."""

from __future__ import annotations

from datetime import timedelta

import pytest

from labctl import errors
from labctl.model.environment import State, Step, Wanted
from labctl.model.lifecycle import Status
from tests.desk import test_desk
from tests.desk.test_desk import front  # noqa: F401 -- a fixture

OWN = (
    test_desk.BLUEPRINT
    + """configure:
  - {write: /srv/common, content: the same}
  - {write: /home/learner/letter, owner: learner, bake: false, content: "${lab.seat.name} ${lab.flag}"}
  - {write: /srv/word, bake: false, content: "${lab.colour}"}
"""
)


@pytest.fixture
def own(front):  # noqa: F811
    (front.home.parent / "blueprints" / "box-each" / "blueprint.yaml").write_text(OWN)
    return front


def opened(front, spares=1, **kind):  # noqa: F811
    room = front.class_(spares=spares, **kind)
    # Golden machines first, where the blueprint has something that is the same for everybody.
    for env in front.wired.environments.environments():
        front.run(env.id)
    return room


def values(front, environment):  # noqa: F811
    return {one.name: one.value for one in front.wired.environments.plan(environment).variables}


def test_spares_are_seats_without_a_learner_made_ready_like_the_others(front):  # noqa: F811
    room = opened(front, spares=2)
    assert [(seat.number, seat.learner and seat.learner.login) for seat in room.seats] == [(1, "ada"), (2, "grace"), (3, None), (4, None)]
    assert {front.status(seat.environment) for seat in room.seats} == {Status.READY}


def test_a_class_may_have_fewer_seats_than_its_roster(front):  # noqa: F811
    assert [seat.learner.login for seat in front.class_(seats=1).seats] == ["ada"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"seats": 3}, "3 seats are not possible: the roster has 2 learners"),
        ({"seats": 0}, "0 seats"),
        ({"spares": -1}, "-1 spares"),
        ({"spares": 101}, "101 spares"),
    ],
)
def test_impossible_numbers_are_refused(front, wrong, words):  # noqa: F811
    with pytest.raises(errors.BadInput, match=words):
        front.class_(**wrong)
    front.nothing_written()


def test_a_class_that_does_not_fit_is_refused_with_how_many_would(front):  # noqa: F811
    front.wired.provisioner.memory = 520
    with pytest.raises(errors.Conflict, match="node sandbox has 520 MiB of memory free") as caught:
        front.class_(roster=test_desk.ROSTER + b"Joan Clarke,joan@example.org\n")
    assert "--seats 2" in caught.value.hint
    front.nothing_written()
    assert len(front.class_(roster=test_desk.ROSTER + b"Joan Clarke,joan@example.org\n", seats=2).seats) == 2


def test_a_swap_gives_the_learner_the_spares_machines_with_their_own_values(own):
    room = opened(own)
    bad, spare = room.seats[0].environment, room.seats[2].environment
    mine = values(own, bad)
    assert mine["flag"] != values(own, spare)["flag"]
    own.bell.rung.clear()
    done = own.wired.seating.swap("monday", 1, who="tess")
    assert (done.seat, done.spare, done.kept, done.added) == (1, 3, False, None)
    assert own.bell.rung == [spare, bad]
    assert own.desk.seat("monday", 1)[0].environment == spare
    assert own.status(spare) is Status.CONFIGURING, "not the learner's before it was handed over"
    assert values(own, spare) == mine
    plan = own.wired.environments.plan(spare)
    assert (plan.seat.login, plan.principal, plan.environment) == ("ada", f"seat-monday-1-{bad}", spare)
    assert [step.what for step in plan.personal] == ["/home/learner/letter", "/srv/word"]
    assert plan.personal[0].content == f"Ada Lovelace {mine['flag']}"
    assert own.run(spare) is State.READY
    assert own.run(bad) is State.GONE
    assert [line.step for line in own.lines(spare) if line.who == "tess"] == ["open", "swap"]
    assert own.desk.bundle("monday", 1).files["config"].startswith(f"seat-monday-1-{bad} ")


def test_a_class_can_be_extended_while_and_after_swapped_machines_leave(own):
    room = opened(own)
    bad, spare = room.seats[0].environment, room.seats[2].environment
    own.wired.seating.swap("monday", 1, who="tess")
    first, second = room.lease.ends + timedelta(hours=1), room.lease.ends + timedelta(hours=2)
    assert own.desk.extend("monday", first, who="tess").lease.ends == first
    assert own.status(bad) is Status.REMOVING, "more time is nothing for machines that nobody wants"
    assert own.run(bad) is State.GONE
    assert own.desk.extend("monday", second, who="tess").lease.ends == second
    assert own.env(spare).wishes.lease.ends == second
    own.desk.close("monday", who="tess")
    with pytest.raises(errors.Conflict, match="is over"):
        own.desk.extend("monday", second + timedelta(hours=1), who="tess")


def test_the_old_machines_may_be_kept_for_a_look_and_are_no_spare(front):  # noqa: F811
    room = opened(front)
    front.wired.seating.swap("monday", 1, who="tess", keep=True)
    old = front.env(room.seats[0].environment)
    assert (old.wishes.wanted, old.wishes.aside, old.seat) == (Wanted.READY, True, 3)
    assert front.status(old.id) is Status.READY
    front.run(room.seats[2].environment)
    with pytest.raises(errors.Conflict, match="class 'monday' has no spare"):
        front.wired.seating.swap("monday", 2, who="tess")
    front.desk.close("monday", who="tess")
    for env in front.wired.environments.environments():
        assert front.run(env.id) is State.GONE
    assert front.cluster.crumbs() == []


def test_a_new_spare_is_made_when_asked_for_with_the_answers_of_the_class(front):  # noqa: F811
    opened(front, answers={"colour": "blue"})
    done = front.wired.seating.swap("monday", 1, who="tess", refill=True)
    assert (done.added, done.not_added) == (4, "")
    seat, env = front.desk.seat("monday", 4)
    assert seat.learner is None
    assert values(front, env.id)["colour"] == "blue"
    assert front.run(env.id) is State.READY
    assert front.wired.seating.swap("monday", 2, who="tess").spare == 4


def test_a_new_spare_for_which_there_is_no_room_is_said_and_the_swap_stands(front):  # noqa: F811
    room = opened(front)
    front.script.failures["preflight"] = [errors.Conflict("no memory.")]
    done = front.wired.seating.swap("monday", 1, who="tess", refill=True)
    assert (done.added, done.not_added) == (None, "no memory.")
    assert front.desk.seat("monday", 1)[1].id == room.seats[2].environment


def test_a_swap_without_a_spare_or_without_a_ready_one_is_refused(front):  # noqa: F811
    front.class_()
    with pytest.raises(errors.Conflict, match="class 'monday' has no spare"):
        front.wired.seating.swap("monday", 1, who="tess")
    front.class_(slug="tuesday", spares=1)
    with pytest.raises(errors.Conflict, match="no spare that is ready: seat 3 is waiting"):
        front.wired.seating.swap("tuesday", 1, who="tess")
    with pytest.raises(errors.BadInput, match="seat 3 of class 'tuesday' is a spare itself"):
        front.wired.seating.swap("tuesday", 3, who="tess")
    with pytest.raises(errors.NotFound, match="has no seat 9"):
        front.wired.seating.swap("tuesday", 9, who="tess")
    with pytest.raises(errors.NotFound, match="no class 'friday'"):
        front.wired.seating.swap("friday", 1, who="tess")


def test_nothing_is_swapped_when_the_class_is_over_or_nobody_hears(front):  # noqa: F811
    opened(front)
    front.bell.broken = True
    with pytest.raises(errors.Unreachable):
        front.wired.seating.swap("monday", 1, who="tess")
    front.bell.broken = False
    before = front.wired.classrooms.classroom("monday").seats
    front.desk.close("monday", who="tess")
    with pytest.raises(errors.Conflict):
        front.wired.seating.swap("monday", 1, who="tess")
    assert front.wired.classrooms.classroom("monday").seats == before


def test_a_seat_that_failed_for_good_gets_working_machines(front):  # noqa: F811
    room = front.class_(spares=1)
    front.script.failures["configure"] = [errors.PlayFailed("box: no.")]
    for seat in room.seats:
        front.run(seat.environment)
    assert front.status(room.seats[0].environment) is Status.FAILED
    front.wired.seating.swap("monday", 1, who="tess")
    assert front.run(front.desk.seat("monday", 1)[1].id) is State.READY


def test_an_undo_is_one_more_round_that_goes_back(front):  # noqa: F811
    env = opened(front).seats[0].environment
    front.desk.reset("monday", 1, who="ada")
    with pytest.raises(errors.Conflict, match="nothing to undo on seat 1"):
        front.wired.seating.undo("monday", 1, who="ada")
    front.run(env)
    changed = front.wired.seating.undo("monday", 1, who="ada")
    assert (changed.wishes.round, changed.wishes.undo) == (3, 3)
    assert front.lines(env)[-1].step == "undo"
    with pytest.raises(errors.Conflict, match="seat 1 of class 'monday' is resetting"):
        front.wired.seating.undo("monday", 1, who="ada")
    assert front.run(env) is State.READY
    with pytest.raises(errors.Conflict, match="nothing to undo"):
        front.wired.seating.undo("monday", 1, who="ada")


def test_what_has_run_out_or_is_being_removed_cannot_be_undone(front):  # noqa: F811
    env = opened(front).seats[0].environment
    front.desk.reset("monday", 1, who="ada")
    front.run(env)
    front.clock.pass_(minutes=61)
    with pytest.raises(errors.Conflict, match="nothing to undo"):
        front.wired.seating.undo("monday", 1, who="ada")
    front.desk.reset("monday", 1, who="ada")
    front.run(env)
    front.desk.close("monday", who="tess")
    with pytest.raises(errors.Conflict, match="removing"):
        front.wired.seating.undo("monday", 1, who="ada")


def test_a_fit_says_when_all_would_be_ready_from_times_measured_here(front):  # noqa: F811
    answer = front.wired.fitting.fit("box-each", 5, spares=1)
    assert (answer.fits, answer.seats, answer.ready_at) == (True, 6, None)
    assert [one.seconds for one in answer.steps] == [None, None, None]
    front.nothing_written()
    room = front.class_()
    for step in (Step.BUILD, Step.CONFIGURE, Step.PROVE):
        front.wired.timings.measured(room.seats[0].environment, step, 10.0)
    starts = front.clock.now() + timedelta(hours=2)
    answer = front.wired.fitting.fit("box-each", front.wired.workers + 1, starts=starts)
    assert answer.ready_at == starts + timedelta(seconds=60), "two waves: one seat more than steps that are done at once"


def test_what_does_not_fit_is_told_with_everything_that_is_short(front):  # noqa: F811
    front.wired.provisioner.memory = 2000
    answer = front.wired.fitting.fit("box-each", 300)
    assert [one.what.split(" ")[0] for one in answer.short] == ["plots", "memory"]
    assert 0 < answer.most < 10
    front.nothing_written()


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        ({"blueprint": "nothing", "seats": 1}, errors.NotFound, "nothing"),
        ({"blueprint": "./box-each", "seats": 1}, errors.BadInput, "not the name"),
        ({"blueprint": "box-each", "seats": 0}, errors.BadInput, "0 seats"),
        ({"blueprint": "box-each", "seats": 1, "answers": {"colour": "green"}}, errors.BadInput, "colour"),
    ],
)
def test_a_fit_of_what_cannot_be_is_refused(front, ask, error, words):  # noqa: F811
    with pytest.raises(error, match=words):
        front.wired.fitting.fit(ask.pop("blueprint"), ask.pop("seats"), **ask)
