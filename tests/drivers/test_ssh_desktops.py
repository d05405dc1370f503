"""A desktop is proven by a picture, through a real sshd from a real VNC server."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from labctl import errors
from labctl.drivers import ssh_ca, ssh_desktops
from tests import desktop_here
from tests.drivers import guests_here, sshd_here

pytestmark = pytest.mark.skipif(bool(desktop_here.MISSING), reason=desktop_here.REASON)


class Place:
    def __init__(self, folder):
        self.authority = ssh_ca.Authority(folder / "secrets")
        site = guests_here.site()
        self.plan = guests_here.plan(site, 5, [guests_here.machine(site, 5, 1, "box", login="learner")])
        nic = self.plan.machines[0].nics[0].model_copy(update={"address": "127.0.0.1/32"})
        box = self.plan.machines[0].model_copy(update={"nics": (nic,)})
        self.plan = self.plan.model_copy(update={"machines": (box,)})
        (folder / "desktops").mkdir()
        self.desktops = folder / "desktops"
        self.sshd = sshd_here.SshdHere(folder / "box", self.authority, plan=self.plan, desktops=self.desktops)

    def prove(self, seconds=60.0):
        ssh_desktops.prove(self.plan, self.plan.machines[0], self.sshd.machine, self.authority, port=self.sshd.port, seconds=seconds)


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp(prefix="labctl-desktop-", dir="/var/tmp"))
    folder.chmod(0o755)
    made = Place(folder)
    yield made
    made.sshd.close()
    shutil.rmtree(folder)


def test_a_picture_is_the_proof(place):
    desktop = desktop_here.Desktop(place.desktops)
    place.prove()
    desktop.close()


def test_a_machine_without_a_desktop_is_not_ready_and_says_what_gives_it_one(place):
    with pytest.raises(errors.CheckFailed, match="no desktop that answers") as refused:
        place.prove(seconds=1)
    assert "role `desktop`" in refused.value.hint


def test_a_screen_of_one_colour_is_no_picture(place):
    desktop = desktop_here.Desktop(place.desktops, windows=False)
    with pytest.raises(errors.CheckFailed, match="one colour"):
        place.prove(seconds=6)
    desktop.close()


@pytest.mark.parametrize("says", [b"", b"SSH-2.0-x\r\n", b"RFB 003.003\n" + bytes(99), b"RFB 003.008\n\x01\x05" + bytes(99)])
def test_what_is_no_desktop_is_refused(place, says):
    socket = place.desktops / "learner" / "rfb"
    socket.parent.mkdir()
    program = (
        f"import os, socket; s = socket.socket(socket.AF_UNIX); s.bind({str(socket)!r}); os.chmod({str(socket)!r}, 0o666); s.listen()\n"
    )
    program += f"while True:\n    c, _ = s.accept(); c.sendall({says!r}); c.recv(99); c.close()\n"
    with subprocess.Popen(["python3", "-c", program]) as liar:
        desktop_here.until(socket.exists)
        with pytest.raises(errors.CheckFailed):
            place.prove(seconds=0.5)
        liar.kill()
