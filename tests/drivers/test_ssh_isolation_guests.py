"""The look that the first guest of a class takes around the management network, and what it finds where a wall is missing."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from dataclasses import replace

import pytest

from labctl import errors
from labctl.drivers import ssh, ssh_isolation, ssh_kept
from labctl.sandbox.guests.runtime import GuestSpec, NicSpec
from tests.drivers import guests_here

pytestmark = pytest.mark.guests


class Two:
    """Two enrolled guests of two seats, and a prober with short patience."""

    def __init__(self) -> None:
        self.guests = guests_here.GuestsHere("iso", beside=8)
        self.site = self.guests.site
        self.plans = [guests_here.plan(self.site, plot, [guests_here.machine(self.site, plot, 1, "box")]) for plot in (3, 4)]
        self.told: list[str] = []
        self.prober = self.fresh()
        self.machines = [self.up(plan) for plan in self.plans]

    def fresh(self, doors=(), patience=1.5):
        kept = ssh_kept.Kept()
        walls = ssh_isolation.Walls(self.site, doors, patience=patience)
        return ssh.Prober(self.site, self.guests.authority, kept=kept, walls=walls)

    def up(self, plan):
        return self.prober.enrol(plan, self.guests.build(plan), self.told.append)[0]

    def restart(self, *, isolated):
        """Both guests, with or without isolated ports."""
        for plan in self.plans:
            (one,) = plan.machines
            self.guests.runtime.stop(one.vmid)
            nic = one.nics[0]
            card = NicSpec(0, nic.mac, nic.vnet, nic.address, isolated=isolated)
            self.guests.runtime.start(GuestSpec(one.vmid, 1, 256, (card,), None))
        for plan, machine in zip(self.plans, self.machines, strict=True):
            ssh.enter(self.guests.authority, plan, machine).close()

    def prove(self, prober=None):
        self.told.clear()
        (prober or self.fresh()).prove(
            self.plans[0], [self.machines[0]], self.guests.folder, self.told.append, neighbours=lambda: [self.machines[1]]
        )

    def look(self, prober=None):
        self.prove(prober)
        return next(line for line in self.told if "management network" in line)


@pytest.fixture(scope="module")
def two():
    made = Two()
    yield made
    made.guests.close()


def test_who_is_walled_off_reaches_neither_labctl_nor_a_neighbour(two):
    with socket.create_server((str(two.site.own_address), 0)) as door:
        said = two.look(two.fresh([door.getsockname()[1]]))
    assert "box: cannot reach labctl and its neighbours over the management network" in said


def test_only_the_first_guest_of_a_class_looks_and_after_a_failure_the_next(two):
    prober = two.fresh()
    two.look(prober)
    two.prove(prober)
    assert not any("management network" in line for line in two.told)
    prober = two.fresh()
    gone = replace(two.machines[0], host_key="ssh-ed25519 AAAA")
    with pytest.raises(errors.LabctlError):
        prober.prove(two.plans[0], [gone], two.guests.folder, two.told.append, neighbours=lambda: [two.machines[1]])
    two.look(prober)


def test_where_ports_are_not_isolated_the_neighbour_is_named_and_what_to_switch_on(two):
    two.restart(isolated=False)
    try:
        with pytest.raises(errors.CheckFailed, match="must not: its neighbour box") as caught:
            two.prove()
    finally:
        two.restart(isolated=True)
    assert f"({two.machines[1].address}:22)" in caught.value.message
    assert "isolate-ports on the VNet labmgmt" in caught.value.hint
    assert "labctl itself" not in caught.value.message
    assert caught.value.machine == ""  # making the machine anew would not help
    two.look()


def test_without_labctls_own_rules_it_says_that_labctl_answers_even_where_it_refuses(two):
    subprocess.run(["nft", "delete", "table", "inet", two.guests.wire.table], check=True)
    try:
        with pytest.raises(errors.CheckFailed, match=r"must not: labctl itself \(\S+:22\)\.") as caught:
            two.prove()
    finally:
        two.guests.wire.lay()
    assert "`labctl up`" in caught.value.hint
    assert "its neighbour" not in caught.value.message


def test_a_wall_that_comes_into_force_while_it_looks_is_waited_for(two):
    """As when a node has not put the firewall in force yet: laid by another, once the guest has been seen to reach labctl."""
    table = ["nft", "list", "table", "inet", two.guests.wire.table]
    subprocess.run(["nft", "delete", *table[2:]], check=True)
    with socket.create_server((str(two.site.own_address), 0)) as door:

        def lay():
            door.accept()[0].close()
            two.guests.wire.lay()

        other = threading.Thread(target=lay)
        other.start()
        said = two.look(two.fresh([door.getsockname()[1]], patience=30.0))
        other.join()
    assert "cannot reach labctl" in said
    subprocess.run(table, check=True, capture_output=True)


def test_a_guest_that_lacks_the_tools_is_told_of_and_not_called_walled(two):
    with ssh.enter(two.guests.authority, two.plans[0], two.machines[0]) as connection:
        connection.root("mv /usr/bin/timeout /usr/bin/away\n", timeout=60)
        try:
            assert "NOT proven" in two.look()
        finally:
            connection.root("mv /usr/bin/away /usr/bin/timeout\n", timeout=60)


def test_the_look_costs_half_a_second_however_many_are_silent(two):
    nobody = [replace(two.machines[1], address=str(two.site.management.network_address + 900 + number)) for number in range(40)]
    with ssh.enter(two.guests.authority, two.plans[0], two.machines[0]) as connection:
        wanted = ssh_isolation.Walls(two.site, (80, 443)).targets(two.machines[0], nobody)
        assert len(wanted) == 43
        begun = time.monotonic()
        assert ssh_isolation.read(connection.root(ssh_isolation.script(wanted), timeout=60).stdout, wanted).answered == ()
        assert time.monotonic() - begun < 43 * ssh_isolation.SILENCE  # all at once, not one after another
