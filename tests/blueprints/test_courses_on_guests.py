"""Both courses for real: configured twice, proven, spoilt, and looked at from where nobody should see anything."""

from __future__ import annotations

import os
import socket
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from labctl import errors
from labctl.drivers import ansible, ssh, ssh_ca
from tests.blueprints import courses
from tests.drivers import guests_here

pytestmark = pytest.mark.guests


class Rehearsal:
    """One learner's course on real guests."""

    def __init__(self, guests, name, plot):
        self.guests, self.folder = guests, courses.FOLDER / name
        self.plan = courses.plan(name, guests.site, plot, plot)
        self.prober = ssh.Prober(guests.site, guests.authority, patience=60, insist=3)
        self.machines = self.prober.enrol(self.plan, guests.build(self.plan), print)

    def configure(self):
        told = []
        work = self.guests.folder / "ansible"
        ansible.Configurator(self.guests.site, self.guests.authority, work).configure(self.plan, self.machines, self.folder, told.append)
        assert list(work.iterdir()) == []
        return told

    def prove(self):
        told = []
        self.prober.prove(self.plan, self.machines, self.folder, told.append)
        return told

    def on(self, name, command):
        machine = next(one for one in self.machines if one.name == name)
        with ssh.enter(self.guests.authority, self.plan, machine) as connection:
            outcome = connection.root(command + "\n", timeout=30)
        assert outcome.exit == 0, outcome
        return outcome.stdout


@pytest.fixture(scope="module")
def guests():
    made = guests_here.GuestsHere(f"c{os.getpid() % 1_000_000}")
    yield made
    made.close()


@pytest.fixture(scope="module")
def steps(guests):
    made = Rehearsal(guests, "linux-first-steps", 8)
    made.configure()
    return made


@pytest.fixture(scope="module")
def shop(guests):
    made = Rehearsal(guests, "web-attack-basics", 9)
    made.configure()
    return made


def test_first_steps_are_proven_and_stay_so_when_configured_again(steps):
    assert len([line for line in steps.prove() if "passed" in line]) == len(steps.plan.checks)
    files = "find /home/learner/course /etc/systemd/system/heartbeat.service -type f -printf '%p %m %u %T@\\n' | sort"
    before = steps.on("box", files)
    steps.configure()
    after = steps.on("box", files)
    assert after == before
    steps.prove()


def test_a_broken_service_is_not_ready(steps):
    steps.on("box", "systemctl stop heartbeat")
    try:
        with pytest.raises(errors.CheckFailed, match=r"box: check 'script checks/heartbeat.sh' failed: The heartbeat service .*inactive"):
            steps.prove()
    finally:
        steps.on("box", "systemctl start heartbeat")


def test_the_learner_can_do_the_exercises(steps, tmp_path):
    bundle = steps.guests.authority.bundle(steps.plan, steps.machines, datetime.now(UTC) + timedelta(minutes=5))
    config = ssh_ca.write_bundle(bundle, tmp_path / "bundle")
    exercise = "cd course && cat letter.txt && grep -c Anna library/arrivals.csv && ! cat locked.txt 2>/dev/null && sudo cat locked.txt"
    done = subprocess.run(["ssh", "-F", str(config), "box", exercise], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Dear Ada Example" in done.stdout
    assert "\n4\n" in done.stdout
    assert "file of the administrator" in done.stdout


def test_the_web_course_is_proven_and_stays_so_when_configured_again(shop):
    assert len([line for line in shop.prove() if "passed" in line]) == len(shop.plan.checks)
    shop.configure()
    shop.prove()


def test_nobody_but_the_lab_reaches_the_shop(shop):
    target = next(one for one in shop.machines if one.name == "shop")
    with socket.socket() as probe:
        probe.settimeout(2)
        assert probe.connect_ex((target.address, 22)) == 0  # the control: this machine does reach the guest
    with socket.socket() as probe:
        probe.settimeout(2)
        assert probe.connect_ex((target.address, 80)) != 0
    # Not even over the management card with the lab's address: the shop is bound to the lab's card.
    subprocess.run(
        ["ip", "route", "add", "10.10.10.20/32", "via", target.address, "dev", shop.guests.site.management_interface], check=True
    )
    try:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex(("10.10.10.20", 80)) != 0
    finally:
        subprocess.run(["ip", "route", "del", "10.10.10.20/32"], check=True)


def test_a_learner_may_not_enter_the_target(shop):
    bundle = shop.guests.authority.bundle(shop.plan, shop.machines, datetime.now(UTC) + timedelta(minutes=5))
    assert bundle.hosts == ("attacker",)
    assert shop.on("shop", "runuser -l learner -c 'sudo -n true' 2>/dev/null || echo refused") == "refused\n"


def test_the_wrong_flag_or_a_shop_that_listens_everywhere_is_not_ready(shop):
    flag = shop.on("shop", "cat /srv/shop/flag")
    shop.on("shop", "cp -a /srv/shop/flag /root/flag && echo SHOP{another} > /srv/shop/flag")
    try:
        with pytest.raises(errors.CheckFailed) as caught:
            shop.prove()
        assert flag.strip() not in caught.value.message
    finally:
        shop.on("shop", "cp -a /root/flag /srv/shop/flag")
    shop.on("shop", "systemd-run --quiet --unit=everywhere python3 -m http.server --bind $(hostname -I | tr ' ' '\\n' | grep '^100') 80")
    try:
        with pytest.raises(errors.CheckFailed, match="closed-on-management"):
            shop.prove()
    finally:
        shop.on("shop", "systemctl stop everywhere")
    shop.prove()


def test_the_flags_of_two_learners_differ(shop):
    other = courses.plan("web-attack-basics", shop.guests.site, 10, 10)
    assert other.variables[0].value != shop.plan.variables[0].value
