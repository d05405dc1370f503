"""A real OpenSSH server on loopback with its own keys and configuration: what a guest's sshd is, without the guest."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from labctl.drivers.ssh_ca import Authority, host_name
from labctl.model.environment import Machine
from tests.drivers import guests_here
from tests.free_ports import free_port


def _with_account(folder: Path, login: str, desktops: Path | None) -> list[str]:
    """Words before a command that then sees an account of that name which this machine does not have (own mount namespace), and of
    these desktops those only.
    """
    home = folder / "home"
    home.mkdir(exist_ok=True)
    os.chown(home, 2201, 2201)
    for name, line in (("passwd", f"{login}:x:2201:2201::{home}:/bin/bash"), ("shadow", f"{login}:*:19000:0:99999:7:::")):
        (folder / name).write_text(f"{Path('/etc', name).read_text().rstrip()}\n{line}\n")
    script = 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/shadow" /etc/shadow'
    if desktops is not None:
        Path("/run/labctl-desktop").mkdir(exist_ok=True)
        script += f" && mount --bind {shlex.quote(str(desktops))} /run/labctl-desktop"
    return ["unshare", "--mount", "sh", "-c", f'{script} && exec "$@"', str(folder)]


class SshdHere:
    """`authority` is the one it was enrolled by; `certify_by`, `certify_as`, `certified_at` spoil its host certificate;
    `lines` are more of its configuration, `desktops` is what it has at /run/labctl-desktop.
    """

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        *,
        certify_by=None,
        certify_as=None,
        certified_at=None,
        certified=True,
        plan=None,
        port=0,
        lines=(),
        desktops=None,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.user = getpass.getuser()
        self.port = port or free_port()
        site = guests_here.site()
        self.plan = plan or guests_here.plan(site, 5, [guests_here.machine(site, 5, 1, "box", login=self.user)])
        self.address = "127.0.0.1" if plan is None else plan.machine("box").address
        for old in (folder / "host", folder / "host.pub"):
            old.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")], check=True)
        self.host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        name = certify_as or host_name(self.plan, "box")
        certificate = (certify_by or authority).certify_host(self.host_key, [name], certified_at or datetime.now(UTC))
        (folder / "host-cert.pub").write_text(certificate + "\n")
        (folder / "authorized_keys").write_text(authority.deploy_public() + "\n")
        (folder / "user_ca.pub").write_text(authority.user_authority() + "\n")
        (folder / "principals").write_text(self.plan.principal + "\n")
        lines = [
            *lines,
            f"Port {self.port}",
            f"ListenAddress {self.address}",
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
            # Else of more than ten that come in at once some are dropped by chance, the more the slower they are.
            "MaxStartups 1000",
            "Subsystem sftp internal-sftp",
            "AcceptEnv LANG LC_*",
        ]
        (folder / "config").write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        program = ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")]
        self._process = subprocess.Popen(
            program if plan is None else [*_with_account(folder, plan.machine("box").login, desktops), *program],
            stderr=(folder / "log").open("w"),
            stdin=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 180
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex((self.address, self.port)) == 0:
                    return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise AssertionError("sshd did not come up")

    @property
    def machine(self) -> Machine:
        return Machine(
            name="box", vmid=100, node="n", kind="container", address=self.address, mac="bc:24:11:00:00:01", host_key=self.host_key
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
