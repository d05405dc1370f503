"""By root in a guest: against the machine it runs on, and against whoever comes to visit."""

from __future__ import annotations

import contextlib
import shlex
import socket
import threading
import time
from collections.abc import Iterator

from tests.attacks import Tried, rows
from tests.attacks.door import relay
from tests.attacks.world import World

PROMPT = rb"\$ "
MEMORY = 96 * 2**20
"""Bytes that labctl's processes may grow by, whatever a guest says."""

_CALL = "python3 -c 'import ctypes, os; c = ctypes.CDLL(None, use_errno=True); {call}'"
_KERNEL = {
    "set the clock": "before=$(date +%s); date -s '@1000000000'; [ $(date +%s) -lt $before ]",
    "set the hardware clock": "hwclock --systohc",
    "use a block device it made": "rm -f /tmp/d; mknod /tmp/d b 8 0 && head -c 1 /tmp/d",
    "use a device for memory it made": "rm -f /tmp/m; mknod /tmp/m c 1 1 && head -c 1 /tmp/m",
    "read the kernel's log": "dmesg | grep -q . || head -c 10 /dev/kmsg | grep -q .",
    "write the kernel's log": "[ -c /dev/kmsg ] && echo attack > /dev/kmsg",
    "set a sysctl of the machine": "cat /proc/sys/kernel/panic > /tmp/panic && cat /tmp/panic > /proc/sys/kernel/panic",
    "become the handler of crashes": "cat /proc/sys/kernel/core_pattern > /tmp/core && cat /tmp/core > /proc/sys/kernel/core_pattern",
    "press the magic key": "echo h > /proc/sysrq-trigger",
    # Whoever may load modules is told that this is none (ENOEXEC).
    "load a module": "printf x > /tmp/x.ko; "
    + _CALL.format(call='f = os.open("/tmp/x.ko", 0); c.syscall(313, f, b"", 0); os._exit(0 if ctypes.get_errno() == 8 else 1)'),
    "boot another kernel": _CALL.format(call="os._exit(0 if c.syscall(246, 0, 0, 0, 0) == 0 else 1)"),
    "mount a disk of the machine": "mount -t ext4 /dev/sda1 /mnt || mount -t ext4 /dev/vda1 /mnt",
    "mount debugfs": "mount -t debugfs none /mnt && ls /mnt/tracing",
    "be a cgroup's agent of release": "mkdir -p /tmp/cg && mount -t cgroup -o memory none /tmp/cg && echo /tmp/x > /tmp/cg/release_agent",
    # In brackets, so that the search does not find itself.
    "see labctl's processes": "cat /proc/[0-9]*/cmdline | grep -aq '[l]abctl[.]door'",
    "see labctl's home": "ls -d /var/tmp/labctl-*/secrets || ls -d /proc/1/root/../../var/tmp/labctl-*/secrets",
}
"""What root tries, as scripts whose exit status 0 says that it succeeded. None does harm where it does."""


def kernel(world: World) -> list[Tried]:
    """Row: clock, mknod, dmesg, sysctl, module."""
    address = world.seat("mallory").store
    world.must(world.root(address, "id -u").strip() == "0", "there is no root in the guest")
    tried = "\n".join(f"( {script}\n) >/dev/null 2>&1 </dev/null && echo {shlex.quote(f'OPEN {what}')}" for what, script in _KERNEL.items())
    told = world.root(address, tried + "\nexit 0\n").splitlines()
    return [Tried(rows.GUEST_KERNEL, what, f"OPEN {what}" not in told) for what in _KERNEL]


# Its own sshd, to catch whoever comes

_KEEP = "mkdir -p /root/kept && cp -p /etc/ssh/ssh_host_ed25519_key* /root/kept/\n"
_NEW = _KEEP + "rm -f /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key\n"
_BACK = "cp -p /root/kept/* /etc/ssh/ && systemctl restart ssh\n"


def _stolen(world: World) -> str:
    """Root of grace's guest, or whoever copied her disk, has her host key and its certificate; here they come to ada's guest."""
    read = "cat /etc/ssh/ssh_host_ed25519_key; echo NEXT; cat /etc/ssh/ssh_host_ed25519_key-cert.pub\n"
    key, _, certificate = world.root(world.seat("grace").address, read).partition("NEXT\n")
    place = f"cat > /etc/ssh/ssh_host_ed25519_key <<'E'\n{key}E\ncat > /etc/ssh/ssh_host_ed25519_key-cert.pub <<'E'\n{certificate}E\n"
    return _KEEP + place + "ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key > /etc/ssh/ssh_host_ed25519_key.pub\n"


_TRUSTING = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com,ssh-ed25519"]


def sshd(world: World) -> list[Tried]:
    """Row: own sshd with a new key, or one stolen from another seat, to catch trainers."""
    row, address, done = rows.GUEST_SSHD, world.seat("ada").address, []
    for whose, script in (("a new key", _NEW), ("a key and certificate stolen from grace", _stolen(world))):
        world.root(address, script + "systemctl restart ssh\n")
        try:
            # The control: a client that looks at no certificate walks in.
            caught = "uid=" in world.ssh("ada", *(word for option in _TRUSTING for word in ("-o", option)), "box", "id").stdout
            with world.tab("trainer", "ada", mode="watch") as tab:
                code = tab.closed(30)
            relayed = relay(world, "ada", world.code("ada"), "id").stdout
            plain = world.ssh("ada", "box", "id").stdout
        finally:
            world.root(address, _BACK)
        done += [
            Tried(row, f"{whose}, and a trainer watches", code == 4502, caught, note=str(code)),
            Tried(row, f"{whose}, and the learner comes by plain ssh", "uid=" not in plain, caught),
            Tried(row, f"{whose}, and the learner comes by code", "uid=" not in relayed, caught),
        ]
    world.must("uid=" in world.ssh("ada", "box", "id").stdout, "after its own keys came back ada's guest is not entered")
    return done


# Something that is no sshd at all

_HOSTILE = """
import os, socket, threading, time
def serve(one):
    try:
        TALK
    except OSError:
        pass
def ended():
    listener = socket.create_server(("", 23))
    listener.accept()[0].close()  # only to see that it is there
    listener.accept()[0].close()
    os._exit(0)
threading.Thread(target=ended, daemon=True).start()
listener, kept = socket.create_server(("", 22), backlog=100), []
while True:
    kept.append(listener.accept()[0])
    threading.Thread(target=serve, args=(kept[-1],), daemon=True).start()
"""
_TALKS = {
    "a banner that never comes": "time.sleep(600)",
    "a banner of 100 MB": "one.sendall(b'SSH-2.0-' + b'x' * 100_000_000)",
    "endless lines before the banner": "\n        while True: one.sendall(b'x' * 200 + b'\\r\\n')",
    "a banner, then noise": "one.sendall(b'SSH-2.0-x\\r\\n'); one.sendall(os.urandom(20_000_000))",
    "a banner, then a packet of 4 GiB": "one.sendall(b'SSH-2.0-x\\r\\n' + b'\\xff' * 4); time.sleep(600)",
}


@contextlib.contextmanager
def _turned(world: World, login: str, talk: str) -> Iterator[None]:
    """Port 22 of the guest says this to whoever comes, until port 23 is dialled; then its own sshd is back."""
    address = world.seat(login).address
    script = _HOSTILE.replace("TALK", talk)
    unit = "systemctl stop ssh; timeout 120 python3 /root/hostile.py; systemctl start ssh"
    start = f"systemctl reset-failed hostile 2>/dev/null\nsystemd-run --quiet --collect --unit hostile sh -c '{unit}'\n"
    world.root(address, f"cat > /root/hostile.py <<'END'\n{script}\nEND\n{start}")
    world.wait("the guest to turn", lambda: _answers(address, 23), 30)
    try:
        yield
    finally:
        _answers(address, 23)
        world.wait("the guest's own sshd to be back", lambda: "uid=" in world.root(address, "id", check=False), 40)


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


def client(world: World) -> list[Tried]:
    """Row: attack the client. Page and door visit such a guest at once; both are told within seconds, and others go on meanwhile."""
    return [_visited(world, what, talk) for what, talk in _TALKS.items()]


def _visited(world: World, what: str, talk: str) -> Tried:
    parts = [world.process(name) for name in ("api", "door")]
    before = sum(part.memory_info().rss for part in parts)
    by_ssh: list[float | str] = []
    with _turned(world, "ada", talk):
        code, begun = world.code("ada"), time.monotonic()

        def visit() -> None:
            said = relay(world, "ada", code, "id", timeout=60).stdout
            by_ssh.extend([time.monotonic() - begun, said])

        visitor = threading.Thread(target=visit)
        visitor.start()
        with world.tab("ada", "ada") as tab:
            with world.tab("grace", "grace") as other:
                other.until(PROMPT)
            waited = time.monotonic() - begun
            closed = tab.closed(30)
        took = time.monotonic() - begun
        visitor.join(60)
    grown = sum(part.memory_info().rss for part in parts) - before
    told = closed == 4502 and bool(by_ssh) and "uid=" not in str(by_ssh[1])
    spent = f"page told {closed} after {took:.1f} s, ssh after {by_ssh[0] if by_ssh else 99:.1f} s"
    note = f"{spent}, others waited {waited:.1f} s, +{grown / 2**20:.0f} MiB"
    return Tried(rows.GUEST_CLIENT, what, told and waited < 10 and grown < MEMORY, note=note)
