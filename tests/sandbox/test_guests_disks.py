from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labctl.sandbox.guests.runtime import RuntimeFailure
from tests.sandbox.guest_house import CACHE, VM, House

pytestmark = pytest.mark.guests


@pytest.fixture(scope="module")
def house():
    with House("gc") as made:
        yield made


@pytest.fixture
def vmid(house):
    fresh = max([100, *house.runtime.bases()]) + 1
    yield fresh
    for one in sorted({int(name.rpartition("-")[2]) for name in house.runtime.disks.guests()} - {9000, 9001}):
        house.runtime.stop(one)
        house.runtime.destroy(one)
    assert referenced(house) == layers(house)


def layers(house):
    return {f"layers/{path.name}" for path in (house.home / "layers").iterdir()}


def referenced(house):
    named = set().union(*(house.runtime.disks.read(guest).layers() for guest in house.runtime.disks.guests()))
    return {name for name in named if name.startswith("layers/")}


def test_rollback_of_a_running_guests_snapshot_brings_back_exactly_what_was_there(house, vmid):
    house.up(vmid)
    house.say(
        vmid, "echo first > kept; echo gone > removed; sudo useradd -m bob; sudo rm /etc/nanorc; sudo mkdir /srv/a; sudo touch /srv/a/x"
    )
    house.runtime.snapshot(vmid, "ready")
    house.say(vmid, "echo second > kept; rm removed; touch new; sudo userdel -r bob; sudo rm -r /srv/a; sudo touch /etc/nanorc; sync")
    house.runtime.rollback(vmid, "ready")
    assert vmid not in house.runtime.running()
    key = house.say
    house.start(vmid)
    assert key(vmid, "cat kept removed; ls; id -un bob; ls /srv/a /home; ls /etc/nanorc 2>&1 | grep -c 'No such'").split() == (
        ["first", "gone", "kept", "removed", "bob", "/home:", "ada", "bob", "/srv/a:", "x", "1"]
    )
    assert house.say(vmid, "systemctl is-system-running --wait") == "running"


def test_rollback_keeps_machine_id_and_host_key_so_that_pinned_keys_stay_true(house, vmid):
    house.up(vmid)
    before = house.host_key(vmid), house.say(vmid, "cat /etc/machine-id")
    house.runtime.snapshot(vmid, "ready")
    house.runtime.rollback(vmid, "ready")
    house.start(vmid)
    assert (house.host_key(vmid), house.say(vmid, "cat /etc/machine-id")) == before


def test_a_snapshot_of_a_stopped_guest_can_be_rolled_back_to_again_and_again(house, vmid):
    house.up(vmid)
    house.say(vmid, "echo one > file; sync")
    house.runtime.stop(vmid)
    house.runtime.snapshot(vmid, "off")
    for content in ("two", "three"):
        house.start(vmid)
        assert house.say(vmid, "cat file") == "one"
        house.say(vmid, f"echo {content} > file; sync")
        house.runtime.rollback(vmid, "off")
    house.start(vmid)
    assert house.say(vmid, "cat file") == "one"


def test_snapshots_are_refused_twice_and_unknown_ones_are_named(house, vmid):
    house.runtime.clone(VM, vmid, linked=True)
    house.runtime.snapshot(vmid, "one")
    with pytest.raises(RuntimeFailure, match="'one' already used"):
        house.runtime.snapshot(vmid, "one")
    with pytest.raises(RuntimeFailure, match="'two' does not exist"):
        house.runtime.rollback(vmid, "two")
    house.runtime.delete_snapshot(vmid, "one")
    house.runtime.delete_snapshot(vmid, "one")
    with pytest.raises(RuntimeFailure, match="'one' does not exist"):
        house.runtime.rollback(vmid, "one")


def test_a_running_guest_answers_again_after_its_snapshot_and_the_copy_is_whole(house, vmid):
    house.up(vmid)
    house.say(vmid, "head -c 50M /dev/urandom > big; sha256sum big > sum; sync")
    house.runtime.snapshot(vmid, "big")
    house.say(vmid, "echo spoilt > big")
    house.runtime.rollback(vmid, "big")
    house.start(vmid)
    assert house.say(vmid, "sha256sum -c sum") == "big: OK"


@pytest.mark.parametrize("linked", [True, False])
def test_a_clone_of_a_configured_guest_has_its_content_but_not_its_identity(house, vmid, linked):
    house.up(vmid)
    house.say(vmid, "sudo useradd -m bob; echo flag | sudo tee /srv/flag; sync")
    key, machine = house.host_key(vmid), house.say(vmid, "cat /etc/machine-id")
    with pytest.raises(RuntimeFailure, match="is running"):
        house.runtime.clone(vmid, vmid + 1, linked=linked)
    house.runtime.stop(vmid)
    house.runtime.freeze_template(vmid)
    house.runtime.clone(vmid, vmid + 1, linked=linked)
    house.start(vmid + 1, instance="another")
    assert house.say(vmid + 1, "cat /srv/flag; id -un bob; hostname").split() == ["flag", "bob", f"guest{vmid + 1}"]
    assert house.host_key(vmid + 1) != key
    assert house.say(vmid + 1, "cat /etc/machine-id") != machine
    assert house.runtime.bases().get(vmid + 1) == (vmid if linked else None)


def test_clones_of_clones_stand_on_one_another_and_outlive_what_they_stand_on(house, vmid):
    source = VM
    for depth in range(12):
        house.runtime.clone(source, vmid + depth, linked=True)
        disk = house.runtime.disks.read(f"{house.name}-{vmid + depth}")
        (house.home / disk.upper / f"layer{depth}").write_text("here")
        house.runtime.freeze_template(vmid + depth)
        source = vmid + depth
    top = vmid + 20
    house.runtime.clone(source, top, linked=True)
    for depth in range(12):
        house.runtime.destroy(vmid + depth)
    house.start(top)
    assert house.say(top, "ls / | grep -c layer") == "12"


def test_what_a_source_writes_after_cloning_is_not_in_the_clone(house, vmid):
    house.up(vmid)
    house.say(vmid, "touch before; sync")
    house.runtime.stop(vmid)
    house.runtime.clone(vmid, vmid + 1, linked=True)
    house.start(vmid)
    house.say(vmid, "touch after; rm before; sync")
    house.start(vmid + 1, instance="another")
    assert house.say(vmid + 1, "ls") == "before"


SLOW_COPY = """#!/bin/sh
for target; do :; done
echo $$ > "$0.pid"
mkdir "$target" && touch "$target/file0"
while [ ! -e "$0.go-on" ]; do sleep 0.02; done
exec /bin/cp "$@"
"""
"""A `cp` that has begun, and goes on when it is told to."""


def is_script(command):
    """Whether the process is not yet the real `cp`, which a node back again ends as its own: a script it could not know."""
    try:
        return command.read_bytes().startswith(b"/bin/sh\0")
    except OSError:  # over already
        return False


def test_a_full_clone_killed_in_the_middle_leaves_nothing_once_the_node_is_back(house, vmid, tmp_path):
    house.runtime.clone(VM, vmid, linked=True)
    disk = house.runtime.disks.read(f"{house.name}-{vmid}")
    for number in range(3000):
        (house.home / disk.upper / f"file{number}").write_text("x" * 5000)
    before = layers(house)
    copy = tmp_path / "cp"
    copy.write_text(SLOW_COPY)
    copy.chmod(0o755)
    script = (
        "import os; from pathlib import Path; from labctl.sandbox.guests import lxc\n"
        f"os.environ['PATH'] = {str(tmp_path)!r} + ':' + os.environ['PATH']\n"
        f"runtime = lxc.LxcRuntime(Path({str(house.home)!r}), {house.name!r}, Path({str(CACHE)!r}), None)\n"
        f"print('go', flush=True); runtime.clone({vmid}, {vmid + 1}, linked=False); print('done')\n"
    )
    house.runtime.close()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as clone:
        assert clone.stdout.readline() == "go\n"
        deadline = time.monotonic() + 60
        while layers(house) == before and clone.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        clone.kill()  # not its `cp`, which writes on
        assert "done" not in clone.stdout.read()
    assert layers(house) > before
    copy.with_name("cp.go-on").touch()
    command = Path("/proc", copy.with_name("cp.pid").read_text().strip(), "cmdline")
    while is_script(command):
        time.sleep(0.01)
    again = house.reopened()
    assert layers(house) == before
    again.destroy(vmid + 1)
    again.clone(vmid, vmid + 1, linked=False)
    assert len(list((house.home / again.disks.read(f"{house.name}-{vmid + 1}").upper).iterdir())) == 3000


def test_a_truth_half_written_by_a_killed_node_is_not_believed(house, vmid):
    house.runtime.clone(VM, vmid, linked=True)
    folder = house.home / "guests" / f"{house.name}-{vmid}"
    (folder / "disk.json.new").write_text('{"upper": "lay')
    assert vmid in house.reopened().bases()
    halfway = house.home / "guests" / f"{house.name}-{vmid + 1}"
    halfway.mkdir()
    assert vmid + 1 not in house.reopened().bases()
    house.runtime.clone(VM, vmid + 1, linked=True)
    assert json.loads((halfway / "disk.json").read_text())["base"] == VM


def test_somebody_who_only_looks_does_not_take_what_a_working_node_is_making_for_rubbish(house, vmid):
    look = (
        "from pathlib import Path; from labctl.sandbox.guests import lxc\n"
        f"print(len(lxc.LxcRuntime(Path({str(house.home)!r}), {house.name!r}, Path({str(CACHE)!r}), None).disks.guests()))\n"
    )
    with house.runtime.disks.new_layer() as layer:
        assert int(subprocess.run([sys.executable, "-c", look], check=True, capture_output=True).stdout) >= 2
        assert (house.home / layer).is_dir()
        house.runtime.close()  # the control: nobody works here any more
        subprocess.run([sys.executable, "-c", look], check=True, capture_output=True)
        assert not (house.home / layer).exists()
