"""Tasks at work: what counts, what is refused, and that a look never gets into a reset's way."""

from __future__ import annotations

import pytest

from labctl import errors
from labctl.model.tasks import Outcome, State
from labctl.task_ports import Exam
from tests.api.conftest import House

RED = Exam(Outcome.FAILED, "There is no file hello yet.", "exit 1")
BLIND = Exam(Outcome.UNKNOWN, detail="box does not answer")


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    made.open()
    made.settle()
    yield made
    made.wiring.database.dispose()


def box(house, task, seat=1):
    return house.wiring.examining.box("monday", seat, task)


def lines(house, seat=1):
    environment = house.wiring.desk.seat("monday", seat)[1].id
    return [line.text for line in house.wiring.journal.read(environment=environment) if line.step == "task"]


def press(house, task="file", seat=1):
    return house.wiring.examining.check("monday", seat, task, who="ada")


def test_a_check_is_red_then_green_and_earns_its_points(house):
    house.examiner.finds["file"] = [RED]
    press(house).result()
    red = box(house, "file")
    assert (red.state, red.standing.outcome, red.standing.message) == (State.OPEN, Outcome.FAILED, "There is no file hello yet.")
    press(house).result()
    assert (box(house, "file").state, box(house, "file").standing.earned) == (State.DONE, 10)
    assert box(house, "file", 2).state is State.OPEN
    assert lines(house) == ["file: not done yet: exit 1", "file: done (its checks passed)"]


def test_what_could_not_be_looked_at_never_counts_against_the_learner(house):
    press(house).result()
    house.examiner.finds["file"] = [BLIND]
    press(house).result()
    assert (box(house, "file").state, box(house, "file").standing.earned) == (State.DONE, 10)
    assert box(house, "file").standing.outcome is Outcome.UNKNOWN


def test_one_look_a_seat_and_the_second_press_says_so_while_others_go_on(house):
    house.wiring.hands.held = []
    first = press(house)
    assert box(house, "file").looking
    with pytest.raises(errors.Conflict, match="going on"):
        press(house)
    other = press(house, seat=2)
    house.wiring.hands.go_on()
    first.result()
    other.result()
    assert not box(house, "file").looking
    assert box(house, "file").state is State.DONE
    press(house).result()


def test_a_look_that_breaks_off_holds_nobody_up(house):
    def breaks():
        raise RuntimeError

    house.examiner.during = breaks
    with pytest.raises(RuntimeError):
        press(house).result()
    house.examiner.during = lambda: None
    press(house).result()
    assert box(house, "file").state is State.DONE


def test_nobody_looks_into_a_seat_that_starts_again(house):
    house.wiring.desk.reset("monday", 1, who="ada")
    with pytest.raises(errors.Conflict, match="resetting"):
        press(house)
    assert house.examiner.looked == []
    house.settle()
    press(house).result()


def test_what_was_seen_before_a_reset_began_does_not_count(house):
    house.examiner.during = lambda: house.wiring.desk.reset("monday", 1, who="eva")
    press(house).result()
    assert (box(house, "file").state, box(house, "file").standing.outcome) == (State.OPEN, Outcome.UNKNOWN)
    assert lines(house) == ["file: could not be looked into: the machines were set back meanwhile"]


def test_a_look_takes_nothing_that_a_reset_would_wait_for(house):
    house.wiring.hands.held = []
    look = press(house)
    house.wiring.desk.reset("monday", 1, who="ada")
    house.settle()
    assert house.wiring.desk.seat("monday", 1)[1].facts.state.value == "ready"
    house.wiring.hands.go_on()
    look.result()
    assert box(house, "file").standing.outcome is Outcome.UNKNOWN


def test_what_is_done_stays_done_through_a_reset_and_says_that_it_was_before(house):
    press(house).result()
    house.wiring.desk.reset("monday", 1, who="ada")
    house.settle()
    stale = box(house, "file")
    assert (stale.state, stale.standing.earned, stale.stale) == (State.DONE, 10, True)
    house.examiner.finds["file"] = [RED]
    press(house).result()
    assert box(house, "file").state is State.DONE
    press(house).result()
    assert not box(house, "file").stale


def test_undoing_the_reset_brings_back_what_was_there(house):
    press(house).result()
    for verb in (house.wiring.desk.reset, house.wiring.seating.undo):
        verb("monday", 1, who="ada")
        house.settle()
    assert not box(house, "file").stale


def test_an_answer_is_tried_three_times_with_three_seconds_between(house):
    work = house.wiring.tasking
    assert not work.answer("monday", 1, "look", "house", who="ada")
    with pytest.raises(errors.Conflict, match="three seconds"):
        work.answer("monday", 1, "look", "lighthouse", who="ada")
    for tries_left in (1, 0):
        house.pass_(seconds=3)
        assert not work.answer("monday", 1, "look", "house", who="ada")
        assert box(house, "look").tries_left == tries_left
    house.pass_(seconds=3)
    with pytest.raises(errors.Conflict, match="no tries are left"):
        work.answer("monday", 1, "look", "lighthouse", who="ada")
    assert "house" not in "".join(lines(house))


def test_a_right_answer_opens_what_follows_and_shows_the_explanation(house):
    work = house.wiring.tasking
    assert (box(house, "quiz").state, box(house, "quiz").requires, box(house, "quiz").choices) == (State.LOCKED, ("What is the word?",), ())
    assert box(house, "look").explain == ""
    with pytest.raises(errors.Conflict, match="not open yet"):
        work.choose("monday", 1, "quiz", [0], who="ada")
    assert work.answer("monday", 1, "look", " Lighthouse ", who="ada")
    assert (box(house, "look").state, box(house, "look").explain, box(house, "quiz").state) == (State.DONE, "It shines.", State.OPEN)
    with pytest.raises(errors.Conflict, match="is done"):
        work.answer("monday", 1, "look", "lighthouse", who="ada")


def test_hints_cost_their_points_once(house):
    work = house.wiring.tasking
    for _ in range(2):
        assert work.hint("monday", 1, "look", 1, who="ada") == "Look at the sea"
    assert (box(house, "look").worth, box(house, "look").hints) == (3, ("Look at the sea",))
    work.answer("monday", 1, "look", "lighthouse", who="ada")
    assert box(house, "look").standing.earned == 3
    assert lines(house) == ["look: hint 1 was opened", "look: done (answered)"]


def test_giving_up_brings_no_points_and_goes_on(house):
    house.wiring.tasking.give_up("monday", 1, "look", who="ada")
    given = box(house, "look")
    assert (given.state, given.standing.earned, given.explain) == (State.GIVEN_UP, 0, "It shines.")
    assert box(house, "quiz").state is State.OPEN


def test_choices_are_right_together(house):
    work = house.wiring.tasking
    work.give_up("monday", 1, "look", who="ada")
    shown = box(house, "quiz").choices
    assert box(house, "quiz").several
    assert not work.choose("monday", 1, "quiz", [shown.index("22")], who="ada")
    house.pass_(seconds=3)
    assert work.choose("monday", 1, "quiz", [shown.index("22"), shown.index("443")], who="ada")


@pytest.mark.parametrize(
    ("do", "error"),
    [
        (lambda work: work.answer("monday", 1, "look", "  ", who="ada"), errors.BadInput),
        (lambda work: work.answer("monday", 1, "look", "x" * 501, who="ada"), errors.BadInput),
        (lambda work: work.answer("monday", 1, "file", "x", who="ada"), errors.BadInput),
        (lambda work: work.choose("monday", 1, "look", [0], who="ada"), errors.BadInput),
        (lambda work: work.hint("monday", 1, "look", 2, who="ada"), errors.BadInput),
        (lambda work: work.hint("monday", 1, "look", 0, who="ada"), errors.BadInput),
        (lambda work: work.confirm("monday", 1, "look", who="ada"), errors.BadInput),
        (lambda work: work.confirm("monday", 1, "luok", who="ada"), errors.NotFound),
        (lambda work: work.confirm("monday", 9, "read", who="ada"), errors.NotFound),
    ],
)
def test_what_makes_no_sense_is_refused_and_counts_as_no_try(house, do, error):
    with pytest.raises(error):
        do(house.wiring.tasking)
    assert house.wiring.database.standings("monday", 1) == ()


def test_in_a_closed_class_nothing_is_done_any_more(house):
    house.wiring.desk.close("monday", who="trainer")
    with pytest.raises(errors.Conflict):
        house.wiring.tasking.confirm("monday", 1, "read", who="ada")
    with pytest.raises(errors.Conflict):
        press(house)


def test_without_pressing_what_passes_is_done_and_what_fails_says_nothing(house):
    house.examiner.finds["file"] = [RED]
    house.wiring.examining.patrol("monday", 1).result()
    assert (box(house, "file").standing.outcome, lines(house)) == (None, [])
    house.wiring.examining.patrol("monday", 1).result()
    assert box(house, "file").state is State.DONE
    assert house.wiring.examining.patrol("monday", 1) is None


def test_the_board_counts_tasks_and_points(house):
    press(house).result()
    board = house.client("trainer").get("/api/v1/classrooms/monday/seats").json()
    assert [(seat["tasks_done"], seat["tasks"], seat["points"]) for seat in board] == [(1, 4, 10), (0, 4, 0)]


def test_a_file_of_the_guide_is_written_only_where_the_learner_may_be(house):
    write = house.wiring.examining.write
    write("monday", 1, "box", "notes.md", "hello", who="ada").result()
    assert house.examiner.written == [("box", "notes.md", "hello")]
    with pytest.raises(errors.NotFound):
        write("monday", 1, "shop", "notes.md", "hello", who="ada")
    house.wiring.desk.reset("monday", 1, who="ada")
    with pytest.raises(errors.Conflict):
        write("monday", 1, "box", "notes.md", "hello", who="ada")
