"""Passwords and SSH keys that are written into guests: hashed, decoded, checked.

`cipassword` is stored as a crypt(3) SHA-512 hash, as Proxmox does; the clear text is never kept.
"""

from __future__ import annotations

import base64
import binascii
import subprocess
import urllib.parse

from labctl.sandbox import answers

_KINDS = ("ssh-rsa", "ssh-ed25519", "ssh-dss", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")


def hashed(password: str) -> str:
    """A crypt(3) hash; what already is one is taken as it is."""
    if password.startswith("$") and password.count("$") >= 3:
        return password
    done = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def ssh_keys(encoded: str) -> tuple[str, ...]:
    """The keys of a URL-encoded `sshkeys` value."""
    return tuple(line.strip() for line in urllib.parse.unquote(encoded).splitlines() if line.strip())


def check_ssh_keys(encoded: str) -> None:
    """500 "SSH public key validation error" unless each line is a public key."""
    keys = ssh_keys(encoded)
    if not keys or not all(_is_key(key) for key in keys):
        answers.die("SSH public key validation error")


def _is_key(line: str) -> bool:
    """`[options] type base64 [comment]`, where the blob names the same type and has all of its parts."""
    parts = line.split()
    for index, part in enumerate(parts[:-1]):
        if part.startswith(_KINDS):
            try:
                blob = base64.b64decode(parts[index + 1], validate=True)
            except (binascii.Error, ValueError):
                return False
            return _names_itself(part, blob)
    return False


def _names_itself(kind: str, blob: bytes) -> bool:
    fields, rest = [], blob
    while len(rest) >= 4:
        length = int.from_bytes(rest[:4], "big")
        if len(rest) < 4 + length:
            return False
        fields.append(rest[4 : 4 + length])
        rest = rest[4 + length :]
    if rest or len(fields) < 2 or fields[0] != kind.encode():
        return False
    return kind != "ssh-ed25519" or len(fields[1]) == 32
