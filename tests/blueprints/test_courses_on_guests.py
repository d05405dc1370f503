"""Both courses for real: configured twice, proven, spoilt, and looked at from where nobody should see anything."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from labctl import errors
from labctl.drivers import ansible, ssh, ssh_ca, ssh_examiner
from labctl.model.plan import PlannedCheck
from labctl.model.tasks import Outcome
from tests.blueprints import courses
from tests.drivers import guests_here

pytestmark = pytest.mark.guests


class Rehearsal:
    """One learner's course on real guests."""

    def __init__(self, guests, name, plot):
        self.guests, self.folder = guests, courses.FOLDER / name
        self.plan = courses.plan(name, guests.site, plot, plot)
        self.prober = ssh.Prober(guests.site, guests.authority, patience=180, insist=60)
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
            outcome = connection.root(command + "\n", timeout=180)
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
    done = subprocess.run(["ssh", "-F", str(config), "box", exercise], capture_output=True, text=True, check=False, timeout=180)
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
        probe.settimeout(60)
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
        shop.on("shop", "until ss -Hltn 'sport = :80' | grep -q ' 100[.]'; do sleep 0.1; done")
        with pytest.raises(errors.CheckFailed, match="closed-on-management"):
            shop.prove()
    finally:
        shop.on("shop", "systemctl stop everywhere")
    shop.prove()


def test_the_flags_of_two_learners_differ(shop):
    other = courses.plan("web-attack-basics", shop.guests.site, 10, 10)
    assert other.variables[0].value != shop.plan.variables[0].value


PROVEN = [(name, task.id) for name in courses.NAMES for task in courses.read(name).blueprint.tasks if task.checks]


@pytest.mark.parametrize(("name", "task"), PROVEN, ids=[" ".join(pair) for pair in PROVEN])
def test_a_check_is_red_before_the_task_is_solved_and_green_after(request, name, task):
    course = request.getfixturevalue({"linux-first-steps": "steps", "web-attack-basics": "shop"}[name])
    examiner = ssh_examiner.Examiner(course.guests.authority, patience=60)
    planned = {one.id: one for one in course.plan.tasks}
    asked = (course.plan, course.machines, course.folder)
    for required in planned[task].requires:
        examiner.act(*asked, planned[required].solve)
    examiner.act(*asked, planned[task].setup)
    red = examiner.examine(*asked, planned[task])
    assert red.outcome is Outcome.FAILED
    assert red.message
    secrets = [str(variable.value) for variable in course.plan.variables if not variable.shown]
    assert not any(value in red.message + red.detail for value in secrets)
    examiner.act(*asked, planned[task].solve)
    assert examiner.examine(*asked, planned[task]) == type(red)(Outcome.PASSED)


def test_a_secret_that_a_check_does_not_name_is_not_in_the_learners_reach(shop):
    examiner = ssh_examiner.Examiner(shop.guests.authority, patience=60)
    told = shop.plan.tasks[0].model_copy(
        update={"proof": "checks", "checks": (PlannedCheck(kind="run", what="env | grep -c '^LAB_'; false", machine="attacker", as_user="learner"),)}
    )
    exam = examiner.examine(shop.plan, shop.machines, shop.folder, told)
    assert exam.detail.endswith("it printed: 2"), exam  # the seat's login and number


def test_a_machine_that_does_not_answer_is_nobodys_failure(steps):
    away = [replace(machine, address="100.126.255.254") for machine in steps.machines]
    examiner = ssh_examiner.Examiner(steps.guests.authority, patience=0.3)
    task = next(task for task in steps.plan.tasks if task.checks)
    assert examiner.examine(steps.plan, away, steps.folder, task).outcome is Outcome.UNKNOWN


def test_a_file_of_the_guide_is_the_learners_own_and_is_refused_where_they_may_not_write(steps):
    examiner = ssh_examiner.Examiner(steps.guests.authority, patience=60)
    (box,) = steps.machines
    for path in ("work/new file.txt", "/home/learner/work/$(id).txt"):
        examiner.write(steps.plan, box, path, "hello\nthere\n")
    assert steps.on("box", "cd /home/learner/work && stat -c '%U %n' * && cat 'new file.txt'") == (
        "learner $(id).txt\nlearner new file.txt\nhello\nthere\n"
    )
    with pytest.raises(errors.BadInput, match="cannot be written as learner"):
        examiner.write(steps.plan, box, "/etc/motd", "mine")
