"""Becoming an account without rights, for good. What faces the outside (the SSH door, the proxy of web apps) opens its port first."""

from __future__ import annotations

# What is imported at need later may be out of reach of the account: names are resolved with the one, threads made with the other.
import concurrent.futures.thread
import ctypes
import encodings.idna
import os
import pwd

_PR_SET_NO_NEW_PRIVS = 38


def become(account: str) -> None:
    """Be that account: no groups, no capabilities, and no way to gain any (prctl(2), PR_SET_NO_NEW_PRIVS)."""
    entry = pwd.getpwnam(account)
    os.environ["HOME"] = entry.pw_dir  # asyncssh looks for files below it at each connection
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    assert encodings.idna
    assert concurrent.futures.thread
    if os.getuid() == 0 or os.geteuid() == 0:
        msg = "this process must not run as root"
        raise PermissionError(msg)
