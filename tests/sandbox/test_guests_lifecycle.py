from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from labctl.sandbox.guests import cgroups, inventory
from labctl.sandbox.guests.runtime import GuestSpec, NicSpec, RuntimeFailure
from tests.sandbox.guest_house import CACHE, CT, MGMT, VM, House, run

pytestmark = pytest.mark.guests


@pytest.fixture(scope="module")
def house():
    with House("ga") as made:
        yield made


@pytest.fixture
def vmid(house):
    """A number nobody has, and nothing of it left afterwards."""
    fresh = max([100, *house.runtime.bases()]) + 1
    yield fresh
    for one in {*house.runtime.bases(), fresh} - {VM, CT}:
        house.runtime.stop(one)
        house.runtime.destroy(one)


def test_a_clone_of_the_vm_template_is_a_whole_system_with_the_identity_it_was_given(house, vmid):
    house.up(vmid, nameserver="192.0.2.53", searchdomain="lab.example")
    assert house.say(vmid, "hostname") == f"guest{vmid}"
    assert house.say(vmid, "sudo id -u") == "0"
    assert house.say(vmid, "systemctl is-system-running --wait") == "running"
    assert "nameserver 192.0.2.53" in house.say(vmid, "cat /etc/resolv.conf")
    assert f"guest{vmid}.lab.example" in house.say(vmid, "cat /etc/hosts")
    assert house.say(vmid, "locale | head -1") == "LANG=C.UTF-8"
    assert "Candidate: (none)" not in house.say(vmid, "apt-cache policy nginx")
    assert "labctl" not in house.say(vmid, "cat /etc/passwd")


def test_a_clone_of_the_container_template_has_the_deployment_user_and_no_other(house, vmid):
    house.up(vmid, CT, user=None)
    assert house.say(vmid, "sudo id -u", user="labctl") == "0"
    assert house.ssh(vmid, "true", user="ada", check=False).returncode == 255


def test_no_two_clones_share_machine_id_or_host_key_or_what_they_write(house, vmid):
    house.up(vmid)
    house.up(vmid + 1)
    assert house.say(vmid, "cat /etc/machine-id") != house.say(vmid + 1, "cat /etc/machine-id")
    assert house.host_key(vmid) != house.host_key(vmid + 1)
    house.say(vmid, "touch only-here")
    assert house.ssh(vmid + 1, "test -e only-here", check=False).returncode == 1


def test_addresses_and_usage_are_those_of_the_guest(house, vmid):
    house.up(vmid)
    cards = {name: (mac, found) for name, mac, found in house.runtime.addresses(vmid)}
    assert cards["eth0"][0] == house.mac(vmid)
    assert f"{house.address(vmid)}/24" in cards["eth0"][1]
    used = house.runtime.usage(vmid)
    assert used.cpu_seconds > 0
    assert 2**20 < used.memory < 256 * 2**20
    assert used.disk > 0
    house.runtime.stop(vmid)
    assert house.runtime.addresses(vmid) == []
    assert house.runtime.usage(vmid).memory == 0


def test_guests_live_on_when_the_process_that_started_them_is_killed(house, vmid):
    house.runtime.clone(VM, vmid, linked=True)
    spec = house.spec(vmid)
    run("ip", "neigh", "replace", house.address(vmid), "lladdr", house.mac(vmid), "dev", house.uplink, "nud", "permanent")
    script = (
        "import os, signal, sys; from pathlib import Path, PosixPath\n"
        "from labctl.sandbox.guests import lxc\n"
        "from labctl.sandbox.guests.runtime import GuestSpec, Identity, NicSpec\n"
        f"runtime = lxc.LxcRuntime(Path({str(house.home)!r}), {house.name!r}, Path({str(CACHE)!r}), None)\n"
        f"key = {house.key!r}\n"
        f"who = Identity('one', 'survivor', 'ada', ssh_keys=(key,))\n"
        f"runtime.start(GuestSpec({vmid}, 1, 256, {spec.nics!r}, who))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    house.runtime.close()
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert house.banner(vmid)
    again = house.reopened()
    assert vmid in again.running()
    again.start(spec)  # no second one
    assert house.say(vmid, "hostname") == "survivor"
    again.stop(vmid)
    assert vmid not in again.running()


def test_a_guest_frozen_by_a_killed_node_goes_on_when_the_node_comes_back(house, vmid):
    house.up(vmid)
    group = cgroups.Groups(f"{house.name}-{vmid}")
    group.freeze(True)
    assert house.ssh(vmid, "true", check=False, patience=3).returncode == 255
    house.reopened()
    assert house.say(vmid, "echo back") == "back"


def test_reboot_from_inside_comes_back_and_poweroff_stays_off(house, vmid):
    house.up(vmid)
    before = house.say(vmid, "cat /proc/sys/kernel/random/boot_id; systemctl show -p UserspaceTimestamp")
    house.ssh(vmid, "sudo systemctl reboot", check=False)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        done = house.ssh(vmid, "cat /proc/sys/kernel/random/boot_id; systemctl show -p UserspaceTimestamp", check=False, patience=5)
        if done.returncode == 0 and done.stdout.strip() != before:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the guest did not come back")
    assert vmid in house.runtime.running()
    house.ssh(vmid, "sudo systemctl poweroff", check=False)
    deadline = time.monotonic() + 120
    while vmid in house.runtime.running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert vmid not in house.runtime.running()
    house.start(vmid)
    assert house.say(vmid, "hostname") == f"guest{vmid}"


def test_shutdown_is_polite_and_stop_of_a_stopped_guest_is_nothing(house, vmid):
    house.up(vmid)
    house.say(
        vmid,
        'sudo sh -c \'printf "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStop=touch /went-politely\\n" '
        "> /etc/systemd/system/witness.service; systemctl start witness'",
    )
    assert house.runtime.shutdown(vmid, 120)
    assert vmid not in house.runtime.running()
    house.runtime.stop(vmid)
    house.start(vmid)
    assert house.ssh(vmid, "test -e /went-politely", check=False).returncode == 0


def test_a_guest_that_will_not_end_is_reported_and_can_be_killed(house, vmid):
    house.up(vmid)
    house.say(
        vmid,
        'sudo sh -c \'printf "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStop=sleep 600\\n" '
        "> /etc/systemd/system/stubborn.service; systemctl start stubborn'",
    )
    assert not house.runtime.shutdown(vmid, 1)
    assert vmid in house.runtime.running()
    house.runtime.stop(vmid)
    assert vmid not in house.runtime.running()


def test_a_guest_whose_lxc_answers_nobody_any_more_can_be_killed(house, vmid):
    """As after a start that was cut off: LXC's monitor waits for a guest that is gone."""
    house.up(vmid)
    groups = [path for path in cgroups.Groups(f"{house.name}-{vmid}").everywhere() if path.name.startswith("lxc.monitor")]
    for pid in {int(pid) for path in groups for pid in (path / "cgroup.procs").read_text().split()}:
        os.kill(pid, signal.SIGSTOP)
    house.runtime.stop(vmid)
    assert vmid not in house.runtime.running()
    house.start(vmid)


def test_start_again_at_once_after_a_kill_finds_its_port_free(house, vmid):
    house.up(vmid)
    for _ in range(3):
        house.runtime.stop(vmid)
        house.start(vmid)
    assert house.say(vmid, "hostname") == f"guest{vmid}"


def test_a_missing_bridge_or_disk_is_refused_in_plain_words(house, vmid):
    house.runtime.clone(VM, vmid, linked=True)
    with pytest.raises(RuntimeFailure, match="bridge 'nowhere' does not exist"):
        house.runtime.start(GuestSpec(vmid, 1, 256, (NicSpec(0, house.mac(vmid), "nowhere"),), None))
    with pytest.raises(RuntimeFailure, match="has no disk"):
        house.runtime.start(house.spec(vmid + 7))
    with pytest.raises(RuntimeFailure, match="there is no image 'windows'"):
        house.runtime.provide(vmid + 7, "windows")
    assert vmid not in house.runtime.running()


def test_memory_and_processor_limits_hold(house, vmid):
    house.up(vmid, memory=128)
    greedy = house.ssh(vmid, "python3 -c 'x = bytearray(400 << 20); print(len(x))'", check=False)
    assert greedy.returncode != 0
    assert house.say(vmid, "python3 -c 'x = bytearray(40 << 20); print(len(x))'") == str(40 << 20)
    spin = "import time,os\nfor _ in range(2): os.fork()\nt=time.time()\nwhile time.time()-t<2: pass"
    before, begun = house.runtime.usage(vmid).cpu_seconds, time.monotonic()
    house.say(vmid, f"timeout 60 python3 -c '{spin}'; sleep 0.2")
    # Four busy processes on one core, however long a busy machine lets them wait for it.
    assert house.runtime.usage(vmid).cpu_seconds - before < 1.3 * (time.monotonic() - begun)


def test_with_nesting_a_guest_may_have_namespaces_of_its_own(house, vmid):
    house.runtime.clone(VM, vmid, linked=True)
    run("ip", "neigh", "replace", house.address(vmid), "lladdr", house.mac(vmid), "dev", house.uplink, "nud", "permanent")
    house.runtime.start(replace(house.spec(vmid), nesting=True))
    assert house.banner(vmid)
    assert house.say(vmid, "systemctl is-system-running --wait") == "running"
    assert house.say(vmid, "unshare --user --map-root-user --mount --pid --fork --mount-proc sh -c 'id -u; echo $$'") == "0\n1"


def test_a_flood_on_the_console_fills_no_disk(house, vmid):
    house.up(vmid)
    house.say(vmid, "sudo sh -c 'yes | head -c 3000000 > /dev/console'")
    logs = list((house.home / "guests" / f"{house.name}-{vmid}").glob("console.log*"))
    assert logs
    assert sum(path.stat().st_size for path in logs) < 300_000
    assert house.say(vmid, "echo alive") == "alive"


def test_five_guests_started_at_once_all_come_up_whole(house, vmid):
    five = range(vmid, vmid + 5)
    with ThreadPoolExecutor(5) as starters:
        list(starters.map(house.up, five))
    assert set(five) <= house.runtime.running()
    assert {house.say(one, "systemctl is-system-running --wait; hostname") for one in five} == {f"running\nguest{one}" for one in five}
    assert len({house.host_key(one) for one in five}) == 5
    with ThreadPoolExecutor(5) as stoppers:
        list(stoppers.map(house.runtime.stop, five))
        list(stoppers.map(house.runtime.destroy, five))
    assert not house.runtime.running().intersection(five)


def test_destroy_leaves_nothing_of_a_guest_and_may_be_repeated(house, vmid):
    house.up(vmid)
    house.runtime.snapshot(vmid, "one")
    guest = f"{house.name}-{vmid}"
    assert any(guest in thing for thing in inventory.found(house.home, house.name))
    layers = set((house.home / "layers").iterdir())
    with pytest.raises(RuntimeFailure, match="is running"):
        house.runtime.destroy(vmid)
    house.runtime.stop(vmid)
    house.runtime.destroy(vmid)
    house.runtime.destroy(vmid)
    assert not any(guest in thing for thing in inventory.found(house.home, house.name))
    assert house.runtime.network.ports(vmid) == []
    assert len(set((house.home / "layers").iterdir())) < len(layers)
    assert vmid not in house.runtime.bases()


def test_wipe_takes_running_guests_and_everything_away():
    with House("gb") as house:
        house.up(101)
        house.up(102, CT, user=None)
        assert len(inventory.found(house.home, house.name)) > 10
        inventory.wipe(house.home, house.name)
        assert inventory.found(house.home, house.name) == []
        assert run("ip", "link", "show", "dev", house.uplink, check=False).returncode != 0
        assert inventory.wipe(house.home, house.name) == []
        assert MGMT not in house.runtime.bridges()
