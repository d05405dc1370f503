"""A sandbox node in this process, on paper guests, behind its real TLS listener: for tests that look into the node, give it faults, or
need thousands of calls in a minute. Waits are scaled by `pace`, which is data of the node's settings.

with NodeHere() as node:
    node.node.faults = faults.Faults(reading.read(text, "test"))
    node.credentials["url"]
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from labctl.sandbox import endpoints, faults, server, setup
from labctl.sandbox import node as node_
from labctl.sandbox.faults import reading, rules
from tests.free_ports import free_port

PACE = 0.02


class NodeHere:
    """Use as a context manager. `folder` keeps the node's home when it ends, and may hold one already, which then goes on."""

    def __init__(self, folder: Path | None = None, *, pace: float = PACE, refusal_delay: float = 0.01) -> None:
        assert endpoints
        self._lasting = folder is not None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="node-here-"))
        self._folder.chmod(0o755)
        self.home = self._folder / "node"
        self.port = free_port()
        self.management = "100.66.0.0/16"  # paper lays no network, so nobody is in the way
        self._settings = node_.Settings(
            name="here",
            listen=f"127.0.0.1:{self.port}",
            runtime="paper",
            uplink="here-up",
            management=self.management,
            pace=pace,
            refusal_delay=refusal_delay,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="node-here", daemon=True)

    def __enter__(self) -> Self:
        known = (self.home / "credentials.json").exists()
        if not known:
            setup.prepare_home(self.home, self._settings)
        self.node = node_.open_(self.home)
        if not known:
            setup.initialise(self.node, lambda _line: None)
        told: dict[str, Any] = json.loads((self.home / "credentials.json").read_text("utf-8"))
        here = {"secret_file": str(self.home / "token"), "ca_file": str(self.home / "ca.pem")}
        self.credentials = told | here | {"url": f"https://127.0.0.1:{self.port}"}
        self._thread.start()
        self.node.broadcast.gather(self.node)  # it has been up for a while: before, the cluster says "unknown" of its nodes
        self._runner = asyncio.run_coroutine_threadsafe(server.listen(self.node, "127.0.0.1", self.port), self._loop).result(60)
        self.node.broadcast.start(self.node)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.node.broadcast.stop()
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self.node.close()
        if not self._lasting:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def secret(self) -> str:
        """The token's secret."""
        return Path(self.credentials["secret_file"]).read_text("utf-8").strip()

    @property
    def struck(self) -> Path:
        """The log of strikes."""
        return self.home / "faults.log"

    def wrong(self, *entries: str, seed: int = 0) -> None:
        """From now on these faults, each the text of one list entry in YAML's short form: `{call: ..., do: ...}`; none: all is well."""
        text = "version: 1\nseed: " + str(seed) + "\nfaults:" + ("".join(f"\n  - {entry}" for entry in entries) or " []")
        self.follow(reading.read(text, "test"))

    def follow(self, known: rules.Rules = rules.NONE) -> None:
        """From now on these rules; what lasted is over."""
        self.node.conditions.clear()
        self.node.faults = faults.Faults(known, log=self.struck)
