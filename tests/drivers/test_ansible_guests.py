"""A plan's steps on real guests, and what happens when they go wrong or their process is killed."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labctl import errors
from labctl.drivers import ansible, ssh, ssh_connection, ssh_kept
from labctl.model.plan import PlannedStep

pytestmark = pytest.mark.guests

PLAYS = {
    "box.yml": """
- hosts: box
  gather_facts: false
  tasks:
    - name: Write down what this play sees
      ansible.builtin.copy:
        dest: /srv/seen
        content: "{{ lab_machine }} {{ lab_networks.lan.address }} {{ hidden_word | default('nothing') }}"
""",
    "fails.yml": """
- hosts: box
  gather_facts: false
  tasks:
    - name: Say no
      ansible.builtin.command: sh -c "echo broken by FLAG{Xy7Kq2} >&2; exit 3"
- hosts: shop
  gather_facts: false
  tasks:
    - name: Never come here
      ansible.builtin.file: {path: /srv/never, state: touch}
""",
    "rescued.yml": """
- hosts: box
  gather_facts: false
  tasks:
    - block:
        - name: Fail a little
          ansible.builtin.command: "false"
      rescue:
        - name: Mend it
          ansible.builtin.file: {path: /srv/mended, state: touch}
""",
    "loop.yml": """
- hosts: box
  gather_facts: false
  tasks:
    - name: Try three
      ansible.builtin.command: sh -c "test {{ item }} != 2 || (echo the second one is bad >&2; exit 1)"
      loop: [1, 2, 3]
""",
    "quiet.yml": """
- hosts: box
  gather_facts: false
  tasks:
    - name: Keep it to yourself
      ansible.builtin.command: sh -c "echo a secret; exit 1"
      no_log: true
""",
    "sleeps.yml": """
- hosts: box
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.command: sleep 300
""",
    "roams.yml": """
- hosts: all
  gather_facts: false
  tasks:
    - name: Leave a trace
      ansible.builtin.file: {path: /srv/trace, state: touch}
""",
    "broken.yml": "- hosts: box\n  tasks:\n    - no_such_module_at_all: {}\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("blueprint")
    (made / "plays").mkdir()
    for name, text in PLAYS.items():
        (made / "plays" / name).write_text(text)
    (made / "scripts").mkdir()
    (made / "scripts" / "good.sh").write_text('#!/bin/sh\necho "$LAB_WORD $1" > /srv/script\n')
    (made / "scripts" / "bad.sh").write_text("#!/bin/sh\necho all is lost >&2\nexit 9\n")
    return made


@pytest.fixture
def work(tmp_path):
    """Long, so that every test also shows that a home may have a long name."""
    return tmp_path / "a-home-with-a-name-that-is-longer-than-most-homes-have" / "work"


def step(kind, what, hosts=("box",), **more):
    return PlannedStep(kind=kind, what=what, hosts=tuple(hosts), **({"title": f"Do {what}"} | more))


def configure(lab, folder, work, *steps, machines=None, packages=()):
    told = []
    configurator = ansible.Configurator(lab.guests.site, lab.authority, work, packages_hosts=packages)
    try:
        configurator.configure(lab.with_(steps=steps), machines or lab.machines, folder, told.append)
    finally:
        assert not work.exists() or list(work.iterdir()) == []  # secrets of a run do not outlive it
    return told


def test_steps_run_in_order_with_what_they_may_see(lab, folder, work):
    told = configure(
        lab,
        folder,
        work,
        step("playbook", "plays/box.yml", vars={"hidden_word": "harbour"}),
        step("script", "scripts/good.sh", vars={"word": "two words"}),
        step("write", "/srv/deep/er/flag", ["box", "shop"], content="FLAG{Xy7Kq2}", owner="learner", mode="0640"),
        step("playbook", "plays/box.yml"),
    )
    assert lab.on("box", "cat /srv/seen") == "box 10.10.10.5 nothing"
    assert lab.on("box", "cat /srv/script") == "two words \n"
    for name in ("box", "shop"):
        assert lab.on(name, "cat /srv/deep/er/flag; stat -c ' %a %U %G' /srv/deep/er/flag") == "FLAG{Xy7Kq2} 640 learner learner\n"
    assert told[0] == "step 1: Do plays/box.yml"
    assert told[1].startswith("box: Write down what this play sees (")
    assert "shop: Do /srv/deep/er/flag (step 3)" in told
    assert not any("FLAG{" in line for line in told)


def test_a_plan_of_small_writes_starts_no_ansible(lab, folder, tmp_path):
    nowhere = tmp_path / "file"
    nowhere.write_text("so no folder can be made here")
    configurator = ansible.Configurator(lab.guests.site, lab.authority, nowhere)
    configurator.configure(lab.with_(steps=[step("write", "/srv/small", content="x")]), lab.machines, folder, print)
    assert lab.on("box", "cat /srv/small") == "x"


def test_a_failed_task_is_host_task_and_message_and_stops_the_rest(lab, folder, work):
    with pytest.raises(errors.PlayFailed) as caught:
        configure(lab, folder, work, step("playbook", "plays/fails.yml", ["box", "shop"]), step("write", "/srv/never", content=""))
    assert caught.value.message == "box: task 'Say no': non-zero return code / broken by ***"
    for name in ("box", "shop"):
        assert lab.on(name, "ls /srv/never 2>/dev/null || echo never") == "never\n"


def test_the_item_that_failed_is_named(lab, folder, work):
    with pytest.raises(errors.PlayFailed, match=r"task 'Try three': .*the second one is bad"):
        configure(lab, folder, work, step("playbook", "plays/loop.yml"))


def test_what_a_task_hides_stays_hidden(lab, folder, work):
    with pytest.raises(errors.PlayFailed, match="Keep it to yourself") as caught:
        configure(lab, folder, work, step("playbook", "plays/quiet.yml"))
    assert "a secret" not in caught.value.message


def test_a_failure_the_play_rescues_is_none(lab, folder, work):
    configure(lab, folder, work, step("playbook", "plays/rescued.yml"))
    assert lab.on("box", "ls /srv/mended") == "/srv/mended\n"


def test_hosts_are_a_limit(lab, folder, work):
    configure(lab, folder, work, step("playbook", "plays/roams.yml", ["shop"]))
    assert lab.on("shop", "ls /srv/trace") == "/srv/trace\n"
    assert lab.on("box", "ls /srv/trace 2>/dev/null || echo none") == "none\n"


def test_a_step_that_takes_too_long_is_ended(lab, folder, work):
    with pytest.raises(errors.PlayFailed, match=r"step 1 \(Do plays/sleeps.yml\) took longer than its timeout"):
        configure(lab, folder, work, step("playbook", "plays/sleeps.yml", timeout=4))
    assert wait_for(lambda: running(work) == []), running(work)


@pytest.mark.parametrize(("what", "says"), [("plays/broken.yml", "no_such_module_at_all"), ("no-role", "no-role")])
def test_what_ansible_cannot_read_is_told_in_its_words(lab, folder, work, what, says):
    kind = "role" if what == "no-role" else "playbook"
    with pytest.raises(errors.PlayFailed, match=says):
        configure(lab, folder, work, step(kind, what))


def test_a_failing_script_is_told_with_its_last_words(lab, folder, work):
    with pytest.raises(errors.PlayFailed, match=r"box: script scripts/bad.sh failed \(exit 9\): all is lost"):
        configure(lab, folder, work, step("script", "scripts/bad.sh"))


def test_a_write_for_an_unknown_owner_leaves_nothing_half_made(lab, folder, work):
    with pytest.raises(errors.PlayFailed, match="writing /srv/nobody failed"):
        configure(lab, folder, work, step("write", "/srv/nobody", content="x", owner="no-such-user"))
    assert lab.on("box", "ls /srv | grep nobody || echo none") == "none\n"


def test_packages_come_through_our_own_connection_and_no_other_way(lab, folder, work):
    mirrors = ["deb.debian.org:80", "security.debian.org:80"]
    assert "unreachable" in lab.on("box", "ping -c1 -W1 203.0.113.80 2>&1 || true").lower()
    configure(lab, folder, work, step("packages", "", packages=("tree",)), packages=mirrors)
    assert lab.on("box", "command -v tree") == "/usr/bin/tree\n"
    assert lab.on("box", "ls /etc/apt/apt.conf.d | grep labctl || echo none; ss -Hltn 'sport = :3142' | wc -l") == "none\n0\n"


def test_a_script_has_the_way_to_packages_too(lab, folder, work):
    (folder / "scripts" / "packages.sh").write_text(
        "#!/bin/sh\nset -e\napt-get -qq update\napt-get -qq install -y hello >/dev/null\necho installed by $LAB_WORD >&2\nexit $LAB_EXIT\n"
    )
    (folder / "scripts" / "packages.sh").chmod(0o755)
    mirrors = ["deb.debian.org:80", "security.debian.org:80"]
    told = configure(lab, folder, work, step("script", "scripts/packages.sh", vars={"word": "us", "exit": 0}), packages=mirrors)
    assert told == ["box: Do scripts/packages.sh (step 1)"]
    assert lab.on("box", "hello -g here; ls /etc/apt/apt.conf.d | grep labctl || echo none") == "here\nnone\n"
    with pytest.raises(errors.PlayFailed, match=r"script scripts/packages.sh failed \(exit 4\): installed by us"):
        configure(lab, folder, work, step("script", "scripts/packages.sh", vars={"word": "us", "exit": 4}), packages=mirrors)


def test_what_is_not_on_the_list_stays_closed(lab, folder, work):
    (folder / "scripts" / "roam.sh").write_text(
        "#!/bin/sh\ncurl -sS -m 10 --socks5-hostname 127.0.0.1:3142 http://deb.debian.org/debian/\n"
    )
    with pytest.raises(errors.PlayFailed, match=r"script scripts/roam\.sh failed"):
        configure(lab, folder, work, step("script", "scripts/roam.sh"), packages=["only.example.org:80"])


def test_a_connection_that_ended_meanwhile_is_opened_anew(lab):
    kept, machine, environment = ssh_kept.Kept(), lab.machines[0], lab.plan.environment

    def root(script: str) -> ssh_connection.Outcome:
        return kept.root(environment, machine, functools.partial(ssh.enter, lab.authority, lab.plan), script, timeout=60)

    try:
        assert root("true\n").exit == 0
        with pytest.raises(errors.Unreachable):
            root("pkill -9 -u labctl sshd; sleep 60\n")
        assert root("echo again\n").stdout == "again\n"
    finally:
        kept.leave(environment)


def logins(lab) -> int:
    """Logins on all machines so far. Counting is itself one on each."""
    counted = "journalctl --sync; journalctl -t sshd --no-pager | grep -c 'Accepted publickey'"
    return sum(int(lab.on(machine.name, counted)) for machine in lab.machines)


def test_the_proof_goes_on_over_the_connections_of_first_contact(lab, work):
    kept = ssh_kept.Kept()
    prober = ssh.Prober(lab.guests.site, lab.authority, kept=kept)
    configurator = ansible.Configurator(lab.guests.site, lab.authority, work, kept=kept)
    plan, both = lab.with_(steps=(step("write", "/etc/kept", content="x\n"),)), len(lab.machines)
    before = logins(lab)
    machines = prober.enrol(plan, lab.machines, print)
    configurator.configure(plan, machines, work, print)
    prober.prove(plan, machines, work, print)
    learners = sum("terminal" in machine.access for machine in plan.machines)
    assert logins(lab) == before + both + both + learners  # the count's own, first contact's, the learner's
    prober.prove(plan, machines, work, print)  # nothing was left open
    assert logins(lab) == before + both + both + learners + both + both + learners


def running(work: Path) -> list[str]:
    """Command lines of processes that belong to runs in `work`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace") if entry.name.isdigit() else ""
        except OSError:
            continue
        if str(work) in line and int(entry.name) != os.getpid():
            found.append(line)
    return found


WORKER = """
import json, sys
from pathlib import Path
from labctl.drivers import ansible, ssh_ca
from labctl.model.environment import Machine
from labctl.model.plan import Plan
from labctl.model.site import Site
job = json.loads(Path(sys.argv[1]).read_text())
configurator = ansible.Configurator(Site(**job["site"]), ssh_ca.Authority(Path(job["secrets"])), Path(job["work"]))
machines = [Machine(**machine) for machine in job["machines"]]
configurator.configure(Plan(**job["plan"]), machines, Path(job["folder"]), lambda line: print(line, flush=True))
"""


@pytest.fixture
def worker(lab, folder, work, tmp_path):
    """A process of its own that configures a play which sleeps; the test may kill it."""
    lab.on("box", "pkill -x sleep || true")  # one test's sleep may not stand for another's
    plan = lab.with_(steps=[step("playbook", "plays/sleeps.yml", vars={"hidden_word": "in-no-process-list"})])
    job = {
        "site": json.loads(lab.guests.site.model_dump_json()),
        "secrets": str(lab.guests.folder / "secrets"),
        "work": str(work),
        "folder": str(folder),
        "plan": json.loads(plan.model_dump_json()),
        "machines": [vars(machine) for machine in lab.machines],
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path / "job.json")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def wait_for(condition, seconds=60.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def sleeping(lab):
    return lab.on("box", "pgrep -xfc 'sleep 300' || true").strip() != "0"


def test_a_killed_worker_leaves_no_ansible_and_no_secret_is_in_a_process_list(worker, lab, work):
    assert wait_for(lambda: sleeping(lab))
    lines = running(work)
    assert any("ansible-playbook" in line for line in lines)
    assert any(line.startswith("ssh") for line in lines)
    assert not any("in-no-process-list" in line for line in lines)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert wait_for(lambda: running(work) == []), running(work)


def test_a_killed_ansible_is_temporary_and_leaves_nothing(worker, lab, work):
    assert wait_for(lambda: sleeping(lab))
    found = subprocess.run(["pgrep", "-f", f"ansible_process {work}/"], capture_output=True, text=True, check=True).stdout
    os.kill(int(found.split()[-1]), signal.SIGKILL)
    said = worker.stdout.read()
    worker.wait()
    assert "TemporaryError: Ansible ended before its work was done" in said
    assert wait_for(lambda: running(work) == []), running(work)
    assert list(work.iterdir()) == []


def _plays(words, work):
    line = " ".join(words or [])
    return str(work) in line and "ansible-playbook" in line


@pytest.mark.parametrize("victim", ["fork", "playbook"])
def test_a_killed_part_of_ansible_is_temporary_too(worker, lab, work, victim):
    assert wait_for(lambda: sleeping(lab))
    plays = [one for one in psutil.process_iter(["cmdline", "ppid"]) if _plays(one.info["cmdline"], work)]
    parents = {one.info["ppid"] for one in plays}
    # The one that waits for the guest: a child of ansible-playbook itself, and nobody's parent.
    fork = next(one for one in plays if one.info["ppid"] in {other.pid for other in plays} and one.pid not in parents)
    playbook = next(one for one in plays if one.pid == fork.info["ppid"])
    (fork if victim == "fork" else playbook).kill()
    said = worker.stdout.read()
    worker.wait()
    assert "TemporaryError: Ansible ended before its work was done" in said
    assert wait_for(lambda: running(work) == []), running(work)


def test_an_interrupt_ends_ansible_too(lab, folder, work):
    class Stop(Exception):
        pass

    def progress(line):
        if line.startswith("step 1"):
            raise Stop

    configurator = ansible.Configurator(lab.guests.site, lab.authority, work)
    with pytest.raises(Stop):
        configurator.configure(lab.with_(steps=[step("playbook", "plays/sleeps.yml")]), lab.machines, folder, progress)
    assert wait_for(lambda: running(work) == []), running(work)
    assert list(work.iterdir()) == []


def test_a_machine_that_went_away_is_unreachable(guests, lab, folder, work):
    guests.runtime.stop(lab.machines[1].vmid)
    try:
        with pytest.raises(errors.Unreachable, match="shop"):
            configure(lab, folder, work, step("playbook", "plays/roams.yml", ["shop"]))
    finally:
        guests.start(lab.plan, lab.plan.machine("shop"))
