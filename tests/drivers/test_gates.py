"""Gates: never more inside than the limit, which follows what the other side answers; who is urgent goes first; the killed do not count."""

from __future__ import annotations

import threading
import time
from concurrent import futures

import pytest

from labctl import errors
from labctl.drivers import gates, presence, sheet
from tests.drivers import crossing


@pytest.fixture
def all_gates(tmp_path):
    return gates.Gates(tmp_path / "gates")


def gate_of(limit: float, inside: int = 0, **more) -> gates.State:
    return gates.State(limit, inside={f"p/{n}": (0.0, "") for n in range(inside)}, **more)


def test_success_widens_a_gate_that_is_full_by_one_until_the_first_sign_of_crowding_then_by_one_a_round():
    state = gate_of(3, inside=3)
    state.well(1.0, 24)
    assert state.limit == 4
    state.crowded(entered=5.0, now=6.0)
    assert (state.limit, state.climbing) == (2, False)
    state.well(1.0, 24)
    assert state.limit == 2.5


def test_a_gate_with_room_left_is_not_widened():
    state = gate_of(3, inside=2)
    state.well(1.0, 24)
    assert state.limit == 3


def test_a_gate_never_gets_wider_than_the_most_nor_narrower_than_one():
    state = gate_of(3, inside=3)
    state.well(1.0, 3)
    assert state.limit == 3
    for moment in range(1, 6):
        state.crowded(entered=moment, now=moment + 0.5)
    assert state.limit == 1


def test_those_who_went_in_before_a_halving_do_not_halve_again():
    state = gate_of(8, inside=8)
    state.crowded(entered=1.0, now=2.0)
    state.crowded(entered=1.5, now=3.0)
    assert state.limit == 4
    state.crowded(entered=2.5, now=4.0)
    assert state.limit == 2


def test_work_that_gets_slow_by_company_ends_the_widening():
    state = gate_of(3, inside=3)
    for _ in range(4):
        state.well(1.0, 24)
    wide = state.limit
    assert wide == 3 + 1  # then there was room
    state.inside |= {f"p/{n}": (0.0, "") for n in range(9)}
    for _ in range(6):
        state.well(5.0, 24)
    assert not state.climbing
    slow = state.limit
    state.well(5.0, 24)
    assert state.limit == slow


def test_who_is_urgent_goes_first_then_the_class_with_fewest_inside_then_who_came_first():
    state = gate_of(3, number=4)
    state.inside = {"p/0": (0.0, "large"), "p/9": (0.0, "large")}
    state.waiting = [(0.0, 1, "large", "p/1"), (0.0, 2, "small", "p/2"), (0.0, 3, "small", "p/3"), (-1.0, 4, "large", "p/4")]
    order = []
    while state.waiting:
        order += state.admit(1.0)
        del state.inside[order[-1]]
    assert order == ["p/4", "p/2", "p/3", "p/1"]


def test_many_threads_are_never_more_inside_than_the_limit_and_all_get_through(all_gates):
    inside, most, guard, full = 0, 0, threading.Lock(), threading.Barrier(3)

    def one(_number: int) -> None:
        nonlocal inside, most
        with all_gates.gate("x", start=3, most=3):
            with guard:
                inside += 1
                most = max(most, inside)
            full.wait(60)  # goes on when three are inside
            with guard:
                inside -= 1

    with futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(one, range(120)))
    assert most == 3
    state = all_gates.look("x")
    assert (state.inside, state.waiting, state.number) == ({}, [], 120)


def test_a_refusal_for_crowding_narrows_the_gate_and_goes_up(all_gates):
    with pytest.raises(errors.Busy, match="too many"), all_gates.gate("x", start=4, most=8):
        raise errors.Busy("too many")
    assert all_gates.look("x").limit == 2
    with pytest.raises(errors.Conflict), all_gates.gate("x", start=4, most=8):
        raise errors.Conflict("not a matter of how many")
    assert all_gates.look("x").limit == 2


def test_what_was_learned_is_there_for_the_next_who_comes(tmp_path):
    with pytest.raises(errors.Busy), gates.Gates(tmp_path).gate("x", start=6, most=8):
        raise errors.Busy("too many")
    with gates.Gates(tmp_path).gate("x", start=6, most=8):
        assert gates.Gates(tmp_path).look("x").limit == 3


def test_nobody_waits_longer_than_his_patience_nor_after_a_cancellation(all_gates):
    with all_gates.gate("x", most=1):
        with pytest.raises(errors.Busy, match="no turn"), all_gates.gate("x", most=1, patience=0.05):
            pass
        with pytest.raises(errors.Busy, match="cancelled"), all_gates.gate("x", most=1, cancelled=lambda: True):
            pass
        assert all_gates.look("x").waiting == []
        assert all_gates.look("x").limit == 1
    with all_gates.gate("x", most=1, patience=0.05):
        pass


def test_a_place_goes_to_another_process_as_soon_as_it_is_free(tmp_path):
    with gates.Gates(tmp_path).gate("x", most=1, start=1):
        other = crossing.start("gate", tmp_path, 1, 0)
        deadline = time.monotonic() + 60
        while not gates.Gates(tmp_path).look("x").waiting:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert other.stdout.read().split() == ["in", "out"]
    assert other.wait(60) == 0
    other.stdout.close()


@pytest.mark.parametrize("killed", ["inside", "waiting"])
def test_who_is_killed_inside_or_in_line_does_not_hold_up_others(tmp_path, killed):
    all_gates = gates.Gates(tmp_path)
    first = crossing.start("gate", tmp_path, 1, 600)
    assert first.stdout.readline() == "in\n"
    second = crossing.start("gate", tmp_path, 1, 0)
    deadline = time.monotonic() + 60
    while not all_gates.look("x").waiting:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    if killed == "waiting":
        crossing.end(second)
        crossing.end(first)
        with all_gates.gate("x", most=1, patience=60):
            assert list(all_gates.look("x").inside) != []
    else:
        crossing.end(first)
        assert second.stdout.readline() == "in\n"
        assert second.wait(60) == 0
        second.stdout.close()
    assert all_gates.look("x").inside == {}


def test_a_torn_file_is_begun_again(tmp_path):
    all_gates = gates.Gates(tmp_path)
    with all_gates.gate("x", start=2, most=2):
        (tmp_path / "x.gate").write_text('{"limit": 2.0, "ins')
        with all_gates.gate("x", start=2, most=2):
            pass
    (tmp_path / "x.gate").write_text('{"limit": 2.0, "of_another_version": 1}')
    with all_gates.gate("x", start=2, most=2):
        pass
    assert all_gates.look("x").inside == {}


def test_gates_go_on_after_somebody_took_their_folder_away(tmp_path):
    folder = tmp_path / "gates"
    with gates.Gates(folder).gate("x", most=1):
        pass
    before = presence.here(folder / "here").token
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with gates.Gates(folder).gate("x", most=1):
        assert presence.here(folder / "here").token != before


def test_files_of_a_killed_process_are_swept_away_and_those_of_a_living_one_stay(tmp_path):
    one, two = crossing.start("gate", tmp_path, 2, 600), crossing.start("gate", tmp_path, 2, 600)
    assert one.stdout.readline() == two.stdout.readline() == "in\n"
    crossing.end(one)
    with gates.Gates(tmp_path).gate("y", most=1):
        tokens = {path.name.partition("-")[0] for path in (tmp_path / "here").glob("*.alive")}
    crossing.end(two)
    assert str(one.pid) not in tokens
    assert str(two.pid) in tokens


def test_a_sheet_is_not_written_when_its_block_fails(tmp_path):
    with sheet.turned(tmp_path / "s") as content:
        content["a"] = 1

    def spoil() -> None:
        with sheet.turned(tmp_path / "s") as content:
            content["a"] = 2
            raise errors.Conflict("spoilt")

    with pytest.raises(errors.Conflict, match="spoilt"):
        spoil()
    with sheet.turned(tmp_path / "s") as content:
        assert content == {"a": 1}
