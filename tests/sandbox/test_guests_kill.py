"""A node killed at any moment of a guest's life: what a new one finds can always be used or taken away, and nothing stays."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from labctl.sandbox.guests import inventory
from tests.sandbox.guest_house import CACHE, VM, House

pytestmark = pytest.mark.guests

LIFE = """
import sys
from pathlib import Path
from labctl.sandbox.guests import lxc
from labctl.sandbox.guests.runtime import GuestSpec, Identity, NicSpec
runtime = lxc.LxcRuntime(Path({home!r}), {name!r}, Path({cache!r}), None)
def step(word):
    print(word, flush=True)
nic = NicSpec(0, {mac!r}, "labmgmt", {address!r}, isolated=True, learning=False)
spec = GuestSpec({vmid}, 1, 256, (nic,), Identity("one", "short", "ada"))
step("clone"); runtime.clone({source}, {vmid}, linked=True)
step("start"); runtime.start(spec)
step("snapshot"); runtime.snapshot({vmid}, "one")
step("rollback"); runtime.rollback({vmid}, "one")
step("again"); runtime.start(spec)
step("full"); runtime.stop({vmid}); runtime.clone({vmid}, {vmid} + 1, linked=False)
step("destroy"); runtime.destroy({vmid})
import signal
signal.pause()
"""
STEPS = ("clone", "start", "snapshot", "rollback", "again", "full", "destroy")


@pytest.fixture(scope="module")
def house():
    with House("gk") as made:
        yield made


def left(house):
    """What is there apart from the node itself and its templates."""
    own = {f"{house.name}-9000", f"{house.name}-9001"}
    things = [
        thing for thing in inventory.found(house.home, house.name) if not thing.startswith(("folder", "interface", "network namespace"))
    ]
    things += [path.name for path in (house.home / "guests").iterdir() if path.name not in own]
    named = set().union(*(house.runtime.disks.read(guest).layers() for guest in own))
    return things + [path.name for path in (house.home / "layers").iterdir() if f"layers/{path.name}" not in named]


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_the_middle_of_any_step_it_leaves_nothing_that_cannot_be_taken_away(house, step):
    vmid = 101
    script = LIFE.format(
        home=str(house.home),
        name=house.name,
        cache=str(CACHE),
        vmid=vmid,
        mac=house.mac(vmid),
        address=f"{house.address(vmid)}/24",
        source=VM,
    )
    chance = random.Random(step)
    for _ in range(3):
        house.runtime.close()
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as life:
            for line in life.stdout:
                if line.strip() == step:
                    break
            else:
                pytest.fail(f"it ended before {step}")
            time.sleep(chance.uniform(0, 0.05))  # the random moment itself, not a wait for something
            life.kill()
        assert life.returncode == -signal.SIGKILL
        again = house.reopened()
        known = again.running() | set(again.bases())
        assert known <= {vmid, vmid + 1}
        for one in (vmid, vmid + 1):
            again.stop(one)
            again.destroy(one)
        assert left(house) == []
    house.up(vmid)
    assert house.say(vmid, "hostname") == f"guest{vmid}"
    house.runtime.stop(vmid)
    house.runtime.destroy(vmid)
    assert left(house) == []
