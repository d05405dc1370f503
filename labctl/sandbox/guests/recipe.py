"""The recipe of the guest image `debian-12`: which packages of Debian 12, and what is changed after they are installed.

Only data and its digest; `image` follows it. A changed recipe gives another digest, so an old image is never taken for a new one.
"""

from __future__ import annotations

import hashlib
import json

NAME = "debian-12"
SUITE = "bookworm"

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "sudo",
    "python3",
    "python3-apt",
    "acl",
    "iproute2",
    "iputils-ping",
    "ca-certificates",
    "less",
    "procps",
    "curl",
    "netcat-openbsd",
    "nftables",
    "rsync",
    "tmux",
    "nano",
    "cron",
)
"""`python3-apt` and `acl` are what Ansible otherwise installs or lacks; the rest is what a small server has."""

LEFT_OUT = ("doc", "man", "locale", "info")
"""Folders of /usr/share that packages do not unpack, now or later: a third of the image."""

MASKED = (
    # Units that cannot work in a user namespace and would leave the system `degraded`.
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "systemd-modules-load.service",
    "modprobe@.service",
    "systemd-remount-fs.service",
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    # Work that would start by itself in the middle of a class, and hold apt's lock.
    "apt-daily.timer",
    "apt-daily.service",
    "apt-daily-upgrade.timer",
    "apt-daily-upgrade.service",
    # Nobody but the node gives the network cards their addresses.
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
)

FILES = {
    "etc/machine-id": "",
    "etc/hostname": "debian\n",
    "etc/resolv.conf": "",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/default/locale": "LANG=C.UTF-8\n",
    # 50 sessions: an interactive class opens more than sshd's 10 terminals on one connection (`access.md` 1.1).
    "etc/ssh/sshd_config.d/60-image.conf": "PasswordAuthentication no\nUseDNS no\nMaxSessions 50\n",
    # Journald otherwise lays 8 MiB of empty journal into every clone (`guests.md` 2).
    "etc/systemd/journald.conf.d/60-image.conf": "[Journal]\nSystemMaxUse=16M\nSystemMaxFileSize=1M\nRuntimeMaxUse=4M\n",
}
"""Path -> content. An empty machine-id says "not yet": each clone gets its own."""

SCRIPT = """#!/bin/sh
# Called by mmdebstrap with the root of the new system; the files to lay into it are beside this script.
set -eu
root="$1"
cd "$(dirname "$0")/files"
find . -type f | while read -r file; do
  rm -f "$root/$file"
  install -D -m 644 "$file" "$root/$file"
done
rm -f "$root"/etc/ssh/ssh_host_*
for unit in {masked}; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
rm -f "$root"/var/cache/apt/archives/*.deb
chroot "$root" apt-cache gencaches
chmod 755 "$root"
"""


def script() -> str:
    """The customisation that is not plain files. Writing apt's package cache once spares every guest 0.25 s per `apt`."""
    return SCRIPT.format(masked=" ".join(f"'{unit}'" for unit in MASKED))


def digest() -> str:
    """12 hex digits of all that decides the image's content, apart from the versions Debian has on that day."""
    whole = json.dumps([SUITE, PACKAGES, LEFT_OUT, FILES, script()], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def stem() -> str:
    """`debian-12-<digest>`: the name of the tarball without its ending, and of the unpacked folder."""
    return f"{NAME}-{digest()}"
