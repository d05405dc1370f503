"""A real VNC server of a learner's on this machine (Xtigervnc with an xterm that keeps what is typed), and a page that looks at it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync import client

from labctl import errors
from labctl.drivers.proxmox import console
from labctl.model import passage

LEARNER = 2201
"""The learner's uid in `sshd_here`."""

MISSING = [name for name in ("Xtigervnc", "xterm") if shutil.which(name) is None]
REASON = f"{', '.join(MISSING)} not installed (Debian: tigervnc-standalone-server, xterm)"

BLUEPRINT = """\
labctl: 1
about: {title: A desktop, area: systems}
machines:
  box: {image: debian-12, access: [terminal, desktop]}
  hidden: {image: debian-12, access: []}
"""


class Desktop:
    """In `folder`, with its socket at learner/rfb; what is typed on it is kept in a file."""

    def __init__(self, folder: Path, *, size: str = "320x240", windows: bool = True) -> None:
        self._place = folder / "learner"
        self._place.mkdir(mode=0o700)
        os.chown(self._place, LEARNER, LEARNER)
        self._typed = self._place / "typed"
        reading, writing = os.pipe()
        self._server = self._run(
            [
                *("Xtigervnc", "-displayfd", str(writing), "-geometry", size, "-depth", "24", "-AlwaysShared", "-nolisten", "tcp"),
                *("-SecurityTypes", "None", "-rfbport", "-1", "-rfbunixpath", str(self._place / "rfb"), "-rfbunixmode", "0600"),
            ],
            pass_fds=[writing],
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            self.display = f":{told.readline().strip()}"
        keep = f"stty -icanon -echo; touch {self._typed}.ready; exec cat > {self._typed}"
        # -wf: nothing runs in it, so nothing is ready, before the window is there to be typed into.
        words = ["xterm", "-wf", "-geometry", "200x100+0+0", "-e", "sh", "-c", keep]
        self._window = self._run(words, DISPLAY=self.display) if windows else None
        until(lambda: not windows or Path(f"{self._typed}.ready").exists())

    def _run(self, words, *, pass_fds=(), **more):
        drop = ["setpriv", f"--reuid={LEARNER}", f"--regid={LEARNER}", "--clear-groups", "--pdeathsig", "KILL"]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._place), **more}
        return subprocess.Popen([*drop, *words], pass_fds=pass_fds, env=environment, **quiet)

    @property
    def typed(self) -> str:
        """Everything so far."""
        return self._typed.read_text() if self._typed.exists() else ""

    def close(self) -> None:
        for process in filter(None, (self._window, self._server)):
            process.kill()
            process.wait(60)


class Consoles:
    """Machines' own screens, as Proxmox would show them: here by a VNC server each, whose socket `where` names. `asked`: for which."""

    def __init__(self, where) -> None:
        self._where = where
        self.asked: list[passage.Screen] = []

    @contextlib.asynccontextmanager
    async def console(self, screen):
        self.asked.append(screen)
        try:
            reading, writing = await asyncio.open_unix_connection(self._where(screen))
        except OSError as error:
            raise errors.Unreachable(f"the node opens no console ({type(error).__name__})") from None
        yield console.Console(_Streams(reading, writing), "")


class _Streams:
    def __init__(self, reading, writing) -> None:
        self.exactly = reading.readexactly
        self.some = lambda: reading.read(65536)
        self.close = writing.close
        self._writing = writing

    async def send(self, data):
        self._writing.write(data)
        await self._writing.drain()


class Page:
    """What noVNC does, as far as the API can tell."""

    def __init__(self, url: str, ticket: str | None, *, origin: str | None = None) -> None:
        address = url.replace("http", "ws") + "/ws/desktop"
        self._open = contextlib.ExitStack()
        connecting = client.connect(
            address, origin=origin or url, subprotocols=["binary"], max_size=None, compression=None, open_timeout=60
        )
        self.socket = self._open.enter_context(connecting)
        self.told: list[dict] = []
        self.code: int | None = None
        self.size = (0, 0)
        self.name = ""
        self._got = b""
        if ticket is not None:
            self.socket.send(json.dumps({"ticket": ticket}))

    def take(self, seconds: float = 60.0) -> bool:
        """One more frame; False when the time or the connection is over."""
        try:
            frame = self.socket.recv(timeout=seconds)
        except TimeoutError:
            return False
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else 1006
            return False
        if isinstance(frame, str):
            self.told.append(json.loads(frame))
        else:
            self._got += frame
        return True

    def exactly(self, size: int, seconds: float = 60.0) -> bytes:
        while len(self._got) < size:
            assert self.take(seconds), (self.code, self.told, self._got[:100])
        data, self._got = self._got[:size], self._got[size:]
        return data

    def greet(self, shared: int = 1) -> Page:
        """Up to ServerInit."""
        assert self.exactly(12) == b"RFB 003.008\n"
        self.socket.send(b"RFB 003.008\n")
        assert self.exactly(2) == b"\1\1"
        self.socket.send(b"\1")
        assert self.exactly(4) == bytes(4)
        self.socket.send(bytes([shared]))
        head = self.exactly(24)
        self.size = struct.unpack(">HH", head[:4])
        self.name = self.exactly(int.from_bytes(head[20:])).decode()
        return self

    def picture(self, *, whole: bool = True) -> bytes:
        """All of it, raw, once."""
        width, height = self.size
        self.socket.send(struct.pack(">BxHi", 2, 1, 0) + struct.pack(">BBHHHH", 3, int(not whole), 0, 0, width, height))
        seen = b""
        while True:
            kind = self.exactly(1)[0]
            if kind != 0:
                assert kind in {2, 3}, kind
                if kind == 3:
                    self.exactly(int.from_bytes(self.exactly(7)[3:]))
                continue
            for _ in range(int.from_bytes(self.exactly(3)[1:])):
                _, _, w, h, encoding = struct.unpack(">HHHHi", self.exactly(12))
                assert encoding == 0
                seen += self.exactly(w * h * 4)
            return seen

    def keys(self, text: str, *, qemu: bool = False) -> None:
        for sign in text:
            for down in (1, 0):
                plain = struct.pack(">BBxxI", 4, down, ord(sign))
                self.socket.send(struct.pack(">BBHII", 255, 0, down, ord(sign), 0) if qemu else plain)

    def point(self, x: int, y: int, mask: int, more: int | None = None) -> None:
        head = struct.pack(">BBHH", 5, mask | (0x80 if more is not None else 0), x, y)
        self.socket.send(head if more is None else head + bytes([more]))

    def cut(self, text: str, *, extended: bool = False) -> None:
        data = text.encode("latin-1")
        self.socket.send(struct.pack(">Bxxxi", 6, -len(data) if extended else len(data)) + data)

    def resize(self, width: int, height: int) -> None:
        # TigerVNC 1.12 dies of a size from a viewer that never said it understands sizes (-308).
        self.socket.send(struct.pack(">BxHii", 2, 2, 0, -308))
        self.socket.send(struct.pack(">BxHHBxIHHHHI", 251, width, height, 1, 0, 0, 0, width, height, 0))

    def until_told(self, key: str, seconds: float = 60.0):
        end = time.monotonic() + seconds
        while not (found := [one[key] for one in self.told if key in one]):
            assert self.take(max(0.01, end - time.monotonic())), (self.code, self.told)
        self.told = [one for one in self.told if key not in one]
        return found[-1]

    def closed(self, seconds: float = 60.0) -> int | None:
        """The close code."""
        end = time.monotonic() + seconds
        while self.code is None and time.monotonic() < end:
            self.take(max(0.01, end - time.monotonic()))
        return self.code

    def close(self) -> None:
        self._open.close()


def until(look, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.02)
