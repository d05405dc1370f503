"""OpenSSH as a jump host, wholly unprivileged, and clients of OpenSSH for all three ways into a guest: by labctl's door, by that jump host,
and straight.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import psutil

from tests.bench import standing
from tests.bench.guest_here import ACCOUNT
from tests.free_ports import free_port

WAYS = ("door", "openssh", "straight")

_KEPT = """
import ctypes, os, signal, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what its processes leave behind comes to this one
child = subprocess.Popen(sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
while os.wait()[0] != child.pid:
    pass
"""
"""sshd's monitor of a session may end before the process that carried it; its CPU seconds would be nobody's."""

_SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
TrustedUserCAKeys {folder}/user_ca.pub
AuthorizedKeysFile none
AuthenticationMethods publickey
UsePAM no
AuthorizedPrincipalsCommand {helper}/may %i %s
AuthorizedPrincipalsCommandUser learner
AllowUsers learner
ForceCommand /usr/sbin/nologin
PermitTTY no
AllowAgentForwarding no
X11Forwarding no
PermitUserRC no
AllowTcpForwarding local
PermitListen none
AllowStreamLocalForwarding no
PermitTunnel no
GatewayPorts no
LoginGraceTime 20
MaxAuthTries 4
MaxStartups 200:30:400
ClientAliveInterval 15
UseDNS no
StrictModes no
LogLevel ERROR
"""

_CLIENT = """\
Host *
  IdentityFile {folder}/key{number}
  CertificateFile {folder}/key{number}-cert.pub
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking no
  KexAlgorithms curve25519-sha256
  Ciphers aes128-gcm@openssh.com
  LogLevel ERROR
  ControlPath none
Host jump-door
  HostName 127.0.0.1
  Port {door}
  User {principal}
Host jump-openssh
  HostName 127.0.0.1
  Port {openssh}
  User learner
Host door
  HostName box
  ProxyJump jump-door
  User learner
Host openssh
  HostName {address}
  ProxyJump jump-openssh
  User learner
Host straight
  HostName {address}
  User learner
"""


class Jump:
    """The jump host, as `access.md` 2.2 has it: an sshd of an ordinary account. What says who may go where costs it one `cat` a question
    here, where it would have to ask labctl; so much it is favoured. Use as a context manager.
    """

    def __init__(self, house: standing.Standing, address: str, principals: Sequence[str]) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="labctl-j-", dir="/var/tmp"))
        # sshd runs a helper only where every folder above is root's.
        self._helper = Path(tempfile.mkdtemp(prefix="labctl-j-", dir="/run"))
        for made in (self.folder, self._helper):
            made.chmod(0o755)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "host")], check=True)
        os.chown(self.folder / "host", ACCOUNT, ACCOUNT)
        (self.folder / "user_ca.pub").write_text(house.wired.authority.user_authority() + "\n")
        lines = [f'restrict,port-forwarding,permitopen="{address}:22" {one}\n' for one in principals]
        (self._helper / "list").write_text("".join(lines))
        (self._helper / "may").write_text('#!/bin/sh\nexec cat "${0%/*}/list"\n')
        (self._helper / "may").chmod(0o755)
        (self.folder / "config").write_text(_SSHD.format(port=self.port, folder=self.folder, helper=self._helper))
        self._sshd: subprocess.Popen | None = None

    @property
    def process(self) -> psutil.Process:
        """What holds the listener, and whatever its sessions left behind."""
        assert self._sshd is not None
        return psutil.Process(self._sshd.pid)

    def __enter__(self) -> Self:
        lines = (("passwd", f"learner:x:{ACCOUNT}:{ACCOUNT}::/:/bin/sh"), ("shadow", "learner:*:19000:0:99999:7:::"))
        for name, line in lines:
            (self.folder / name).write_text(f"{Path('/etc', name).read_text().rstrip()}\n{line}\n")
        script = 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/shadow" /etc/shadow && exec "$@"'
        become = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
        words = ["unshare", "--mount", "sh", "-c", script, str(self.folder), *become]
        words = [sys.executable, "-c", _KEPT, *words, "/usr/sbin/sshd", "-D", "-e", "-f", str(self.folder / "config")]
        with (self.folder / "log").open("w") as log:
            self._sshd = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + 30
        while not standing.listens("127.0.0.1", self.port):
            if self._sshd.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        if self._sshd is not None:
            self._sshd.terminate()
            self._sshd.wait(20)
        for made in (self.folder, self._helper):
            shutil.rmtree(made, ignore_errors=True)


class Clients:
    """What learners have: a key, a certificate and a config for each seat, as in their bundles."""

    def __init__(self, house: standing.Standing, seats: Sequence[standing.Seat], door: int, openssh: int) -> None:
        self.folder = house.home / "learners"
        self.folder.mkdir()
        self.seats = len(seats)
        until = datetime.now(UTC) + timedelta(hours=4)
        for number, seat in enumerate(seats):
            key = self.folder / f"key{number}"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
            public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
            certificate = house.wired.authority.certify(public, "learner", seat.principal, until)
            (self.folder / f"key{number}-cert.pub").write_text(certificate + "\n")
            filled = {"folder": self.folder, "number": number, "principal": seat.principal, "address": seat.address}
            (self.folder / f"config{number}").write_text(_CLIENT.format(door=door, openssh=openssh, **filled))

    def ssh(self, way: str, number: int, *words: str) -> list[str]:
        """The command of the learner with that number (of as many as there are)."""
        return ["ssh", "-F", str(self.folder / f"config{number % self.seats}"), way, *words]

    def scp(self, number: int, *words: str) -> list[str]:
        """Copies: words are paths, with a way before the colon."""
        return ["scp", "-q", "-F", str(self.folder / f"config{number % self.seats}"), *words]
