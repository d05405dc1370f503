"""A sandbox node of its own for a test: a temporary home, a free loopback port, a name and a management range nobody else has.

with SandboxNode() as node:            # paper guests
    node.credentials["url"]
with SandboxNode(runtime="lxc") as node:   # real guests; mark the test with `guests`
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.free_ports import free_port, free_range


class SandboxNode:
    """Starts `python -m labctl.sandbox` in its own process; stops and wipes it at the end."""

    def __init__(
        self,
        runtime: str = "paper",
        *,
        cache: Path = Path("/var/cache/labctl"),
        authorized_key: Path | None = None,
        parent: Path | None = None,
    ) -> None:
        self.runtime = runtime
        self.name = f"t{secrets.token_hex(3)}"
        self.uplink = f"{self.name}-up"
        self.management = free_range(66, 14)  # each kind of test house has ranges of its own: 66, 80, 96, 112 and 120 upwards
        self.port = free_port()
        self._cache = cache
        self._key = authorized_key
        self._folder = Path(tempfile.mkdtemp(prefix="sandbox-", dir=parent))
        self._folder.chmod(0o755)
        self.home = self._folder / "node"
        self._process: subprocess.Popen[bytes] | None = None
        self.credentials: dict[str, Any] = {}

    def __enter__(self) -> Self:
        try:
            self._run(
                "init", "--home", str(self.home), "--name", self.name, "--listen", f"127.0.0.1:{self.port}", "--uplink", self.uplink,
                "--management", self.management, "--runtime", self.runtime, "--cache", str(self._cache),
                *(["--authorized-key", str(self._key)] if self._key else []),
            )  # fmt: skip
            self.credentials = json.loads((self.home / "credentials.json").read_text("utf-8"))
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if (self.home / "settings.json").exists():
            self._run("wipe", "--home", str(self.home))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run([sys.executable, "-m", "labctl.sandbox", *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"python -m labctl.sandbox {arguments[0]} failed: {done.stderr}")

    @property
    def secret(self) -> str:
        """The token's secret."""
        return Path(self.credentials["secret_file"]).read_text("utf-8").strip()

    @property
    def log(self) -> str:
        """What the node's process has said so far."""
        return (self._folder / "node.log").read_text("utf-8", "replace")

    @property
    def pid(self) -> int:
        """Of the node's process."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start it; returns when it answers."""
        with (self._folder / "node.log").open("ab") as log:
            command = [sys.executable, "-m", "labctl.sandbox", "serve", "--home", str(self.home)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 300
        while True:
            if self._process.poll() is not None:
                raise RuntimeError(f"the node ended at once: {self.log}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the node does not listen: {self.log}") from None
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """kill -9: no chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As a person would."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill, then start again."""
        self.kill()
        self.start()

    def _end(self, number: int) -> None:
        if self._process and self._process.poll() is None:
            os.kill(self._process.pid, number)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(60)
        self._process = None
