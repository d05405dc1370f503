"""Writes into a stopped guest what cloud-init (for a VM) or Proxmox itself (for a container) would: machine-id, SSH host key,
hostname, resolver, a user with keys and sudo.

The guest's root may have left anything in that tree: symbolic links to the host's files, pipes, hard links. So every path is walked
from the guest's root folder without following a link, files are replaced and never written into, and nothing of the guest is run.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from labctl.sandbox.guests import idmap
from labctl.sandbox.guests.runtime import Identity, RuntimeFailure

DEFAULT_USER = "debian"
"""The user of Debian's own cloud images, when `ciuser` is not set."""
LIMIT = 1 << 20
"""A guest's passwd larger than this is not read."""


@dataclass(frozen=True)
class Tree:
    """A guest's file system as seen from the host."""

    root: Path
    ids: idmap.IdMap

    def _open_folder(self, parts: tuple[str, ...], *, make: bool = False, mode: int = 0o755, owner: int = 0) -> int:
        """A descriptor of the folder; raises RuntimeFailure when a part of it is a link or not a folder."""
        here = os.open(self.root, os.O_DIRECTORY | os.O_RDONLY)
        for part in parts:
            try:
                if make:
                    self._make_folder(here, part, mode, owner)
                below = os.open(part, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY, dir_fd=here)
            except OSError as error:
                raise RuntimeFailure(f"/{'/'.join(parts)} in the guest is not a plain folder: {error.strerror}") from error
            finally:
                os.close(here)
            here = below
        return here

    def _make_folder(self, parent: int, name: str, mode: int, owner: int) -> bool:
        try:
            os.mkdir(name, mode, dir_fd=parent)
        except FileExistsError:
            return False
        os.chown(name, self.ids.first + owner, self.ids.first + owner, dir_fd=parent, follow_symlinks=False)
        return True

    def read(self, path: str) -> str:
        """The text of a plain file; empty when it is missing, not plain, or too large."""
        parts, name = _parts(path)
        folder = self._open_folder(parts)
        try:
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError:
            return ""
        finally:
            os.close(folder)
        with os.fdopen(file, "rb") as content:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return ""
            return content.read(LIMIT).decode("utf-8", "replace")

    def write(self, path: str, content: str, *, mode: int = 0o644, owner: int = 0, group: int | None = None) -> None:
        """Replace the file, whatever is there (a folder excepted)."""
        parts, name = _parts(path)
        folder = self._open_folder(parts, make=True)
        scratch = f".{name}.{secrets.token_hex(4)}"
        try:
            file = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            with os.fdopen(file, "wb") as out:
                out.write(content.encode())
                os.fchown(file, self.ids.first + owner, self.ids.first + (owner if group is None else group))
                os.fchmod(file, mode)
            os.replace(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            raise RuntimeFailure(f"/{path} could not be written in the guest: {error.strerror}") from error
        finally:
            os.close(folder)

    def folder(self, path: str, *, mode: int, owner: int) -> bool:
        """Make a folder of `owner`'s (the ones above must be there); False when it is there already."""
        above, name = _parts(path)
        parent = self._open_folder(above)
        try:
            made = self._make_folder(parent, name, mode, owner)
        finally:
            os.close(parent)
        os.close(self._open_folder((*above, name)))
        return made


def _parts(path: str) -> tuple[tuple[str, ...], str]:
    """Folders and name. `..` and the like may come from a guest's passwd."""
    *folders, name = path.split("/")
    if {"", ".", ".."}.intersection((*folders, name)):
        raise RuntimeFailure(f"/{path} in the guest is not a plain path")
    return tuple(folders), name


def refresh(tree: Tree) -> None:
    """What no two clones may share: machine-id and SSH host key (one ed25519)."""
    tree.write("etc/machine-id", secrets.token_hex(16) + "\n", mode=0o444)
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    tree.write("etc/ssh/ssh_host_ed25519_key", private.decode(), mode=0o600)
    tree.write("etc/ssh/ssh_host_ed25519_key.pub", public.decode() + "\n")


def impress(tree: Tree, identity: Identity) -> None:
    """Hostname, hosts, resolver and, when the identity has any of its parts, the user."""
    name = identity.hostname
    tree.write("etc/hostname", f"{name}\n")
    own = f"{name}.{identity.searchdomain} {name}" if identity.searchdomain else name
    tree.write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {own}\n::1 localhost ip6-localhost ip6-loopback\n")
    resolver = [f"search {identity.searchdomain}"] if identity.searchdomain else []
    resolver += [f"nameserver {server}" for server in re.split(r"[ ,;]+", identity.nameserver or "") if server]
    tree.write("etc/resolv.conf", "".join(f"{line}\n" for line in resolver))
    if identity.user or identity.password or identity.ssh_keys:
        seat_user(tree, identity.user or DEFAULT_USER, identity.password, identity.ssh_keys)


def seat_user(tree: Tree, name: str, password: str | None, keys: tuple[str, ...]) -> None:
    """A user as cloud-init's `default_user`: bash, group of its own, `sudo` without password, these keys. Existing users keep their ids."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name):
        raise RuntimeFailure(f"{name!r} is not a possible user name in the guest")
    passwd = _lines(tree.read("etc/passwd"))
    entry = next((line.split(":") for line in passwd if line.startswith(f"{name}:")), None)
    if entry is None:
        taken = {
            int(line.split(":")[2])
            for line in [*passwd, *_lines(tree.read("etc/group"))]
            if line.count(":") >= 3 and line.split(":")[2].isdecimal()
        }
        uid = next(number for number in range(1000, 60000) if number not in taken)
        entry = [name, "x", str(uid), str(uid), "", f"/home/{name}", "/bin/bash"]
        _append(tree, "etc/passwd", ":".join(entry))
        _append(tree, "etc/group", f"{name}:x:{uid}:")
    if len(entry) != 7 or not entry[2].isdecimal() or int(entry[2]) >= tree.ids.count:
        raise RuntimeFailure(f"the guest's passwd has a broken entry for {name}")
    uid, home = int(entry[2]), entry[5].strip("/")
    _set_password(tree, name, password)
    if uid:
        groups = [_with_member(line, name) if line.startswith("sudo:") else line for line in _lines(tree.read("etc/group"))]
        tree.write("etc/group", "".join(f"{line}\n" for line in groups))
        tree.write("etc/sudoers.d/90-cloud-init-users", f"{name} ALL=(ALL) NOPASSWD:ALL\n", mode=0o440)
        if tree.folder(home, mode=0o755, owner=uid):
            for skeleton in (".bashrc", ".profile", ".bash_logout"):
                tree.write(f"{home}/{skeleton}", tree.read(f"etc/skel/{skeleton}"), owner=uid)
    tree.folder(f"{home}/.ssh", mode=0o700, owner=uid)
    tree.write(f"{home}/.ssh/authorized_keys", "".join(f"{key.strip()}\n" for key in keys), mode=0o600, owner=uid)


def _set_password(tree: Tree, name: str, password: str | None) -> None:
    """Locked (`!`) without a password, as cloud-init's `lock_passwd`; an existing hash stays when none is given."""
    if password is not None and not re.fullmatch(r"[\x21-\x39\x3b-\x7e]{1,255}", password):
        raise RuntimeFailure("the password given for the guest's user is not a crypt(3) hash")
    lines = _lines(tree.read("etc/shadow"))
    old = next((line for line in lines if line.startswith(f"{name}:")), None)
    kept = old.split(":")[1] if old else "!"
    today = int(time.time()) // 86400
    line = f"{name}:{password or kept}:{today}:0:99999:7:::"
    tree.write("etc/shadow", "".join(f"{other}\n" for other in [*(other for other in lines if other != old), line]), mode=0o640, group=42)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def _append(tree: Tree, path: str, line: str) -> None:
    tree.write(path, "".join(f"{one}\n" for one in [*_lines(tree.read(path)), line]))


def _with_member(line: str, name: str) -> str:
    *rest, members = line.split(":")
    names = [member for member in members.split(",") if member]
    return ":".join([*rest, ",".join(names if name in names else [*names, name])])
