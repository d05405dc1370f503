"""The script that takes a configured guest's identity away before it becomes a template: pure text, sent by `ssh`.

What goes: SSH host keys and certificate, principals, machine-id, random seed, DHCP leases, logs, shell histories, labctl's own
leftovers, cloud-init's memory of this instance. What stays: accounts, software, data, labctl's trust in its user authority.

Real Proxmox writes new host keys into no clone of a container, and cloud-init into VMs only when it runs, so a small unit makes
what is missing before sshd starts. systemd itself makes a new machine-id where the file is empty.
"""

from __future__ import annotations

import shlex

UNIT = "labctl-host-keys.service"

_UNIT = """\
[Unit]
Description=SSH host keys of this machine's own
Before=ssh.service sshd.service ssh.socket
After=local-fs.target
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mkdir -p /run/sshd; exec ssh-keygen -A'

[Install]
WantedBy=multi-user.target
"""

_SCRIPT = r"""
set -u
# Whoever started this may be gone before it ends; it ends all the same.
trap '' HUP PIPE
failed=
must() { "$@" || failed="$failed $*;"; }

must sh -c 'printf %s "$1" > /etc/systemd/system/@UNIT@' sh @TEXT@
must systemctl enable -q @UNIT@

# What the course runs is stopped in its own order: data is whole on disk, and nobody writes a log any more. What keeps this connection
# and the way down stays. At the clone's first boot everything that is enabled starts again.
systemctl list-units --type=service --state=running --plain --no-legend | while read -r unit _; do
    case $unit in
        ssh*|systemd-*|dbus*|*getty*|user@*|polkit*|NetworkManager*|networking*|ifup@*|dhc*|wpa_*|qemu-guest-agent*|cloud-*) ;;
        *) echo "$unit" ;;
    esac
done | xargs -r systemctl stop || failed="$failed services do not stop;"
systemctl stop syslog.socket 2>/dev/null
command -v cloud-init >/dev/null 2>&1 && cloud-init clean --logs >/dev/null 2>&1
command -v apt-get >/dev/null 2>&1 && apt-get clean

for journal in /var/log/journal /run/log/journal; do
    [ ! -d "$journal" ] || must find "$journal" -mindepth 1 -delete
done
# Emptied, not removed: owners and modes are what daemons without privileges need to open them again.
must find /var/log -type f '(' -name '*.gz' -o -name '*.xz' -o -name '*.[0-9]' -o -name '*.old' ')' -delete
must find /var/log -type f -exec truncate -s 0 {} +

getent passwd | cut -d: -f6 | sort -u | while read -r home; do
    [ -d "$home" ] && [ "$home" != / ] || continue
    rm -rf "$home"/.bash_history "$home"/.sh_history "$home"/.zsh_history "$home"/.python_history "$home"/.lesshst "$home"/.viminfo
    rm -rf "$home"/.wget-hsts "$home"/.ansible "$home"/.sudo_as_admin_successful "$home"/.ssh/known_hosts
done
rm -rf /var/lib/dhcp/* /var/lib/dhcpcd/* /run/systemd/netif/leases/* /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
rm -rf /etc/apt/apt.conf.d/95labctl-run /var/lib/sudo/ts/* /var/lib/sudo/lectured/* /run/sudo/ts/* /var/lib/dbus/machine-id
find /tmp /var/tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' -exec rm -rf {} + 2>/dev/null
must sh -c ': > /etc/machine-id'
rm -rf /etc/ssh/principals
# Last: from now on sshd lets nobody in.
rm -f /etc/ssh/ssh_host_*
sync
for left in /etc/ssh/ssh_host_* /etc/ssh/principals; do [ -e "$left" ] && failed="$failed $left is still there;"; done
[ -s /etc/machine-id ] && failed="$failed /etc/machine-id is not empty;"
[ -z "$failed" ] || { echo "$failed" >&2; exit 1; }
"""


def script() -> str:
    """What root's /bin/sh must read. Ends with 0 only when nothing is left that two clones may not share."""
    body = _SCRIPT.replace("@UNIT@", UNIT).replace("@TEXT@", shlex.quote(_UNIT))
    # One group, so that the shell has read everything before it runs anything.
    return "{\n" + body + "\nexit 0\n}\n"
