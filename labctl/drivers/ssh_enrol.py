"""The one script with which labctl enrols a guest: pure text, sent to root's shell on stdin by `ssh`.

It may be run any number of times and changes only what differs: host certificate, trust in labctl's user authority,
the seat's principal, the learner's account, names, routes, forwarding. sshd is told only when one of its files changed.
Nothing here touches lab content: that is the plan's steps.
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
# place PATH MODE: writes stdin there unless it is there already; the new file appears in one go.
place() {
    new=$(mktemp "$1.labctl-XXXXXX")
    cat > "$new"
    chmod "$2" "$new"
    if cmp -s "$new" "$1"; then chmod "$2" "$1"; rm -f "$new"; return; fi
    mv -f "$new" "$1"
    changed=yes
}
# block PATH: puts stdin between labctl's two marks in PATH, leaving the rest as it is.
block() {
    new=$(mktemp "$1.labctl-XXXXXX")
    sed '/^# labctl begin$/,/^# labctl end$/d' "$1" > "$new"
    { echo '# labctl begin'; cat; echo '# labctl end'; } >> "$new"
    chmod 644 "$new"
    if cmp -s "$new" "$1"; then rm -f "$new"; else cat "$new" > "$1"; rm -f "$new"; fi
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


def _place(path: str, mode: str, text: str) -> str:
    # Not through a pipe: `place` must set `changed` in this shell, not in a pipe's.
    return f"place {shlex.quote(path)} {mode} <<LABCTL_END\n{_plain(text)}LABCTL_END"


def _plain(text: str) -> str:
    """Text for an unquoted here-document: nothing in it is expanded."""
    escaped = text.replace("\\", "\\\\").replace("$", "\\$").replace("`", "\\`")
    return escaped if escaped.endswith("\n") else escaped + "\n"


def _sshd(plan: Plan, machine: PlannedMachine, host_certificate: str, user_authority: str) -> str:
    return "\n".join(
        [
            "mkdir -p /etc/ssh/principals /etc/ssh/sshd_config.d",
            _place("/etc/ssh/ssh_host_ed25519_key-cert.pub", "644", host_certificate),
            _place("/etc/ssh/labctl_user_ca.pub", "644", user_authority),
            _place(f"/etc/ssh/principals/{machine.login}", "644", plan.principal),
            _place("/etc/ssh/sshd_config.d/10-labctl.conf", "644", _SSHD),
            "grep -q '^[[:space:]]*Include[[:space:]]*/etc/ssh/sshd_config.d/' /etc/ssh/sshd_config || {",
            "    sed -i '1i Include /etc/ssh/sshd_config.d/*.conf' /etc/ssh/sshd_config; changed=yes",
            "}",
        ]
    )


_RELOAD = """
if [ "$changed" = yes ]; then
    mkdir -p /run/sshd
    /usr/sbin/sshd -t
    systemctl reload ssh 2>/dev/null || systemctl reload sshd 2>/dev/null || systemctl try-restart ssh sshd
fi
"""


def _account(machine: PlannedMachine) -> str:
    """The learner's account. Without a password the field is '*': no password fits, and sshd does not call it locked."""
    login = shlex.quote(machine.login)
    lines = [f"id -u {login} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash {login}"]
    if machine.password is not None:
        lines.append(_here("chpasswd", f"{machine.login}:{machine.password}\n"))
    elif machine.login != "root":
        lines.append(f"case $(getent shadow {login} | cut -d: -f2) in '!'*) usermod -p '*' {login} ;; esac")
    sudoers = f"/etc/sudoers.d/labctl-{machine.login}"
    if machine.login == "root":
        pass
    elif machine.sudo:
        lines += ["before=$changed", "mkdir -p /etc/sudoers.d", _place(sudoers, "440", f"{machine.login} ALL=(ALL:ALL) NOPASSWD:ALL")]
        lines.append("changed=$before")
    else:
        lines.append(f"rm -f {shlex.quote(sudoers)}")
    return "\n".join(lines)


def _names(plan: Plan, machine: PlannedMachine) -> str:
    """Host name and /etc/hosts. Proxmox' cloud-init lets /etc/hosts be written anew from cloud-init's template at every boot
    (`manage_etc_hosts`), hence the template gets the block as well.
    """
    hostname = shlex.quote(machine.hostname)
    lines = [f"127.0.1.1 {' '.join(_unique(*(machine.names or ()), machine.hostname))}"]
    lines += [f"{address} {' '.join(words)}" for address, words in names(plan, machine)]
    text = _plain("\n".join(lines))
    return "\n".join(
        [
            f'[ "$(cat /etc/hostname 2>/dev/null)" = {hostname} ] || echo {hostname} > /etc/hostname',
            f'[ "$(uname -n)" = {hostname} ] || hostname {hostname}',
            "touch /etc/hosts",
            "for file in /etc/hosts /etc/cloud/templates/hosts.debian.tmpl; do",
            '    [ -f "$file" ] || continue',
            f'    block "$file" <<LABCTL_END\n{text}LABCTL_END',
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
            _place("/etc/labctl-routes", "644", "set -e\n" + commands),
            _place("/etc/systemd/system/labctl-routes.service", "644", _ROUTES_UNIT),
            'if [ "$changed" = yes ]; then systemctl daemon-reload; systemctl enable -q labctl-routes.service; fi',
            "systemctl restart labctl-routes.service",
            "changed=$before",
        ]
    )


def _usable(gateway: str, address: str) -> bool:
    return ip_interface(gateway.partition("/")[0]).ip in ip_interface(address).network


def _forwarding(machine: PlannedMachine) -> str:
    if not machine.forwards:
        return "rm -f /etc/sysctl.d/60-labctl-forward.conf"
    return "\n".join(
        [
            "before=$changed",
            _place("/etc/sysctl.d/60-labctl-forward.conf", "644", "net.ipv4.ip_forward = 1"),
            "changed=$before",
            "sysctl -q -p /etc/sysctl.d/60-labctl-forward.conf",
        ]
    )
