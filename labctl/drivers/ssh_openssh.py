"""OpenSSH's own client: its options for labctl's guests, and scripts that need packages while they run.

Only OpenSSH offers remote SOCKS (`-R PORT`) with a closed list of what may be opened through it (`PermitRemoteOpen`), so
plays and scripts with the way to package mirrors go over it; everything else of labctl's goes over `ssh_connection`.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from labctl import errors
from labctl.drivers import ssh_connection

PROXY_PORT = 3142
"""Where guests find the way to package mirrors while plays run, on their own loopback."""

APT_PROXY_FILE = "/etc/apt/apt.conf.d/95labctl-run"
"""Tells apt that way; there while plays run, and only then."""

OWN_FAILURE = 255
"""The client's exit status for its own failures (ssh(1), EXIT STATUS)."""


def options(known_hosts: Path, packages_hosts: Sequence[str]) -> list[str]:
    """For every call of ssh: host keys verified by labctl's authority, one key, nothing of the user's or machine's own
    configuration; with `packages_hosts` a remote SOCKS that opens nothing else and ends with the connection.
    """
    found = [
        *("-F", "none"),
        *_each("IdentitiesOnly=yes", "IdentityAgent=none", "ForwardAgent=no", "PreferredAuthentications=publickey"),
        *_each("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known_hosts}", "GlobalKnownHostsFile=/dev/null"),
        *_each("HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com", "UpdateHostKeys=no"),
        *_each("KexAlgorithms=curve25519-sha256", "ConnectTimeout=15", "ServerAliveInterval=15", "LogLevel=ERROR"),
    ]
    if packages_hosts:
        found += ["-R", f"127.0.0.1:{PROXY_PORT}", *_each(f"PermitRemoteOpen={' '.join(packages_hosts)}", "ExitOnForwardFailure=no")]
    return found


def open_packages() -> str:
    """Shell text that tells the guest's apt the way."""
    line = f'Acquire::http::Proxy "socks5h://127.0.0.1:{PROXY_PORT}";'
    return f"[ ! -d /etc/apt/apt.conf.d ] || echo {shlex.quote(line)} > {APT_PROXY_FILE}\n"


def close_packages() -> str:
    """Shell text that takes it back."""
    return f"rm -f {APT_PROXY_FILE}\n"


def root(machine: str, target: str, arguments: Sequence[str], script: str, *, timeout: float) -> ssh_connection.Outcome:
    """Run a script as root at `target` (USER@ADDRESS). It travels on stdin; the client dies with this thread's process.

    Raises TookTooLong, or Unreachable when the client itself failed.
    """
    command = ["setpriv", "--pdeathsig", "KILL", "ssh", *arguments, target, "sudo -n /bin/sh -s"]
    text = f"{{\n{open_packages()}trap 'rm -f {APT_PROXY_FILE}' EXIT\n( {script} )\nexit $?\n}}\n"
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, errors="replace", timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise ssh_connection.TookTooLong(f"{machine}: not finished within {timeout:g} s") from error
    if done.returncode == OWN_FAILURE:
        said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise errors.Unreachable(f"{machine}: SSH does not answer ({said[0][:200]})")
    limit = ssh_connection.OUTPUT_LIMIT
    return ssh_connection.Outcome(done.returncode, done.stdout[:limit], done.stderr[:limit])


def _each(*words: str) -> list[str]:
    return [part for word in words for part in ("-o", word)]
