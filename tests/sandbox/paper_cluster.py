"""A paper cluster in this process: a home, its first node, calls as root without a wire."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import labctl.sandbox.endpoints  # noqa: F401 - registers what the calls do
from labctl.sandbox import calls, recovery, setup
from labctl.sandbox import node as node_
from labctl.sandbox.paper import description

PATIENT = 100.0
"""What locks are waited for is scaled by this and not by the cluster's speed, with which ten seconds would be some milliseconds: so long
this computer stands still now and then.
"""


class PaperCluster:
    """`who` None asks as root@pam."""

    def __init__(self, home: Path, cluster: description.Cluster) -> None:
        self.home = home
        settings = node_.Settings(
            name="papertest", runtime="paper", node=cluster.names[0], pace=1 / cluster.speed, refusal_delay=0.0, uplink="none"
        )
        setup.prepare_home(home, settings, cluster)
        self.open()
        setup.initialise(self.node, lambda _line: None)
        self.node.broadcast.gather(self.node)

    def killed(self, home: Path) -> PaperCluster:
        """Another one, from what would be on disk if this process were killed now."""
        shutil.copytree(self.home, home)
        found = object.__new__(PaperCluster)
        found.home = home
        found.open()
        return found

    def open(self) -> None:
        """As a process does that starts."""
        self.node = node_.open_(self.home)
        for peer in self.node.peers.values():
            peer.locks.pace = PATIENT
        recovery.settle(self.node)

    def __call__(self, verb: str, path: str, /, who: str = "root@pam", **params: Any) -> Any:
        given = {name.replace("__", "-"): str(value) for name, value in params.items()}
        return calls.perform(self.node, who, verb, path, given)

    def task(self, verb: str, path: str, /, **params: Any) -> str:
        """How the task of that call ended."""
        return self.ended(str(self(verb, path, **params)))

    def ended(self, upid: str) -> str:
        """How it ended, when it has."""
        tasks = self.node.peers[upid.split(":")[1]].tasks
        assert tasks.wait(upid, 60), f"{upid} still runs"
        return tasks.exit_status(upid)

    def until(self, true: Any, seconds: float = 60.0) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.005)
