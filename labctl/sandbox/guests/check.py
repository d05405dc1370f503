"""What this machine lacks for real guests, and what exactly would give it. Kernel features are tried, not guessed from versions.

Also the few settings of the kernel that the node raises by itself when it starts (and says so). Nothing is installed here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labctl.sandbox.guests import cgroups, idmap
from labctl.sandbox.guests.runtime import RuntimeFailure

TOOLS = {
    "lxc-start": "lxc",
    "lxc-usernsexec": "lxc",
    "newuidmap": "uidmap",
    "mmdebstrap": "mmdebstrap",
    "zstd": "zstd",
    "nft": "nftables",
    "ip": "iproute2",
    "bridge": "iproute2",
    "sysctl": "procps",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
}
"""Command -> the Debian package that brings it."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
"""Debian's keys, with which mmdebstrap checks every package; other distributions do not have them by themselves."""

LIMITS = {
    # `guests.md` 2, pitfalls 1 and 2: with the defaults systemd does not come up in about the 25th guest.
    "fs.inotify.max_user_instances": 8192,
    "fs.inotify.max_user_watches": 1048576,
    "kernel.keys.maxkeys": 200_000,
    "kernel.keys.maxbytes": 25_000_000,
}
"""The least that a class needs; guests share one range of ids, and these are counted per id."""

DISK = 3 * 2**30
MEMORY = 1 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at. Not `ok`: no real guest runs here until `remedy` is done."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def findings(home: Path | None = None) -> list[Finding]:
    """Everything real guests need. `home` is where disks will lie (for its file system and free space); default the temporary folder."""
    place = _existing(home or Path(tempfile.gettempdir()))
    return [_root(), _tools(), *_namespaces(), _cgroups(), _overlay(place), _network(), _ids(), *_limits(), _disk(place), _memory(), _kvm()]


def missing(found: list[Finding]) -> list[Finding]:
    """Those without which no guest runs."""
    return [one for one in found if not one.ok]


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _root() -> Finding:
    ok = os.geteuid() == 0
    return Finding("root", ok, "runs as root" if ok else f"runs as uid {os.geteuid()}", "" if ok else "run it as root (sudo)")


def _tools() -> Finding:
    absent = [tool for tool in TOOLS if _which(tool) is None]
    packages = {TOOLS[tool] for tool in absent}
    if not KEYRING.exists():
        absent.append(str(KEYRING))
        packages.add("debian-archive-keyring")
    return Finding(
        "tools",
        not absent,
        f"missing: {', '.join(absent)}" if absent else "all there",
        f"apt-get install --no-install-recommends {' '.join(sorted(packages))}" if absent else "",
    )


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _tried(*command: str) -> str:
    """Empty when the command succeeds, else its words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]


def _namespaces() -> list[Finding]:
    user = _tried("unshare", "--user", "--map-root-user", "true")
    rest = _tried("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "true")
    return [
        Finding(
            "user namespaces",
            not user,
            user or "can be made",
            "sysctl -w user.max_user_namespaces=15000; inside a container: start it privileged" if user else "",
        ),
        Finding(
            "other namespaces",
            not rest,
            rest or "can be made",
            "be root on the machine itself, or in a privileged container" if rest else "",
        ),
    ]


def _cgroups() -> Finding:
    tree = cgroups.unified()
    lacking = sorted({"cpu", "memory", "pids"} - cgroups.controllers())
    if tree is None:
        return Finding(
            "cgroups", False, "no cgroup2 tree is mounted", "mount -t cgroup2 none /sys/fs/cgroup (on systemd machines it is there)"
        )
    if lacking:
        return Finding("cgroups", False, f"controllers missing: {', '.join(lacking)}", "boot with cgroup_enable=memory swapaccount=1")
    trial = tree / f"sandbox-check-{os.getpid()}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError as error:
        return Finding("cgroups", False, f"{tree}: {error.strerror}", "be root on the machine itself: /sys/fs/cgroup must be writable")
    return Finding("cgroups", True, f"{'version 2' if cgroups.is_modern() else 'hybrid'}: cpu, memory, pids")


def _overlay(place: Path) -> Finding:
    """Mounted for a moment in a mount namespace of its own, on the file system that will hold the disks."""
    try:
        with tempfile.TemporaryDirectory(prefix=".overlay-check-", dir=place) as scratch:
            for name in ("lower", "upper", "work", "root"):
                (Path(scratch) / name).mkdir()
            options = "lowerdir=lower,upperdir=upper,workdir=work,index=off,metacopy=off,redirect_dir=on"
            script = 'cd "$1" && mount -t overlay -o "$2" check root && touch root/file && rm root/file'
            words = _tried("unshare", "--mount", "sh", "-c", script, "sh", scratch, options)
    except OSError as error:
        words = f"{place}: {error.strerror}"
    remedy = "modprobe overlay; the home must lie on ext4, xfs or btrfs (not on an overlay or NFS)"
    return Finding("overlay file system", not words, words or f"works on {place}", remedy if words else "")


def _network() -> Finding:
    steps = (
        "ip link add b0 type bridge stp_state 0 mcast_snooping 0",
        "ip link add p0 type veth peer name p1",
        "ip link set p0 master b0 up",
        "bridge link set dev p0 isolated on learning off flood off",
        "bridge fdb replace 02:00:00:00:00:01 dev p0 master static",
        "nft add table inet check",
        "nft 'add chain inet check c { type filter hook prerouting priority -140; }'",
        "nft add rule inet check c ct state established accept",
        "nft add table bridge check",
        "nft 'add chain bridge check c { type filter hook prerouting priority -300; }'",
        "nft 'add rule bridge check c iifname p0 meta mark set 1'",
        "sysctl -qw net.bridge.bridge-nf-call-iptables=1",
    )
    words = _tried("unshare", "--net", "sh", "-ec", "\n".join(steps))
    remedy = "modprobe -a veth bridge br_netfilter nf_tables nf_conntrack; apt-get install iproute2 nftables procps"
    return Finding("network", not words, words or "cables, bridges, isolated ports, filtered bridges, nftables", remedy if words else "")


def _ids() -> Finding:
    ids = idmap.granted()
    if ids:
        return Finding("ids of guests", True, f"root may use {ids.first}..{ids.first + ids.count - 1}")
    can = os.geteuid() == 0
    command = "; ".join(f"echo root:{idmap.DEFAULT_FIRST}:{idmap.COUNT} >> {file}" for file in idmap.FILES)
    return Finding(
        "ids of guests", can, "root has no range of ids; the node enters one when it starts" if can else "root has no range", command
    )


def _limits() -> Iterator[Finding]:
    for name, least in LIMITS.items():
        file = _sysctl(name)
        value = int(file.read_text(encoding="ascii")) if file.exists() else least
        can = value >= least or os.access(file, os.W_OK)
        detail = f"{value}" if value >= least else f"{value}, for more than 20 guests {least}; the node raises it when it starts"
        yield Finding(name, can, detail, "" if value >= least else f"sysctl -w {name}={least}")


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name.replace(".", "/")


def _disk(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    return Finding(
        "disk",
        free >= DISK,
        f"{free / 2**30:.1f} GiB free at {place}",
        "" if free >= DISK else f"free {DISK // 2**30} GiB or choose another home",
    )


def _memory() -> Finding:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    return Finding(
        "memory",
        free >= MEMORY,
        f"{free / 2**30:.1f} GiB available",
        "" if free >= MEMORY else f"free {MEMORY // 2**30} GiB (a guest takes some 20 MiB)",
    )


def _kvm() -> Finding:
    """No reason against guests: where KVM is not used, containers stand in. /dev/kvm alone proves nothing (`guests.md` 4: there it
    opened and no guest booted).
    """
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
    ok = Path("/dev/kvm").exists() and bool({"vmx", "svm"} & set(flags))
    detail = "the processor could run VMs, but this node has no QEMU guests yet" if ok else "not usable"
    return Finding("KVM", True, f"{detail}: containers stand in for VMs", "")


def raise_limits() -> list[str]:
    """Raise what is too low for a class; returns `name: old -> new` of what was changed. Nothing is ever lowered."""
    changed = []
    for name, least in LIMITS.items():
        file = _sysctl(name)
        with contextlib.suppress(OSError):
            old = int(file.read_text(encoding="ascii"))
            if old < least:
                file.write_text(str(least), encoding="ascii")
                changed.append(f"{name}: {old} -> {least}")
    return changed


def searchable(home: Path, ids: idmap.IdMap) -> None:
    """Make the home; raises RuntimeFailure when guests' root could not pass through a folder above it."""
    home.mkdir(parents=True, exist_ok=True)
    for folder in (home, *home.parents):
        held = folder.stat()
        if not held.st_mode & 0o001 and not (held.st_gid == ids.first and held.st_mode & 0o010):
            raise RuntimeFailure(
                f"guests cannot reach their disks below {folder}: others may not pass through it. Choose another home "
                f"(such as /var/lib/labctl), or: chmod o+x {folder}"
            )
