"""Consoles of guests: the worker behind `vncproxy`, which waits ten seconds for one connection and then shows the guest (`proxmox-truth.md`
3.12).

QEMU draws a machine's own screen; here nobody does, so a VNC server draws a terminal on the container's console, which is what Proxmox
shows of containers. It needs Xtigervnc and xterm on the node's machine; where they are missing the worker never gets ready, and its task
says why. Its socket is a file below the node's home: what Proxmox has as port 5900 and following is only a number here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.decrepit.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers import Cipher, modes

PORTS = range(5900, 6000)
WAIT = 10.0
"""Seconds a worker waits for its one connection."""

NEEDED = ("Xtigervnc", "xterm")
_FIXED = bytes([23, 82, 107, 6, 35, 78, 88, 7])
"""By which a password file of VNC is disguised; the same everywhere."""


class NotReady(Exception):
    """No worker got ready; the text is for its log."""


@dataclass
class Waiting:
    """One worker. `command` shows the guest on a terminal; `taken` once somebody connected."""

    port: int
    vmid: int
    password: str
    name: str
    command: list[str]
    taken: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


class Consoles:
    """Of one node."""

    def __init__(self, pace: float = 1.0) -> None:
        self._pace = pace
        self._lock = threading.Lock()
        self._workers: dict[int, Waiting] = {}

    def begin(self, vmid: int, name: str, command: list[str] | None) -> Waiting:
        """A worker on the next free port. Raises NotReady."""
        with self._lock:
            port = next((one for one in PORTS if one not in self._workers), None)
            if port is None:
                raise NotReady("unable to find free port (5900-6000)")
            worker = self._workers[port] = Waiting(port, vmid, secrets.token_urlsafe(6)[:8], name, command or [])
        return worker

    def run(self, worker: Waiting) -> None:
        """What the task does: until the connection is over, or nobody came."""
        try:
            if worker.taken.wait(WAIT * self._pace):
                worker.ended.wait()
        finally:
            with self._lock:
                self._workers.pop(worker.port, None)

    def take(self, port: int, vmid: int) -> Waiting | None:
        """The worker that waits there, for this one connection; None where nobody listens (any more)."""
        with self._lock:
            worker = self._workers.get(port)
            if worker is None or worker.vmid != vmid or worker.taken.is_set():
                return None
            worker.taken.set()
            return worker


def lacking() -> str:
    """Programs that this machine does not have."""
    return ", ".join(name for name in NEEDED if shutil.which(name) is None)


@contextlib.contextmanager
def shown(worker: Waiting) -> Iterator[Path]:
    """The socket of a VNC server that shows it; gone with everything behind it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="labctl-console-"))
    started: list[subprocess.Popen[bytes]] = []
    try:
        (folder / "password").touch(0o600)
        (folder / "password").write_bytes(_disguised(worker.password))
        reading, writing = os.pipe()
        server = ["Xtigervnc", "-displayfd", str(writing), "-geometry", "800x600", "-depth", "24", "-nolisten", "tcp", "-rfbport", "-1"]
        server += ["-rfbunixpath", str(folder / "rfb"), "-rfbunixmode", "0600", "-SecurityTypes", "VncAuth"]
        server += ["-PasswordFile", str(folder / "password"), "-AlwaysShared", "-desktop", f"QEMU ({worker.name})"]
        started.append(_start(server, keep=writing))
        os.close(writing)
        with os.fdopen(reading) as told:
            display = told.readline().strip()
        if not display:
            raise NotReady("the VNC server did not start")
        window = ["xterm", "-geometry", "100x40+0+0", "-bg", "black", "-fg", "white", "-xrm", "xterm*allowTitleOps: false", "-e"]
        started.append(_start([*window, *worker.command], DISPLAY=f":{display}"))
        yield folder / "rfb"
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _start(words: list[str], *, keep: int | None = None, **more: str) -> subprocess.Popen[bytes]:
    # Nothing goes on alone after the node: consoles end with it, as they do where Proxmox' proxy is restarted.
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *words],
        pass_fds=() if keep is None else (keep,),
        env={**os.environ, **more},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _disguised(password: str) -> bytes:
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in _FIXED)
    cipher = Cipher(algorithms.TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305  (the file's own format)
    return cipher.update(password.encode("ascii").ljust(8, b"\0")[:8]) + cipher.finalize()
