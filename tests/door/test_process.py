"""The door as it runs: a process that gives up everything it does not need before it lets anybody in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.door.conftest import wait_for
from tests.drivers import sshd_here

PROGRAM = """
import asyncio, logging, sys
from pathlib import Path
from labctl.door import __main__ as door
logging.basicConfig(level=logging.INFO)
home, port, api, guest_port = sys.argv[1:]
asyncio.run(door.serve(Path(home), "127.0.0.1", int(port), api, "nobody", guest_port=int(guest_port)))
"""


@pytest.fixture
def process(own_doorway):
    if os.geteuid() != 0:
        pytest.skip("only root can become another account")
    port = sshd_here.free_port()
    log = (own_doorway.folder / "door.log").open("w")
    words = [str(own_doorway.folder / "door"), str(port), own_doorway.api.url, str(own_doorway.sshd.port)]
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stderr=log, cwd=Path(__file__).resolve().parents[2])
    own_doorway.door.port = port
    try:
        wait_for(lambda: "is open" in (own_doorway.folder / "door.log").read_text() or child.poll() is not None)
        yield child
    finally:
        child.terminate()
        ended = child.wait(60)
    assert ended == 0
    print((own_doorway.folder / "door.log").read_text())


def test_it_is_nobody_without_groups_and_cannot_become_anybody(process):
    facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":\t" in line)
    assert set(facts["Uid"].split()) == {"65534"}
    assert facts["Groups"].strip() == ""
    assert facts["NoNewPrivs"] == "1"
    assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0


def test_learners_come_in_by_certificate_and_by_code(process, own_doorway):
    assert own_doorway.ssh("box", "id -un").stdout == "learner\n"
    done = own_doorway.relay("127.0.0.1", "id -un; exit 3", code=own_doorway.code())
    assert (done.stdout, done.returncode) == ("learner\n", 3), (done.stderr, (own_doorway.folder / "door.log").read_text())
