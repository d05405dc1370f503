"""First contact and proof on real guests."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from labctl import errors
from labctl.drivers import ssh, ssh_ca, ssh_connection
from labctl.model.plan import PlannedCheck
from tests.drivers import guests_here

pytestmark = pytest.mark.guests


def prove(lab, *checks, machines=None, plan=None):
    lab.prober.prove(plan or lab.with_(checks=checks), machines or lab.machines, lab.guests.folder, lab.told.append)


def check(kind, what, machine="box", **more):
    return PlannedCheck(kind=kind, what=what, machine=machine, **({"timeout": 60} | more))


def test_enrolment_pins_the_hosts_own_key(lab):
    for machine in lab.machines:
        assert lab.on(machine.name, "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub").strip() == machine.host_key
    assert any(line.startswith("box: SSH answers after") for line in lab.told)


def test_enrolment_may_be_repeated_and_changes_nothing(lab):
    def state():
        return lab.on(
            "box", "cat /etc/hosts /etc/ssh/sshd_config.d/10-labctl.conf; systemctl show ssh -p NRestarts; ls -l /home /etc/sudoers.d"
        )

    before = state()
    again = lab.prober.enrol(lab.plan, [replace(machine, host_key="") for machine in lab.machines], lab.told.append)
    assert again == lab.machines
    assert state() == before
    assert lab.on("box", "grep -c 'labctl begin' /etc/hosts") == "1\n"


def test_the_account_is_the_learners_own(lab):
    assert lab.on("box", "runuser -l learner -c 'sudo -n id -u; echo $LANG; pwd'").splitlines()[0] == "0"
    assert lab.on("shop", "runuser -l learner -c 'sudo -n true' 2>/dev/null || echo refused") == "refused\n"
    hashed, other = (lab.on(name, "getent shadow learner | cut -d: -f2").strip() for name in ("box", "shop"))
    assert other == "*"
    proof = f"import crypt; print(crypt.crypt('Correct-Horse7', '{hashed}') == '{hashed}')"
    assert subprocess.run(["python3", "-W", "ignore", "-c", proof], capture_output=True, text=True, check=True).stdout == "True\n"


def test_names_routes_and_forwarding_are_set_and_survive_a_restart(lab):
    assert lab.on("shop", "getent hosts box; getent hosts desk; hostname").split()[0] == "10.10.10.5"
    assert lab.on("box", "hostname; getent hosts shop") == "box\n10.10.10.20     shop\n"
    for _ in range(2):
        assert "via 10.10.10.5" in lab.on("shop", "ip route show 10.55.0.0/16")
        assert lab.on("shop", "sysctl -n net.ipv4.ip_forward") == "1\n"
        assert lab.on("box", "sysctl -n net.ipv4.ip_forward") == "0\n"
        booted = lab.on("shop", "cat /proc/sys/kernel/random/boot_id; systemctl show -p UserspaceTimestampMonotonic")
        restart(lab, "shop")
        assert lab.on("shop", "cat /proc/sys/kernel/random/boot_id; systemctl show -p UserspaceTimestampMonotonic") != booted


def restart(lab, name):
    planned = lab.plan.machine(name)
    lab.guests.runtime.stop(planned.vmid)
    lab.guests.start(lab.plan, planned)


def test_prove_logs_in_as_the_learner_and_runs_every_kind_of_check(lab):
    lab.told.clear()
    prove(
        lab,
        check("run", "id -un; echo $LAB_WORD; test $HOME = /home/learner && shopt -q login_shell", as_user="learner", output="^learner$"),
        check("run", "test $(id -u) = 0 && hostname", output="^box$"),
        check("tcp", "shop:22"),
        check("file", "/etc/ssh/principals/learner", "shop", contains="^seat-one-1$", mode="0644", owner="root"),
    )
    assert "box: learner can log in" in lab.told
    assert sum("passed" in line for line in lab.told) == 4
    assert not any("shop: learner can log in" in line for line in lab.told)


def test_a_failing_check_names_itself_the_machine_and_the_output(lab):
    with pytest.raises(errors.CheckFailed) as caught:
        prove(lab, check("run", "echo no page on $LAB_FLAG; exit 7", "shop", message="The shop is closed.", timeout=6))
    assert caught.value.message.startswith("shop: check 'run echo no page")
    assert "The shop is closed. (exit 7, expected 0; it printed: no page on ***)" in caught.value.message


def test_a_permanent_failure_wins_over_a_machine_that_could_not_be_looked_at(lab):
    with pytest.raises(errors.CheckFailed, match=r"^shop: "):
        prove(lab, check("run", "sleep 20", timeout=1), check("run", "false", "shop", timeout=6))


def test_a_learner_who_cannot_log_in_fails_the_proof(lab):
    lab.on("box", "mv /etc/ssh/principals/learner /root/kept")
    try:
        with pytest.raises(errors.CheckFailed, match="box: the learner cannot log in"):
            prove(lab)
    finally:
        lab.on("box", "mv /root/kept /etc/ssh/principals/learner")
    prove(lab)


def test_a_login_shell_that_ends_at_once_fails_the_proof(lab):
    lab.on("box", "usermod -s /usr/sbin/nologin learner")
    try:
        with pytest.raises(errors.CheckFailed, match="does not give a working shell"):
            prove(lab)
    finally:
        lab.on("box", "usermod -s /bin/bash learner")


def test_another_seats_learner_is_refused(lab):
    other = lab.with_(principal="seat-two-2")
    login = lab.authority.learner(other, datetime.now(UTC) + timedelta(minutes=5))
    trust = ssh_connection.Trust(lab.authority, ssh_ca.host_name(lab.plan, "box"), lab.machines[0].host_key)
    with pytest.raises(ssh_connection.LoginRefused):
        ssh_connection.connect(lab.machines[0].address, "learner", login, trust, patience=60)


def test_the_printed_command_works_with_plain_openssh(lab, tmp_path):
    bundle = lab.authority.bundle(lab.plan, lab.machines, datetime.now(UTC) + timedelta(minutes=5))
    config = ssh_ca.write_bundle(bundle, tmp_path / "a folder")
    done = subprocess.run(["ssh", "-F", str(config), "box", "id -un; hostname"], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (0, "learner\nbox\n"), done.stderr
    forwarded = subprocess.run(
        ["ssh", "-F", str(config), "-W", "shop:22", "box"], input="", capture_output=True, text=True, timeout=300, check=False
    )
    assert forwarded.stdout.startswith("SSH-2.0-OpenSSH")


def test_openssh_refuses_a_guest_that_changed_its_host_key(lab, tmp_path):
    bundle = lab.authority.bundle(lab.plan, lab.machines, datetime.now(UTC) + timedelta(minutes=5))
    config = ssh_ca.write_bundle(bundle, tmp_path / "bundle")
    key = "/etc/ssh/ssh_host_ed25519_key"
    lab.on("box", f"mkdir -p /root/k && mv {key}* /root/k && ssh-keygen -q -t ed25519 -N '' -f {key} && systemctl restart ssh")
    try:
        done = subprocess.run(["ssh", "-F", str(config), "box", "true"], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 255
        assert "host key" in done.stderr.lower()
        with pytest.raises(errors.LabctlError, match="host key"):
            ssh.enter(lab.authority, lab.plan, lab.machines[0], patience=8)
        first = ssh_connection.Trust(lab.authority, ssh_ca.host_name(lab.plan, "box"), lab.machines[0].host_key, certificate=False)
        with pytest.raises(errors.PermanentError, match="another host key"):
            ssh_connection.connect(lab.machines[0].address, "labctl", lab.authority.deploy_login(), first, patience=60)
    finally:
        restore(lab)
    assert lab.on("box", "echo back") == "back\n"


def restore(lab):
    trust = ssh_connection.Trust(lab.authority, ssh_ca.host_name(lab.plan, "box"), "", certificate=False)
    with ssh_connection.connect(lab.machines[0].address, "labctl", lab.authority.deploy_login(), trust, patience=60) as connection:
        assert connection.root("cp -a /root/k/* /etc/ssh/ && systemctl restart ssh\n", timeout=120).exit == 0
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            ssh.enter(lab.authority, lab.plan, lab.machines[0], patience=10).close()
        except errors.LabctlError:
            continue
        return
    raise AssertionError("the host key did not come back")


def test_a_template_without_our_deploy_key_is_a_plain_error(guests, lab, tmp_path):
    del lab
    foreign = ssh_ca.Authority(tmp_path)
    plan = guests_here.plan(guests.site, 6, [guests_here.machine(guests.site, 6, 1, "box")])
    with pytest.raises(errors.PermanentError, match="box: the guest refuses labctl's deploy key") as caught:
        ssh.Prober(guests.site, foreign, insist=1).enrol(plan, guests.build(plan), print)
    assert "template" in caught.value.hint


def test_a_machine_that_is_off_is_unreachable_in_bounded_time(guests, lab):
    del lab
    plan = guests_here.plan(guests.site, 7, [guests_here.machine(guests.site, 7, 1, "box")])
    with pytest.raises(errors.Unreachable, match=r"box: SSH on .* does not answer after 1 s"):
        ssh.Prober(guests.site, guests.authority, patience=1).enrol(plan, guests_here.made(plan), print)
