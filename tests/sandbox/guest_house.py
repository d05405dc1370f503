"""A small house of real guests for tests: one runtime, a management bridge with a cable, addresses, SSH with the guest's own host key."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from labctl.sandbox.guests import image, inventory, lxc, recipe
from labctl.sandbox.guests.runtime import GuestSpec, Identity, NicSpec

CACHE = Path(os.environ.get("LABCTL_TEST_CACHE", "/var/cache/labctl"))
VM, CT = 9000, 9001
MGMT = "labmgmt"
COUNT = itertools.count()
HELD = {"isolated": True, "learning": False}
"""As the management network is set up."""


def run(*command, check=True, **more):
    return subprocess.run(command, capture_output=True, text=True, check=check, **more)


class House:
    def __init__(self, tag: str) -> None:
        number = (os.getpid() * 8 + next(COUNT)) % 1000
        self.name = f"{tag}{number}"
        self.uplink = f"{self.name}u"
        self.prefix = f"100.{120 + number // 256}.{number % 256}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"labctl-{self.name}-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.home = self.folder / "node"
        image.build(CACHE, print)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "key"))
        self.key = (self.folder / "key.pub").read_text().strip()
        self.runtime = lxc.LxcRuntime(self.home, self.name, CACHE, self.key)
        for vmid, name in ((VM, recipe.NAME), (CT, lxc.CONTAINER_IMAGE)):
            self.runtime.provide(vmid, name)
            self.runtime.freeze_template(vmid)
        self.runtime.add_bridge(MGMT)
        self.runtime.connect(self.uplink, MGMT)
        run("ip", "address", "add", f"{self.prefix}.1/24", "dev", self.uplink)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        inventory.wipe(self.home, self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def reopened(self) -> lxc.LxcRuntime:
        """What a restarted node would hold; the house goes on with it."""
        self.runtime.close()
        self.runtime = lxc.LxcRuntime(self.home, self.name, CACHE, self.key)
        return self.runtime

    def address(self, vmid: int) -> str:
        return f"{self.prefix}.{vmid % 250 + 2}"

    def mac(self, vmid: int, index: int = 0) -> str:
        return f"bc:24:11:{index:02x}:{vmid // 256 % 256:02x}:{vmid % 256:02x}"

    def spec(self, vmid: int, *, lab=(), user="ada", instance="one", memory=256, cores=1, card=HELD, **identity) -> GuestSpec:
        """`lab`: (bridge, address with prefix) of further cards; `card`: what the management card has beside its addresses."""
        nics = [NicSpec(0, self.mac(vmid), MGMT, f"{self.address(vmid)}/24", **card)]
        nics += [NicSpec(i, self.mac(vmid, i), bridge, address) for i, (bridge, address) in enumerate(lab, 1)]
        who = Identity(instance, f"guest{vmid}", user, ssh_keys=(self.key,) if user else (), **identity)
        return GuestSpec(vmid, cores, memory, tuple(nics), who)

    def up(self, vmid: int, source: int = VM, **spec) -> None:
        """A started linked clone that answers by SSH."""
        self.runtime.clone(source, vmid, linked=True)
        self.start(vmid, **spec)

    def start(self, vmid: int, **spec) -> None:
        run("ip", "neigh", "replace", self.address(vmid), "lladdr", self.mac(vmid), "dev", self.uplink, "nud", "permanent")
        self.runtime.start(self.spec(vmid, **spec))
        assert self.banner(vmid), self.console(vmid)

    def console(self, vmid: int) -> str:
        return (self.home / "guests" / f"{self.name}-{vmid}" / "console.log").read_text(errors="replace")[-2000:]

    def banner(self, vmid: int, within: float = 120) -> bytes:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((self.address(vmid), 22), timeout=0.2) as there:
                    there.settimeout(5)
                    if line := there.recv(64):
                        return line
            except OSError:
                time.sleep(0.02)
        return b""

    def root(self, vmid: int) -> Path:
        """The guest's file system as the host sees it while it is mounted."""
        return self.home / "guests" / f"{self.name}-{vmid}" / "root"

    def host_key(self, vmid: int) -> str:
        return (self.root(vmid) / "etc/ssh/ssh_host_ed25519_key.pub").read_text().strip()

    def ssh(self, vmid: int, command: str, user: str = "ada", check: bool = True, patience: int = 60) -> subprocess.CompletedProcess[str]:
        """By the guest's own host key, read from its disk; one that does not answer is given up after `patience` seconds."""
        known = self.folder / f"known-{vmid}"
        known.write_text(f"{self.address(vmid)} {self.host_key(vmid)}\n")
        options = [f"UserKnownHostsFile={known}", "BatchMode=yes", f"ConnectTimeout={patience}", "KexAlgorithms=curve25519-sha256"]
        flags = [part for option in options for part in ("-o", option)]
        done = run(
            "ssh", "-F", "none", "-i", str(self.folder / "key"), *flags, f"{user}@{self.address(vmid)}", command, check=False, timeout=300
        )
        assert not check or done.returncode == 0, done
        return done

    def say(self, vmid: int, command: str, **more) -> str:
        return self.ssh(vmid, command, **more).stdout.strip()
