"""One cluster as the verbs need it: the connection, the gates and waves, and whether the work has been cancelled."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import Any

from labctl import errors
from labctl.drivers import gates as gates_
from labctl.drivers import waves as waves_
from labctl.drivers.proxmox import answers, client, tasks


@dataclass(frozen=True)
class Cluster:
    """`stop` is set when everything that waits should give up soon. `storage` and `pool` are the site's; `urgency` (smaller first) and
    `group` (a class) say who goes first where not all can go at once.
    """

    client: client.Client
    gates: gates_.Gates
    stop: threading.Event = field(default_factory=threading.Event)
    storage: str = ""
    pool: str = ""
    urgency: float = 0.0
    group: str = ""

    @property
    def waves(self) -> waves_.Waves:
        """What is done once for many."""
        return waves_.Waves(self.gates.folder)

    def scope(self, node: str) -> str:
        """Whose locks work on the storage meets: the node's, or with a shared storage the whole cluster's, which has no name here
        (`proxmox-truth.md` 3.4).
        """
        if not self.storage:
            return node
        known = self.client.known
        if self.storage not in known:
            try:
                known[self.storage] = bool(self.client.get(f"/nodes/{node}/storage/{self.storage}/status").get("shared"))
            except (errors.NotFound, errors.Forbidden, errors.PermanentError):  # whoever works on it will say so better
                return node
        return "" if known[self.storage] else node

    def gate(self, *name: str, most: int, start: int, ahead: float = 0.0) -> contextlib.AbstractContextManager[None]:
        """Be one of those who do this at once (`labctl.drivers.gates`); the name in parts, of which empty ones are left out. `ahead`:
        seconds by which this is more urgent than the rest of its environment's work.
        """
        return self.gates.gate(
            "-".join(part for part in name if part),
            most=most,
            start=start,
            urgency=self.urgency - ahead,
            group=self.group,
            cancelled=self.stop.is_set,
            crowded=answers.is_crowding,
        )

    def write(self, lock: str, method: str, path: str, **parameters: Any) -> None:
        """One write of a file of the whole cluster, whose lock of that name all such writes take (`proxmox-truth.md` 3.4)."""
        for attempt in self.client.patiently(lambda error: isinstance(error, errors.Busy) and not isinstance(error, answers.Stopped)):
            with attempt, self.gate(lock, start=4, most=16):
                self.client.once(method, path, **parameters)

    def finish(self, upid: object, doing: str, *, deadline: float = tasks.DEADLINE) -> str:
        """Wait for a task: "OK" or "WARNINGS: n". Anything that is not a UPID was done at once."""
        if not (isinstance(upid, str) and upid.startswith("UPID:")):
            return "OK"
        return tasks.wait(self.client, upid, doing, deadline=deadline, cancelled=self.stop.is_set)

    def pause(self, seconds: float, doing: str) -> None:
        """Wait between two looks; raises when cancelled."""
        if self.stop.wait(seconds):
            raise answers.Stopped(f"cancelled while waiting for {doing}")

    def free(self, vmid: int) -> bool:
        """Whether no guest of the whole cluster has this VMID, seen or unseen (`client-sequence.md` 4: the proof of removal)."""
        try:
            self.client.get("/cluster/nextid", vmid=vmid)
        except errors.Conflict:
            return False
        return True
