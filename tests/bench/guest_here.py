"""Guests for benches: OpenSSH servers on loopback addresses, port 22, each for many seats. A seat's shells have their own folder for tmux's
socket, so a seat has its own tmux as on its own machine; what is measured is labctl, not how many kernels there are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from labctl.drivers.ssh_ca import Authority
from labctl.model import passage
from tests.bench.standing import Seat

ACCOUNT = 2201
"""The learner's uid in here; this machine has no such account, so sshd sees one in a mount namespace of its own."""

MOST_NAMES = 250
"""Principals of one certificate: OpenSSH takes 256."""

PROGRAMS = ("sh", "bash", "id", "stty", "cat", "seq", "head", "yes", "tr", "env")
"""What a guest without tmux has."""

_LINES = """\
Port 22
ListenAddress {address}
HostKey {folder}/host
HostCertificate {folder}/host-cert.pub
AuthorizedKeysFile none
TrustedUserCAKeys {folder}/user_ca.pub
AuthorizedPrincipalsFile {folder}/principals
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
UseDNS no
MaxStartups 1000
MaxSessions 50
PermitUserEnvironment yes
Subsystem sftp internal-sftp
AcceptEnv LANG LC_*
PrintLastLog no
PrintMotd no
"""


class Guest:
    """One server for these seats, all at its address. `bare` seats find no tmux. Use as a context manager."""

    def __init__(self, authority: Authority, address: str, seats: Sequence[Seat], *, bare: Sequence[int] = ()) -> None:
        if len(seats) > MOST_NAMES:
            msg = "more seats than a host certificate has room for"
            raise ValueError(msg)
        # Not below the bench's home: sshd reads its files as the learner, and tmux's socket paths must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="labctl-g-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        self.address = address
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "host")], check=True)
        host_key = " ".join((self.folder / "host.pub").read_text().split()[:2])
        names = [passage.host_name(seat.principal, "box") for seat in seats]
        (self.folder / "host-cert.pub").write_text(authority.certify_host(host_key, names) + "\n")
        (self.folder / "user_ca.pub").write_text(authority.user_authority() + "\n")
        (self.folder / "principals").write_text("".join(self._principal(seat, bare=seat.number in bare) for seat in seats))
        (self.folder / "config").write_text(_LINES.format(address=address, folder=self.folder))
        self._sshd: subprocess.Popen | None = None

    def _principal(self, seat: Seat, *, bare: bool) -> str:
        sockets = self.folder / f"t{seat.number}"
        sockets.mkdir(mode=0o700)
        os.chown(sockets, ACCOUNT, ACCOUNT)
        words = [f'environment="TMUX_TMPDIR={sockets}"']
        if bare:
            programs = self.folder / "bin"
            programs.mkdir(exist_ok=True)
            for name in PROGRAMS:
                with contextlib.suppress(FileExistsError):
                    (programs / name).symlink_to(shutil.which(name) or name)
            words.append(f'environment="PATH={programs}"')
        return f"{','.join(words)} {seat.principal}\n"

    def __enter__(self) -> Self:
        Path("/run/sshd").mkdir(exist_ok=True)
        home = self.folder / "home"
        home.mkdir()
        os.chown(home, ACCOUNT, ACCOUNT)
        lines = (("passwd", f"learner:x:{ACCOUNT}:{ACCOUNT}::{home}:/bin/bash"), ("shadow", "learner:*:19000:0:99999:7:::"))
        for name, line in lines:
            (self.folder / name).write_text(f"{Path('/etc', name).read_text().rstrip()}\n{line}\n")
        script = 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/shadow" /etc/shadow && exec "$@"'
        words = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            script,
            str(self.folder),
            "/usr/sbin/sshd",
            "-D",
            "-e",
            "-f",
            str(self.folder / "config"),
        ]
        with (self.folder / "log").open("w") as log:
            self._sshd = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=log)
        end = time.monotonic() + 30
        while time.monotonic() < end and self._sshd.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex((self.address, 22)) == 0:
                    return self
            time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def stop_tmux(self) -> None:
        """Of all seats; what ran in it ends too."""
        for sockets in self.folder.glob("t*/tmux-*/labctl"):
            subprocess.run(["tmux", "-S", sockets, "kill-server"], check=False, capture_output=True)

    def __exit__(self, *_: object) -> None:
        self.stop_tmux()
        if self._sshd is not None:
            self._sshd.terminate()
            self._sshd.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)
