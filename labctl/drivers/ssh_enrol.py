"""The one script with which labctl enrols a guest: pure text, sent to root's shell on stdin by `ssh`.

It may be run any number of times and changes only what differs: host certificate, trust in labctl's user authority,
the seat's principal, the learner's account, names, routes, forwarding. sshd is told only when one of its files changed.
Nothing here touches lab content: that is the plan's steps.

A class runs this on every machine at the same time, and on a guest each process that a script starts costs as much as all that the
shell does itself. So files are compared and looked through by the shell's own `read`, and processes are started for changes only.
"""

from __future__ import annotations

import shlex
from ipaddress import ip_interface

from labctl.model.plan import Plan, PlannedMachine

_SSHD = """\
# Written by labctl when the guest is enrolled.
HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub
TrustedUserCAKeys /etc/ssh/labctl_user_ca.pub
AuthorizedPrincipalsFile /etc/ssh/principals/%u
MaxSessions 50
UseDNS no
SetEnv LANG=C.UTF-8
"""
"""MaxSessions: the default 10 stops the 11th terminal; LANG: Debian's guests have none and bash mangles UTF-8 (`access.md` 1.1)."""

_HEAD = r"""
set -eu
umask 022
changed=no
end='
'
# text PATH: what PATH holds, in $text, always with a newline at its end.
text() {
    text=
    while IFS= read -r line || [ -n "$line" ]; do text="$text$line$end"; done < "$1"
}
# place PATH TEXT: PATH holds TEXT and a newline; a file that differs is replaced in one go. Its mode is 644.
place() {
    if [ -f "$1" ] && [ ! -L "$1" ]; then
        text "$1"
        if [ "$text" = "$2$end" ]; then same="$same $1"; return; fi
    fi
    rm -rf "$1.labctl-new"
    printf '%s\n' "$2" > "$1.labctl-new"
    mv -fT "$1.labctl-new" "$1"
    changed=yes
}
same=
# block PATH TEXT: puts TEXT between labctl's two marks at the end of PATH, leaving the rest as it is.
block() {
    text "$1"
    before=$text kept= mine=no
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
            '# labctl begin') mine=yes ;;
            '# labctl end') mine=no ;;
            *) [ "$mine" = yes ] || kept="$kept$line$end" ;;
        esac
    done < "$1"
    kept="$kept# labctl begin
$2
# labctl end
"
    [ "$before" = "$kept" ] || printf '%s' "$kept" > "$1"
}
# field FILE NAME NUMBER: the field of NAME's line in a file such as /etc/passwd, in $field; fails where there is no such line.
field() {
    while IFS=: read -r first second third rest; do
        [ "$first" = "$2" ] || continue
        case $3 in 2) field=$second ;; 3) field=$third ;; esac
        return 0
    done < "$1"
    return 1
}
"""


def script(plan: Plan, machine: PlannedMachine, *, host_certificate: str, user_authority: str) -> str:
    """What root's /bin/sh must read on `machine`. Holds the learner's password where the plan has one."""
    parts = [
        _HEAD,
        _sshd(plan, machine, host_certificate, user_authority),
        _account(machine),
        _names(plan, machine),
        _routes(machine),
        _forwarding(machine),
        _RELOAD,
    ]
    # One group, so that the shell has read everything before it runs anything.
    return "{\n" + "\n".join(parts) + "\nexit 0\n}\n"


def names(plan: Plan, machine: PlannedMachine) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(address, names) of every neighbour that `machine` shares a lab network with; hidden machines are left out."""
    mine = {nic.network for nic in machine.nics if nic.network is not None}
    found = []
    for other in plan.machines:
        if other.name == machine.name or other.hidden:
            continue
        for nic in other.nics:
            if nic.network in mine and nic.address is not None:
                found.append((nic.address.partition("/")[0], _unique(*(other.names or ()), other.hostname, other.name)))
                break
    return tuple(found)


def _unique(*words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _here(command: str, text: str) -> str:
    """`command` with `text` on its stdin, none of it read by the shell."""
    return f"printf '%s' {shlex.quote(text)} | {command}"


def _place(path: str, text: str) -> str:
    return f"place {shlex.quote(path)} {shlex.quote(text.removesuffix(chr(10)))}"


_CONFIGURATION = "/etc/ssh/sshd_config.d/10-labctl.conf"


def _sshd(plan: Plan, machine: PlannedMachine, host_certificate: str, user_authority: str) -> str:
    return "\n".join(
        [
            "[ -d /etc/ssh/principals ] && [ -d /etc/ssh/sshd_config.d ] || mkdir -p /etc/ssh/principals /etc/ssh/sshd_config.d",
            _place("/etc/ssh/labctl_user_ca.pub", user_authority),
            _place(f"/etc/ssh/principals/{machine.login}", plan.principal),
            # sshd looks these two up at each login, so it need not be told of them.
            "changed=no",
            _place(_CONFIGURATION, _SSHD),
            "included() {",
            "    while read -r word value _; do",
            "        case $word in [Ii]nclude) case $value in /etc/ssh/sshd_config.d/*) return 0 ;; esac ;; esac",
            "    done < /etc/ssh/sshd_config",
            "    return 1",
            "}",
            "included || { sed -i '1i Include /etc/ssh/sshd_config.d/*.conf' /etc/ssh/sshd_config; changed=yes; }",
            "configuration=$changed",
            _place("/etc/ssh/ssh_host_ed25519_key-cert.pub", host_certificate),
            '[ -z "$same" ] || chmod 644 $same',
        ]
    )


_RELOAD = f"""
# Until 9.7 OpenSSH's daemon starts itself anew for each connection, which reads keys and certificates again; from 9.8 on there is
# sshd-session, which is handed what the daemon read at its start. A daemon older than its configuration has to read that in any case.
if [ "$configuration" = no ] && [ /run/sshd.pid -nt {_CONFIGURATION} ] && [ ! -e /usr/lib/openssh/sshd-session ]; then
    :
elif [ "$changed" = yes ]; then
    mkdir -p /run/sshd
    /usr/sbin/sshd -t
    systemctl reload ssh 2>/dev/null || systemctl reload sshd 2>/dev/null || systemctl try-restart ssh sshd
fi
"""


def _account(machine: PlannedMachine) -> str:
    """The learner's account. Without a password the field is '*': no password fits, and sshd does not call it locked."""
    login = shlex.quote(machine.login)
    lines = [f"field /etc/passwd {login} 3 || useradd --create-home --shell /bin/bash {login}"]
    if machine.password is not None:
        lines.append(_here("chpasswd", f"{machine.login}:{machine.password}\n"))
    elif machine.login != "root":
        lines.append(f"field /etc/shadow {login} 2 && case $field in '!'*) usermod -p '*' {login} ;; esac")
    sudoers = f"/etc/sudoers.d/labctl-{machine.login}"
    if machine.login == "root":
        pass
    elif machine.sudo:
        lines += ["mkdir -p /etc/sudoers.d", _place(sudoers, f"{machine.login} ALL=(ALL:ALL) NOPASSWD:ALL")]
        lines.append(f"chmod 440 {shlex.quote(sudoers)}")
    else:
        lines.append(f"[ ! -e {shlex.quote(sudoers)} ] || rm -f {shlex.quote(sudoers)}")
    return "\n".join(lines)


def _names(plan: Plan, machine: PlannedMachine) -> str:
    """Host name and /etc/hosts. Proxmox' cloud-init lets /etc/hosts be written anew from cloud-init's template at every boot
    (`manage_etc_hosts`), hence the template gets the block as well.
    """
    hostname = shlex.quote(machine.hostname)
    lines = [f"127.0.1.1 {' '.join(_unique(*(machine.names or ()), machine.hostname))}"]
    lines += [f"{address} {' '.join(words)}" for address, words in names(plan, machine)]
    text = shlex.quote("\n".join(lines))
    return "\n".join(
        [
            "text /proc/sys/kernel/hostname",
            f'[ "$text" = {hostname}"$end" ] || hostname {hostname}',
            "text=",
            "[ ! -f /etc/hostname ] || text /etc/hostname",
            f'[ "$text" = {hostname}"$end" ] || echo {hostname} > /etc/hostname',
            "[ -e /etc/hosts ] || : > /etc/hosts",
            "for file in /etc/hosts /etc/cloud/templates/hosts.debian.tmpl; do",
            f'    [ ! -f "$file" ] || block "$file" {text}',
            "done",
        ]
    )


_ROUTES_UNIT = """\
[Unit]
Description=Routes of the lab
After=network.target network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /etc/labctl-routes
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def _routes(machine: PlannedMachine) -> str:
    """Routes behind lab routers, and the default route where a lab card carries it: set now, and at every start by a unit."""
    wanted = [(cidr, via) for cidr, via in machine.routes]
    wanted += [("default", nic.gateway) for nic in machine.nics if nic.gateway and nic.address and _usable(nic.gateway, nic.address)]
    if not wanted:
        return "if [ -f /etc/labctl-routes ]; then systemctl disable --now labctl-routes.service; rm -f /etc/labctl-routes; fi"
    commands = "".join(f"ip route replace {shlex.quote(cidr)} via {shlex.quote(via)}\n" for cidr, via in wanted)
    return "\n".join(
        [
            "before=$changed; changed=no",
            _place("/etc/labctl-routes", "set -e\n" + commands),
            _place("/etc/systemd/system/labctl-routes.service", _ROUTES_UNIT),
            'if [ "$changed" = yes ]; then systemctl daemon-reload; systemctl enable -q labctl-routes.service; fi',
            "systemctl restart labctl-routes.service",
            "changed=$before",
        ]
    )


def _usable(gateway: str, address: str) -> bool:
    return ip_interface(gateway.partition("/")[0]).ip in ip_interface(address).network


def _forwarding(machine: PlannedMachine) -> str:
    if not machine.forwards:
        return "[ ! -e /etc/sysctl.d/60-labctl-forward.conf ] || rm -f /etc/sysctl.d/60-labctl-forward.conf"
    return "\n".join(
        [
            "before=$changed",
            _place("/etc/sysctl.d/60-labctl-forward.conf", "net.ipv4.ip_forward = 1"),
            "changed=$before",
            "sysctl -q -p /etc/sysctl.d/60-labctl-forward.conf",
        ]
    )
