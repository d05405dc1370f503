"""Detached processes: started once, known again, waited for by what they do, and ended by force if need be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from labctl import errors
from labctl.drivers import liveness
from labctl.services import owner, processes

SAY = [].append


def part(tmp_path, code, *, ready=None, **more):
    flag = tmp_path / "flag"
    code = f"flag = {str(flag)!r}\nimport signal, sys, time, pathlib, subprocess\n{code}\ntime.sleep(600)"
    return processes.Part("thing", [sys.executable, "-c", code], ready=ready or flag.exists, **more)


TOUCH = "pathlib.Path(flag).touch()"


@pytest.fixture
def house(tmp_path):
    made = processes.Processes(tmp_path)
    yield made
    if found := made.find("thing"):
        for one in [*found.children(recursive=True), found]:
            one.kill()
        psutil.wait_procs([found], timeout=60)


def test_it_starts_once_and_is_there_the_second_time(tmp_path, house):
    thing = part(tmp_path, TOUCH)
    assert house.ensure(thing, SAY)
    first = house.find("thing").pid
    assert not house.ensure(thing, SAY)
    assert house.find("thing").pid == first
    assert house.running("thing").memory > 1_000_000
    assert os.getsid(first) == first, "it would get our Ctrl-C"


def test_a_dead_one_is_started_again(tmp_path, house):
    thing = part(tmp_path, TOUCH)
    house.ensure(thing, SAY)
    first = house.find("thing")
    os.kill(first.pid, signal.SIGKILL)
    first.wait(60)
    assert house.find("thing") is None
    assert house.ensure(thing, SAY)
    assert house.find("thing").pid != first.pid


def test_a_pid_that_the_kernel_gave_to_somebody_else_is_not_ours_and_never_ended(tmp_path, house):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        (tmp_path / "run").mkdir()
        before = f"{liveness.of(stranger.pid).rpartition('/')[0]}/1"
        (tmp_path / "run" / "thing.pid").write_text(json.dumps({"pid": stranger.pid, "who": before}))
        assert house.find("thing") is None
        assert not house.stop("thing", grace=1, tree=True)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 999999999, "who": "x"}', '{"pid": 1, "who": null}'])
def test_a_pid_file_that_makes_no_sense_is_no_process(tmp_path, house, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thing.pid").write_text(text)
    assert house.find("thing") is None


def test_one_that_ends_while_it_starts_is_told_with_its_last_words(tmp_path, house):
    with pytest.raises(errors.PermanentError, match=r"no such file: labctl\.toml") as told:
        house.ensure(part(tmp_path, "sys.exit('no such file: labctl.toml')"), SAY)
    assert "thing.log" in told.value.hint


def test_one_that_is_never_ready_is_told_and_the_next_try_starts_it_anew(tmp_path, house):
    with pytest.raises(errors.Unreachable, match="not ready within"):
        house.ensure(part(tmp_path, "pass", deadline=0.5), SAY)
    first = house.find("thing").pid
    said = []
    with pytest.raises(errors.Unreachable):
        house.ensure(part(tmp_path, "pass", deadline=0.5), said.append)
    assert house.find("thing").pid != first
    assert "Starting it anew" in said[0]


def test_one_that_does_not_want_to_end_is_ended_with_its_children(tmp_path, house):
    code = f"""signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
{TOUCH}"""
    house.ensure(part(tmp_path, code), SAY)
    family = [house.find("thing"), *house.find("thing").children()]
    assert len(family) == 2
    assert house.stop("thing", grace=0.5, tree=True)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family)
    assert not (tmp_path / "run" / "thing.pid").exists()


def test_without_tree_the_children_live_on(tmp_path, house):
    code = f"""child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
{TOUCH}"""
    house.ensure(part(tmp_path, code), SAY)
    child = house.find("thing").children()[0]
    house.stop("thing", grace=5, tree=False)
    assert child.is_running()
    child.kill()


def test_ctrl_c_while_it_is_being_started_waits_until_its_pid_is_written_down(tmp_path):
    code = f"""
import os, signal, sys, pathlib
from labctl.services import processes
house = processes.Processes(pathlib.Path({str(tmp_path)!r}))
class Slow(processes.Processes):
    def _spawn(self, part, log):
        os.kill(os.getpid(), signal.SIGINT)
        return super()._spawn(part, log)
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
Slow(pathlib.Path({str(tmp_path)!r})).begin(processes.Part("thing", sleep, ready=lambda: True))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in done.stderr
    found = processes.Processes(tmp_path).find("thing")
    assert found is not None
    found.kill()


def test_only_one_up_or_down_at_a_time(tmp_path):
    with owner.alone(tmp_path), pytest.raises(errors.Busy, match="another"), owner.alone(tmp_path):
        pass
    with owner.alone(tmp_path):
        pass


def test_another_checkout_is_refused_only_while_it_runs(tmp_path):
    owner.record(tmp_path)
    owner.refuse_other(tmp_path, ("thing",))
    (tmp_path / "run" / "owner.json").write_text(json.dumps({"checkout": "/somewhere/else", "pid": 1}))
    owner.refuse_other(tmp_path, ("thing",))
    (tmp_path / "run" / "thing.pid").write_text(json.dumps({"pid": os.getpid(), "who": liveness.myself()}))
    with pytest.raises(errors.Conflict, match="labctl from /somewhere/else is running here"):
        owner.refuse_other(tmp_path, ("thing",))
