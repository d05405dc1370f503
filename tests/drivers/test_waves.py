"""Waves: done once for all who asked before it began; everybody learns the result; the killed hold nobody up."""

from __future__ import annotations

import threading
import time
from concurrent import futures

import pytest

from labctl import errors
from labctl.drivers import waves
from tests.drivers import crossing


def test_one_who_is_alone_does_not_wait_and_gets_the_result(tmp_path):
    assert waves.Waves(tmp_path).ride("w", 7, lambda wanted: [one + 1 for one in wanted]) == [8]


def test_those_who_come_while_a_wave_runs_share_the_next_one(tmp_path):
    ran, begun, go = [], threading.Event(), threading.Event()

    def run(wanted):
        ran.append(sorted(wanted))
        begun.set()
        assert go.wait(60)
        return sorted(wanted)

    def ride(number):
        return waves.Waves(tmp_path).ride("w", number, run)

    with futures.ThreadPoolExecutor(10) as pool:
        first = pool.submit(ride, 0)
        assert begun.wait(60)
        later = [pool.submit(ride, number) for number in range(1, 9)]
        deadline = time.monotonic() + 60
        while (tmp_path / "w.wave").read_text().count("[") < 9:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        go.set()
        assert first.result() == [0]
        assert [job.result() for job in later] == [list(range(1, 9))] * 8
    assert ran == [[0], list(range(1, 9))]


def test_an_error_goes_up_where_it_happened_and_the_others_ask_again(tmp_path):
    attempts, failed, together = [], [], threading.Barrier(4)

    def run(wanted):
        attempts.append(list(wanted))
        if len(attempts) == 1:
            raise errors.Busy("not now")
        return "well"

    def ride(number):
        together.wait()
        try:
            return waves.Waves(tmp_path).ride("w", number, run)
        except errors.Busy:
            failed.append(number)
            return "failed"

    with futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ride, range(4)))
    assert len(failed) == 1
    assert sorted(results) == ["failed", "well", "well", "well"]


def test_nobody_waits_longer_than_his_patience_nor_after_a_cancellation(tmp_path):
    begun, go = threading.Event(), threading.Event()

    def long(_wanted):
        begun.set()
        return go.wait(60)

    def never(_wanted):
        raise AssertionError

    with futures.ThreadPoolExecutor(1) as pool:
        leader = pool.submit(waves.Waves(tmp_path).ride, "w", 0, long)
        assert begun.wait(60)
        with pytest.raises(errors.Busy, match="in time"):
            waves.Waves(tmp_path).ride("w", 1, never, patience=0.0)
        with pytest.raises(errors.Busy, match="cancelled"):
            waves.Waves(tmp_path).ride("w", 1, never, cancelled=lambda: True)
        go.set()
        assert leader.result() is True
    assert waves.Waves(tmp_path).ride("w", 2, list) == [2]


def test_a_wave_whose_leader_was_killed_is_done_by_another_with_all_who_still_wait(tmp_path):
    leader = crossing.start("wave", tmp_path, 600)
    assert leader.stdout.readline() == "leads\n"
    riders = [crossing.start("wave", tmp_path, 0) for _ in range(3)]
    deadline = time.monotonic() + 60
    while (tmp_path / "w.wave").read_text().count("[") < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    crossing.end(leader)
    said = [rider.communicate(timeout=60)[0] for rider in riders]
    assert sum(text.count("leads") for text in said) == 1
    together = str(sorted(rider.pid for rider in riders))
    assert all(f"done {together}" in text for text in said)


def test_a_torn_book_is_begun_again_and_an_old_result_is_nobodys(tmp_path):
    all_waves = waves.Waves(tmp_path)
    assert all_waves.ride("w", 1, list) == [1]
    (tmp_path / "w.wave").write_text("{")
    assert all_waves.ride("w", 2, list) == [2]


def test_only_a_few_results_are_kept(tmp_path):
    for number in range(30):
        waves.Waves(tmp_path).ride("w", number, list)
    assert len(list(tmp_path.glob("*.result"))) <= waves.KEPT + 1
