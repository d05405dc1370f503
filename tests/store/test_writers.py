"""Writers of an SQLite file stand in line: whoever comes seldom is not kept waiting by those who write all the time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from labctl import errors
from labctl.drivers.database import Database, writers


def test_one_at_a_time_however_many_threads_there_are(tmp_path):
    line, inside, most = writers.Writers(tmp_path / "x", 20), [0], [0]

    def write() -> None:
        for _ in range(50):
            with line.turn():
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_who_waits_for_too_long_is_told_so(tmp_path):
    line = writers.Writers(tmp_path / "x", 0.05)
    with line.turn():
        found = []

        def other() -> None:
            with pytest.raises(errors.Unreachable, match="others have been writing") as caught, line.turn():
                found.append("in")
            found.append(caught.value.hint)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == ["`labctl status` shows who runs."]
    with line.turn():
        pass


def test_an_error_inside_lets_the_next_one_in(tmp_path):
    line = writers.Writers(tmp_path / "x", 5)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"), line.turn():
            raise ValueError("no")


def _hold(folder: str) -> None:
    with writers.Writers(Path(folder) / "x", 5).turn():
        (Path(folder) / "holds").touch()
        time.sleep(3600)  # it is killed


def test_who_is_killed_while_writing_holds_up_nobody(tmp_path):
    holder = multiprocessing.get_context("spawn").Process(target=_hold, args=(str(tmp_path),))
    holder.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "holds").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    entered = threading.Event()

    def wait() -> None:
        with writers.Writers(tmp_path / "x", 30).turn():
            entered.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not entered.wait(0.3), "two wrote at once"
    os.kill(holder.pid, signal.SIGKILL)
    assert entered.wait(60)
    thread.join()
    holder.join()


def _write_all_the_time(url: str, key: str, folder: str) -> None:
    store = Database(url, Path(key))

    def write() -> None:
        while not (Path(folder) / "stop").exists():
            store.write("e1", "build", "line " * 50)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_processes_with_many_threads_lose_nothing(tmp_path):
    url, key = f"sqlite:///{tmp_path / 'labctl.sqlite3'}", str(tmp_path / "secrets" / "key")
    store = Database(url, Path(key))
    store.write("e2", "open", "first")
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_write_all_the_time, args=(url, key, str(tmp_path))) for _ in range(2)]
    for other in others:
        other.start()
    deadline = time.monotonic() + 300
    while len(store.read(environment="e1", limit=500)) < 500:
        assert time.monotonic() < deadline
        store.write("e2", "open", "again")
    (tmp_path / "stop").touch()
    for other in others:
        other.join(600)
    assert [other.exitcode for other in others] == [0, 0]
    lines = store.read(limit=10**6)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
