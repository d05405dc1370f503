"""A crew is kept alive, ends when it is told to, and never outlives its keeper."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labctl.drivers import crew as crew_

CREW = """
import os, signal, sys, time, pathlib
from labctl.drivers import crew
folder = pathlib.Path(sys.argv[1])
def work(number):
    ended = []
    if sys.argv[2] == "finishes":  # before anybody can know that it lives, and so tell it to end
        signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    with (folder / "log").open("a") as log:
        log.write(f"{number} {os.getpid()}\\n")
    if sys.argv[2] == "fails":
        while (folder / "log").read_text().count("\\n") < 2:  # who fails first ends the other, who must have begun
            time.sleep(0.01)
        raise ValueError("no")
    if sys.argv[2] == "fails later" and number == 1:
        if (folder / "killed").exists():
            raise ValueError("no")
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[2] == "finishes":
        while not ended:
            time.sleep(0.01)
        (folder / f"finished {number}").touch()
        return
    signal.pause()
begun = crew.Crew(2, work).run()
(folder / "keeper ended").touch()
sys.exit(0 if begun else 3)
"""


def until(true, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


class Kept:
    """A crew of two in a process of its own."""

    def __init__(self, folder: Path, what: str) -> None:
        self.folder = folder
        argv = [sys.executable, "-c", CREW, str(folder), what]
        self.process = subprocess.Popen(argv, stderr=(folder / "stderr").open("wb"))

    def lives(self) -> list[tuple[int, int]]:
        """Every life that began: number and process."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [(int(number), int(pid)) for number, _, pid in (line.partition(" ") for line in lines)]


@pytest.fixture
def crew(tmp_path):
    made = []

    def make(what: str) -> Kept:
        made.append(Kept(tmp_path, what))
        until(lambda: len(made[-1].lives()) >= 2)
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait()


def test_who_is_killed_is_started_anew_and_the_other_is_left_alone(crew):
    kept = crew("waits")
    lives = dict(kept.lives())
    assert sorted(lives) == [1, 2]
    os.kill(lives[1], signal.SIGKILL)
    third = until(lambda: kept.lives()[2:])[0]
    assert third[0] == 1
    assert psutil.pid_exists(lives[2])
    assert len(psutil.Process(kept.process.pid).children()) == 2


def test_when_the_keeper_is_killed_nobody_is_left(crew):
    kept = crew("waits")
    members = [psutil.Process(pid) for _, pid in kept.lives()]
    kept.process.kill()
    gone, alive = psutil.wait_procs(members, timeout=60)
    assert len(gone) == 2
    assert alive == []


def test_told_to_end_it_waits_until_all_have_finished_and_starts_nobody_anew(crew):
    kept = crew("finishes")
    kept.process.terminate()
    assert kept.process.wait(60) == 0
    assert {path.name for path in kept.folder.iterdir()} >= {"finished 1", "finished 2", "keeper ended"}
    assert len(kept.lives()) == 2


def test_who_cannot_even_begin_is_not_started_anew_and_says_why(crew):
    kept = crew("fails")
    assert kept.process.wait(60) == 3
    assert "ValueError: no" in (kept.folder / "stderr").read_text()
    assert len(kept.lives()) == 2


def test_who_fails_again_and_again_later_is_started_anew_slowly(crew):
    kept = crew("fails later")
    until(lambda: len(kept.lives()) >= 4)
    begun, times = time.monotonic(), len(kept.lives())
    time.sleep(2)
    assert len(kept.lives()) <= times + 1 + (time.monotonic() - begun) / crew_.SHORT_LIFE, "it spins"
    kept.process.terminate()
    assert kept.process.wait(60) == 0
