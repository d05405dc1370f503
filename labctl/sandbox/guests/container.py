"""One guest as an LXC container: its configuration, and LXC's commands. Disks and networks are made elsewhere.

LXC 5 of Debian: a user namespace, so that the guest's root is nobody on the host, and on top of it no capability over clock, modules,
raw devices or the kernel's log (`guests.md` 0).
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from labctl.sandbox.guests import cgroups, idmap, network
from labctl.sandbox.guests.runtime import GuestSpec, RuntimeFailure

DEFAULTS = Path("/usr/share/lxc/config")
DROPPED = "mac_admin mac_override sys_time sys_module sys_rawio syslog"
CONSOLE_LOG = "128kB"
"""LXC keeps that much of the console, then rotates."""

STUCK = 10.0
"""Seconds for which LXC may say nothing when it is asked to end a guest."""

LOCKS = Path("/run/lxc/lock")
"""LXC keeps a lock file per container here, by the container's whole path, and never removes it."""

SECCOMP = """2
denylist
reject_force_umount
[all]
kexec_load errno 1
kexec_file_load errno 1
open_by_handle_at errno 1
init_module errno 1
finit_module errno 1
delete_module errno 1
syslog errno 1
settimeofday errno 1
clock_settime errno 1
"""
"""LXC's common profile, plus kernel log and clock: refused a second time, before the user namespace would."""


@dataclass(frozen=True)
class Container:
    """The container `guest` (`<node>-<vmid>`) whose own folder is `folder`."""

    guest: str
    vmid: int
    folder: Path
    net: network.Network
    ids: idmap.IdMap

    @property
    def groups(self) -> cgroups.Groups:
        """Its control groups."""
        return cgroups.Groups(self.guest)

    @property
    def lock(self) -> Path:
        """LXC's lock file."""
        return LOCKS / self.folder.parent.relative_to("/") / f".{self.guest}"

    def forget(self) -> None:
        """Remove what LXC leaves outside the guest's own folder. Repeatable."""
        self.groups.sweep()
        self.lock.unlink(missing_ok=True)

    def configure(self, spec: GuestSpec) -> None:
        """Write LXC's configuration and the hooks that plug the cards in."""
        (self.folder / "seccomp").write_text(SECCOMP, encoding="ascii")
        lines = [f"lxc.include = {DEFAULTS}/common.conf", f"lxc.include = {DEFAULTS}/userns.conf"]
        if spec.nesting:
            lines.append(f"lxc.include = {DEFAULTS}/nesting.conf")
        lines += [
            f"lxc.uts.name = {spec.identity.hostname if spec.identity else self.guest}",
            f"lxc.rootfs.path = dir:{self.folder}/root",
            f"lxc.idmap = u 0 {self.ids.first} {self.ids.count}",
            f"lxc.idmap = g 0 {self.ids.first} {self.ids.count}",
            f"lxc.cap.drop = {DROPPED}",
            f"lxc.seccomp.profile = {self.folder}/seccomp",
            "lxc.apparmor.profile = unconfined",
            f"lxc.console.logfile = {self.folder}/console.log",
            f"lxc.console.size = {CONSOLE_LOG}",
            "lxc.console.rotate = 1",
            # A new network namespace takes this from the machine, which may forward for reasons of its own.
            "lxc.sysctl.net.ipv4.ip_forward = 0",
            *cgroups.limits(spec),
        ]
        for nic in spec.nics:
            hook = self.folder / f"plug-{nic.index}"
            hook.write_text(network.plug_script(self.vmid, nic), encoding="utf-8")
            hook.chmod(0o755)
            card = {
                "type": "veth",
                "name": f"eth{nic.index}",
                "veth.pair": network.port(self.vmid, nic.index),
                "hwaddr": nic.mac.lower(),
                "flags": "up",
                "script.up": str(hook),
                "ipv4.address": _with_broadcast(nic.address),
                "ipv4.gateway": nic.gateway,
            }
            lines += [f"lxc.net.{nic.index}.{key} = {value}" for key, value in card.items() if value is not None]
        if not spec.nics:
            lines.append("lxc.net.0.type = empty")
        (self.folder / "config").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def _command(self, *command: str) -> list[str]:
        """In the node's namespace: cards' host ends are born where they belong, and LXC's command sockets (abstract, so one set per
        network namespace) are found again.
        """
        tool, *rest = command
        return [*self.net.inside(), tool, "-P", str(self.folder.parent), "-n", self.guest, *rest]

    def start(self) -> None:
        """Returns when init runs. LXC's monitor is nobody's child afterwards: it outlives the node."""
        log = self.folder / "lxc.log"
        log.unlink(missing_ok=True)
        command = self._command("lxc-start", "-d", "-o", str(log), "-l", "ERROR")
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            words = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
            reason = "; ".join(re.sub(r"^lxc-start \S+ \S+ ERROR\s+", "", line) for line in words[:4]) or done.stdout.strip()
            raise RuntimeFailure(f"startup for container '{self.vmid}' failed: {reason}")

    def shutdown(self, timeout: float) -> bool:
        """Ask init to end; True when the guest is off within `timeout` seconds."""
        pid = self.init()
        if pid is None:
            return not self.groups.alive()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGRTMIN + 3)  # systemd: start halt.target
        return self.await_off(timeout)

    def stop(self) -> None:
        """Kill it (by its control group: 0.1 s, where `lxc-stop -k` takes 0.6). LXC's monitor sees that and cleans up; it is killed too
        when it does not end.
        """
        if not self.groups.alive():
            return
        self.groups.kill("payload")
        if self.await_off(5):
            return
        # A monitor whose guest was killed half-way through its start may wait for that guest for ever, and answers nobody.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(self._command("lxc-stop", "-k"), capture_output=True, timeout=STUCK, check=False)
        self.groups.kill("payload", "monitor")
        if not self.await_off(10):
            raise RuntimeFailure(f"container '{self.vmid}' could not be killed: a process hangs in the kernel")

    def await_off(self, timeout: float) -> bool:
        """True as soon as nothing of the guest runs any more."""
        deadline = time.monotonic() + timeout
        while self.groups.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def init(self) -> int | None:
        """The host's number of the guest's process 1; None when there is none."""
        done = subprocess.run(self._command("lxc-info", "-p", "-H"), capture_output=True, text=True, check=False)
        text = done.stdout.strip()
        return int(text) if text.isdigit() and int(text) > 1 else None

    def addresses(self) -> list[tuple[str, str, list[str]]]:
        """(interface, MAC, addresses with prefix), loopback included, read from outside: nothing of the guest is run."""
        pid = self.init()
        if pid is None:
            return []
        done = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-j", "address", "show"], capture_output=True, text=True, check=False)
        links = json.loads(done.stdout or "[]") if done.returncode == 0 else []
        return [
            (
                link["ifname"],
                link.get("address", ""),
                [f"{entry['local']}/{entry['prefixlen']}" for entry in link["addr_info"] if "local" in entry],
            )
            for link in links
        ]

    def console(self) -> list[str]:
        """A command that shows the guest's console on a terminal."""
        return self._command("lxc-console", "-t", "0", "-e", "-1")

    def uptime(self) -> int:
        """Seconds since init started."""
        pid = self.init()
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            now = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        except OSError:
            return 0
        return max(int(now - int(fields[19]) / os.sysconf("SC_CLK_TCK")), 0)


def _with_broadcast(address: str | None) -> str | None:
    """LXC works the broadcast address out wrongly by itself (seen: 0.0.255.255)."""
    return f"{address} {ipaddress.ip_interface(address).network.broadcast_address}" if address else None
