"""A real OpenSSH server on loopback with its own keys and configuration: what a guest's sshd is, without the guest."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from labctl.drivers.ssh_ca import Authority, host_name
from labctl.model.environment import Machine
from tests.drivers import guests_here


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class SshdHere:
    """`authority` is the one it was enrolled by; `certify_by`, `certify_as`, `certified_at` spoil its host certificate."""

    def __init__(self, folder: Path, authority: Authority, *, certify_by=None, certify_as=None, certified_at=None, certified=True) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.user = getpass.getuser()
        self.port = free_port()
        self.plan = guests_here.plan(guests_here.site(), 5, [guests_here.machine(guests_here.site(), 5, 1, "box", login=self.user)])
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")], check=True)
        self.host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        name = certify_as or host_name(self.plan, "box")
        certificate = (certify_by or authority).certify_host(self.host_key, [name], certified_at or datetime.now(UTC))
        (folder / "host-cert.pub").write_text(certificate + "\n")
        (folder / "authorized_keys").write_text(authority.deploy_public() + "\n")
        (folder / "user_ca.pub").write_text(authority.user_authority() + "\n")
        (folder / "principals").write_text(self.plan.principal + "\n")
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {folder}/host",
            f"HostCertificate {folder}/host-cert.pub" if certified else "",
            f"AuthorizedKeysFile {folder}/authorized_keys",
            f"TrustedUserCAKeys {folder}/user_ca.pub",
            f"AuthorizedPrincipalsFile {folder}/principals",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "UseDNS no",
        ]
        (folder / "config").write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")], stderr=(folder / "log").open("w"), stdin=subprocess.DEVNULL
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError("sshd did not come up")

    @property
    def machine(self) -> Machine:
        return Machine(
            name="box", vmid=100, node="n", kind="container", address="127.0.0.1", mac="bc:24:11:00:00:01", host_key=self.host_key
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
