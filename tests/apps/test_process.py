"""The proxy as it runs: a process that gives up everything it does not need before it lets anybody in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labctl import ports
from tests.drivers import sshd_here
from tests.world_here import wait_for

PROGRAM = """
import asyncio, logging, sys
from pathlib import Path
from labctl.apps import __main__ as apps, proxy
logging.basicConfig(level=logging.INFO)
home, port, api, site, guest_port = sys.argv[1:]
place = proxy.Place(site, (api,))
asyncio.run(apps.serve(Path(home), "127.0.0.1", int(port), api, place, "nobody", guest_port=int(guest_port)))
"""


@pytest.fixture
def process(own_world):
    if os.geteuid() != 0:
        pytest.skip("only root can become another account")
    home, log = own_world.folder / "apps", own_world.folder / "apps.log"
    home.mkdir()
    (home / "token").write_text(own_world.wiring.tokens.create(ports.Token("process", "apps")))
    (home / "host_ca.pub").write_text(own_world.authority.host_authority())
    own_world.port = sshd_here.free_port()
    words = [str(home), str(own_world.port), own_world.api.url, own_world.site, str(own_world.guest_port)]
    with log.open("w") as file:
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stderr=file, cwd=Path(__file__).resolve().parents[2])
    wait_for(lambda: "are open" in log.read_text())
    yield child
    child.terminate()
    assert child.wait(60) == 0
    assert "Traceback" not in log.read_text(), log.read_text()


def test_it_is_nobody_without_rights_and_shows_apps_all_the_same(process, own_world):
    facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if ":\t" in line)
    assert set(facts["Uid"].split()) == {"65534"}
    assert facts["Groups"].strip() == ""
    assert facts["NoNewPrivs"] == "1"
    assert int(facts["CapEff"], 16) == int(facts["CapPrm"], 16) == 0
    assert own_world.get("/start", cookie=own_world.cookie()).status == 200
    assert own_world.get("/", host=own_world.host(app="quiet"), cookie=own_world.cookie(app="quiet")).status == 502


def test_neither_tickets_nor_cookies_stand_in_its_log(process, own_world):
    address = own_world.ticket()
    own_world.show(address)
    own_world.show(address)
    cookie = own_world.cookie()
    own_world.get("/start?private=1", cookie=cookie)
    said = (own_world.folder / "apps.log").read_text()
    assert address.partition("t=")[2] not in said
    assert cookie not in said
    assert "private" not in said
