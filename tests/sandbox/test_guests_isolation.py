"""What a hostile root in a guest tries against the host and against other guests. Each refusal stands beside something that works."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tests.sandbox.guest_house import House, run

pytestmark = pytest.mark.guests


@pytest.fixture(scope="module")
def house():
    with House("gd") as made:
        made.up(101)
        made.up(102)
        yield made


PROBE = """
import ctypes, errno, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
now = ctypes.create_string_buffer(__import__('struct').pack('ll', 1, 0))
calls = {  # name: (number on x86-64, arguments)
    'clock_settime': (227, (0, now)), 'settimeofday': (164, (now, None)),
    'adjtimex': (159, (ctypes.create_string_buffer(b'\\x01' + bytes(207)),)),
    'init_module': (175, (b'x', 1, b'')), 'delete_module': (176, (b'veth', 0)),
    'syslog': (103, (2, now, 8)), 'kexec_load': (246, (0, 0, 0, 0)),
    'open_by_handle_at': (304, (-100, now, 0)), 'iopl': (172, (3,)), 'swapoff': (168, (b'/x',)),
    'mknod': (133, (b'/tmp/m', 0o60600, 0x700)), 'mknod_char': (133, (b'/tmp/c', 0o20600, 0x101)),
    'acct': (163, (b'/tmp/a',)), 'sethostname': (170, (b'own', 3)), 'getppid': (110, ()),
}
for name, (number, arguments) in calls.items():
    ctypes.set_errno(0)
    got = libc.syscall(number, *arguments)
    print(name, errno.errorcode.get(ctypes.get_errno(), 'ok') if got == -1 else 'ok')
"""
OWN = {"sethostname", "getppid"}


def ahead():
    """By how many seconds the host's clock is ahead of one that nobody can set; both read without a standstill between them."""
    while True:
        before, now, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < 0.1:
            return now - before


def refused(house, command, vmid=101):
    done = house.ssh(vmid, f"sudo sh -c {command!r}", check=False)
    assert done.returncode not in {0, 255}, f"{command}: {done.stdout}"
    return done.stdout + done.stderr


def test_the_path_on_which_refusals_are_tried_is_root_and_lets_root_do_what_is_its_own(house):
    assert house.say(
        101, "sudo sh -c 'id -u; sysctl -qw net.ipv4.ip_forward=1; sysctl -n net.ipv4.ip_forward; hostname changed; hostname'"
    ) == ("0\n1\nchanged")
    assert Path("/proc/sys/net/ipv4/ip_forward").exists()
    assert run("hostname").stdout.strip() != "changed"


def test_calls_that_would_change_the_host_are_refused_and_the_guests_own_are_not(house):
    before = ahead()
    done = house.ssh(101, f"sudo python3 -c {shlex.quote(PROBE)}")
    answers = dict(line.split() for line in done.stdout.splitlines())
    assert {name for name, word in answers.items() if word == "ok"} == OWN, answers
    assert {word for name, word in answers.items() if name not in OWN} <= {"EPERM", "ENOSYS"}, answers  # some kernels have no kexec
    assert abs(ahead() - before) < 1


def test_the_hosts_clock_stays(house):
    before = ahead()
    assert "not permitted" in refused(house, "date -s 2001-01-01")
    refused(house, "timedatectl set-time 2001-01-01")
    assert abs(ahead() - before) < 1


@pytest.mark.parametrize("name", ["kernel.panic", "kernel.core_pattern", "vm.overcommit_memory", "fs.file-max", "kernel.keys.maxkeys"])
def test_settings_of_the_kernel_stay(house, name):
    file = Path("/proc/sys") / name.replace(".", "/")
    before = file.read_text()
    refused(house, f"sysctl -w {name}=1")
    refused(house, f"echo 1 > {file}")
    refused(house, f"mount -o remount,rw /proc/sys && echo 1 > {file}")
    refused(house, f"mkdir -p /tmp/p && mount -t proc proc /tmp/p && echo 1 > /tmp/p/sys/{name.replace('.', '/')}")
    assert file.read_text() == before


def test_devices_of_the_host_cannot_be_made_mounted_or_opened(house):
    held = Path("/").stat().st_dev
    assert "not permitted" in refused(house, f"mknod /tmp/disk b {os.major(held)} {os.minor(held)}")
    assert "not permitted" in refused(house, "mknod /tmp/mem c 1 1")
    assert "loop" in refused(house, "truncate -s 1M /tmp/image && losetup --find /tmp/image")
    assert house.ssh(101, "ls /dev/kmsg /dev/mem /dev/kvm /dev/vda /dev/loop0 /dev/loop-control 2>/dev/null", check=False).stdout == ""
    assert house.say(101, "sudo sh -c 'mount -t tmpfs none /mnt && touch /mnt/own && ls /mnt; umount /mnt'") == "own"
    control = house.folder / "control"
    run("mknod", str(control), "c", "1", "3")  # the host's own root may
    assert control.is_char_device()


def test_kernel_log_and_sysrq_are_closed(house):
    assert "not permitted" in refused(house, "dmesg")
    refused(house, "echo h > /proc/sysrq-trigger")
    refused(house, "echo 1 > /sys/module/kernel/parameters/panic")


def test_a_guest_sees_neither_the_hosts_processes_nor_its_files_nor_other_guests(house):
    with subprocess.Popen(["sleep", "98761"]) as sleeper:
        assert "98761" not in house.say(101, "sudo ps ax")
        sleeper.kill()
    assert house.name not in house.say(101, "sudo cat /proc/1/mountinfo | grep -v sandbox-").replace(f"{house.name}-101", "")
    assert house.ssh(101, f"sudo ls {house.home}", check=False).returncode != 0
    assert house.say(101, "sudo cat /proc/self/uid_map").split() == ["0", "100000", "65536"]


def test_a_guests_root_is_nobody_on_the_host(house):
    pid = house.runtime._container(101).init()
    assert Path(f"/proc/{pid}").stat().st_uid >= 100000
    dropped = {25, 16, 17, 34, 32, 33}  # sys_time sys_module sys_rawio syslog mac_override mac_admin
    bounding = int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("CapBnd")).split()[1], 16)
    assert not any(bounding >> one & 1 for one in dropped)
    own = int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd")).split()[1], 16)
    assert own >> 25 & 1  # ours has it


def test_other_users_of_the_host_cannot_look_into_guests_disks(house):
    done = run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", str(house.home / "layers"), check=False)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr


def test_guests_reach_the_cable_but_not_each_other_on_the_management_network(house):
    assert house.banner(101)
    assert house.banner(102)
    assert house.say(101, f"ping -c1 -w60 {house.prefix}.1 >/dev/null && echo reached") == "reached"
    assert house.ssh(101, f"nc -zw2 {house.address(102)} 22", check=False).returncode == 1
    assert house.ssh(101, f"ping -c1 -W2 {house.address(102)}", check=False).returncode == 1


def test_without_isolation_they_would_reach_each_other(house):
    """The control: the same attempt succeeds when the ports are not isolated."""
    for vmid in (101, 102):
        house.runtime.stop(vmid)
        house.start(vmid, card={})
    try:
        assert (
            "open" in house.ssh(101, f"nc -zvw60 {house.address(102)} 22 2>&1 | grep -o -E 'open|succeeded' | sed s/succeeded/open/").stdout
        )
    finally:
        for vmid in (101, 102):
            house.runtime.stop(vmid)
            house.start(vmid)
    assert house.ssh(101, f"nc -zw2 {house.address(102)} 22", check=False).returncode == 1


def test_stealing_another_guests_address_and_hardware_address_gains_nothing(house):
    """102 takes 101's both and shouts; the host still reaches the true 101 (its host key is checked by ssh)."""
    theft = (
        "while pgrep -f [s]shd:.ada@ >/dev/null; do sleep 0.05; done; "
        f"ip link set eth0 down; ip link set eth0 address {house.mac(101)}; ip addr flush dev eth0; "
        f"ip addr add {house.address(101)}/24 dev eth0; ip link set eth0 up; "
        f"for i in 1 2 3 4 5; do ping -c1 -W1 {house.prefix}.1; done; touch /stolen"
    )
    house.say(102, f"sudo systemd-run --quiet sh -c '{theft}'")
    deadline = time.monotonic() + 60
    while not (house.root(102) / "stolen").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (house.root(102) / "stolen").exists()
    assert house.say(101, "hostname") in {"guest101", "changed"}
    house.runtime.stop(102)
    house.start(102)


def test_the_same_lab_addresses_live_on_two_vnets_at_once(house):
    for bridge, pair in (("v1", (111, 112)), ("v2", (121, 122))):
        house.runtime.add_bridge(bridge)
        for vmid, address in zip(pair, ("10.10.10.10/24", "10.10.10.20/24"), strict=True):
            house.up(vmid, lab=((bridge, address),))
    for attacker, target in ((111, 112), (121, 122)):
        house.say(target, "sudo systemd-run --quiet sh -c 'hostname | nc -Nl 10.10.10.20 7000'")
        reply = "for i in $(seq 150); do nc -Nw20 10.10.10.20 7000 </dev/null && break; sleep 0.2; done"
        assert house.say(attacker, reply) == f"guest{target}"
    names = {name for name, _, _ in house.runtime.addresses(111)}
    assert names == {"lo", "eth0", "eth1"}
    for vmid in (111, 112, 121, 122):
        house.runtime.stop(vmid)
        house.runtime.destroy(vmid)
    for bridge in ("v1", "v2"):
        house.runtime.remove_bridge(bridge)
        house.runtime.remove_bridge(bridge)
        assert bridge not in house.runtime.bridges()


def test_the_node_namespace_has_no_address_and_forwards_nothing(house):
    held = run(*house.runtime.network.inside(), "ip", "-br", "address").stdout
    assert "100." not in held
    assert "fe80" not in held
    assert run(*house.runtime.network.inside(), "sysctl", "-n", "net.ipv4.ip_forward").stdout.strip() == "0"


def test_a_cable_name_that_somebody_else_uses_is_refused(house):
    with pytest.raises(Exception, match="not this node's"):
        house.runtime.connect("lo", "labmgmt")
    house.runtime.connect(house.uplink, "labmgmt")  # again: nothing happens
    assert house.say(101, "echo still") == "still"
