"""Golden machines and their clones, as real guests: what the bake was is gone, what it made works, and no two clones are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl import errors
from labctl.drivers import ssh, ssh_seal
from labctl.model.plan import PlannedStep
from tests.drivers import guests_here

pytestmark = pytest.mark.guests

SECRET_OF_THE_BAKE = "a-word-only-the-bake-knew"
BAKED = f"""
printf '[Unit]\\nDescription=course\\n[Service]\\nExecStart=/bin/sh -c "while :; do echo tick >> /var/log/course.log; sleep 0.1; done"\\n\
[Install]\\nWantedBy=multi-user.target\\n' > /etc/systemd/system/course.service
systemctl enable -q --now course.service
echo {SECRET_OF_THE_BAKE} > /home/learner/.bash_history; echo {SECRET_OF_THE_BAKE} > /root/.bash_history
logger {SECRET_OF_THE_BAKE}; echo {SECRET_OF_THE_BAKE} > /var/log/apt-of-the-bake.log; echo x > /var/log/old.log.1
mkdir -p /var/lib/dhcp; echo lease > /var/lib/dhcp/dhclient.leases; echo {SECRET_OF_THE_BAKE} > /tmp/left
echo 'Acquire::http::Proxy "socks5h://127.0.0.1:3142";' > /etc/apt/apt.conf.d/95labctl-run
echo kept > /srv/course.txt
"""


class Bench:
    """A golden machine on plot 7 and clones of it."""

    def __init__(self, guests) -> None:
        self.guests = guests
        self.prober = ssh.Prober(guests.site, guests.authority)
        self.planned = guests_here.machine(guests.site, 7, 1, "box", "10.10.10.5/24")
        self.plan = guests_here.plan(guests.site, 7, [self.planned], principal="nobody-e7")
        (self.machine,) = self.prober.enrol(self.plan, guests.build(self.plan), lambda _line: None)
        self.first_key = self.machine.host_key
        self.root(self.plan, self.machine, BAKED)
        self.old_id = self.root(self.plan, self.machine, "cat /etc/machine-id")

    def root(self, plan, machine, script: str) -> str:
        with ssh.enter(self.guests.authority, plan, machine) as connection:
            outcome = connection.root(script + "\n", timeout=120)
        assert outcome.exit == 0, outcome
        return outcome.stdout.strip()

    def freeze(self) -> None:
        assert self.guests.runtime.shutdown(self.planned.vmid, 120)
        self.guests.runtime.freeze_template(self.planned.vmid)

    def clone(self, plot: int, *, written_by_the_node: bool):
        """A seat's clone. Real Proxmox writes no machine-id and no host keys into a container's clone; the sandbox node does."""
        runtime = self.guests.runtime
        planned = guests_here.machine(self.guests.site, plot, 1, "box", "10.10.10.5/24")
        plan = guests_here.plan(self.guests.site, plot, [planned], principal=f"seat-{plot}")
        for network in plan.networks:
            runtime.add_bridge(network.vnet)
        self.guests.wire.open(guests_here.made(plan))
        runtime.clone(self.planned.vmid, planned.vmid, linked=True)
        if not written_by_the_node:
            name = runtime._guest(planned.vmid)
            held = runtime.disks.read(name)
            runtime.disks.write(name, replace(held, state=replace(held.state, fresh=False)))
        self.guests.start(plan, planned)
        (machine,) = self.prober.enrol(plan, guests_here.made(plan), lambda _line: None)
        return plan, machine


@pytest.fixture(scope="module")
def bench(guests):
    made = Bench(guests)
    told: list[str] = []
    made.prober.seal(made.plan, made.machine, told.append)
    assert told == ["box: sealed"]
    return made


def test_a_sealed_machine_lets_nobody_in_and_can_be_sealed_again_after_a_boot(bench):
    deaf = ssh.Prober(bench.guests.site, bench.guests.authority, patience=2, insist=1)
    with pytest.raises(errors.Unreachable):
        deaf.seal(bench.plan, bench.machine, lambda _line: None)
    assert bench.guests.runtime.shutdown(bench.planned.vmid, 120)
    bench.guests.start(bench.plan, bench.planned)
    bench.prober.seal(bench.plan, bench.machine, lambda _line: None)
    bench.freeze()


def test_clones_share_nothing_that_is_an_identity_and_nothing_of_the_bake(bench):
    seen = [bench.clone(8, written_by_the_node=True), bench.clone(9, written_by_the_node=False), bench.clone(10, written_by_the_node=False)]
    keys = {machine.host_key for _, machine in seen}
    ids = {bench.root(plan, machine, "cat /etc/machine-id") for plan, machine in seen}
    assert len(keys) == len(ids) == 3
    assert bench.first_key not in keys
    assert bench.old_id not in ids
    assert all(len(one) == 32 for one in ids)
    for plan, machine in seen:
        where = f"grep -rslF {SECRET_OF_THE_BAKE} /var/log /run/log /root /home /tmp /var/tmp /etc /var/lib || true"
        assert bench.root(plan, machine, where) == ""
        assert bench.root(plan, machine, f"journalctl --no-pager | grep -c {SECRET_OF_THE_BAKE} || true") == "0"
        assert bench.root(plan, machine, "journalctl --list-boots --no-pager | grep -c '^ *0'") == "1"
        assert bench.root(plan, machine, "ls /etc/ssh/principals") == "learner"
        assert bench.root(plan, machine, "cat /etc/ssh/principals/learner") == plan.principal
        gone = "ls /var/lib/dhcp/* /etc/apt/apt.conf.d/95labctl-run /var/log/old.log.1 2>/dev/null | wc -l"
        assert bench.root(plan, machine, gone) == "0"
        assert f"box.{plan.principal}.lab" in bench.root(plan, machine, "ssh-keygen -L -f /etc/ssh/ssh_host_ed25519_key-cert.pub")


def test_what_was_baked_is_there_and_runs(bench):
    plan, machine = bench.clone(11, written_by_the_node=False)
    assert bench.root(plan, machine, "cat /srv/course.txt") == "kept"
    assert bench.root(plan, machine, "systemctl is-active course.service ssh.service " + ssh_seal.UNIT + " | sort -u").endswith("active")
    assert bench.root(plan, machine, "runuser -l learner -c id -un; systemctl is-system-running --wait").endswith("running")
    assert bench.root(plan, machine, "grep -c tick /var/log/course.log") != "0"
    bench.prober.prove(plan, [machine], bench.guests.folder, lambda _line: None)


def test_a_clone_keeps_its_keys_over_a_restart(bench):
    plan, machine = bench.clone(12, written_by_the_node=False)
    planned = plan.machine("box")
    assert bench.guests.runtime.shutdown(planned.vmid, 120)
    bench.guests.start(plan, planned)
    bench.prober.prove(plan, [machine], bench.guests.folder, lambda _line: None)


def test_a_script_that_cannot_do_its_work_says_so(bench):
    plan, machine = bench.clone(13, written_by_the_node=True)
    bench.root(plan, machine, "mount --bind /etc/machine-id /etc/machine-id; mount -o remount,ro,bind /etc/machine-id")
    with pytest.raises(errors.PermanentError, match="cannot be sealed"):
        bench.prober.seal(plan, machine, lambda _line: None)


def test_steps_without_ansible_need_one_connection_less(bench):
    step = PlannedStep(kind="write", what="/root/x", hosts=("box",), title="x", content="x")
    plan, machine = bench.clone(14, written_by_the_node=True)
    again = bench.prober.enrol(plan.model_copy(update={"steps": (step,)}), [machine], lambda _line: None)
    assert again[0].host_key == machine.host_key
