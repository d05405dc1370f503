"""One cluster as the verbs need it: the connection, the turns, and whether the work has been cancelled."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from labctl import errors
from labctl.drivers.proxmox import answers, client, tasks, turns


@dataclass(frozen=True)
class Cluster:
    """`stop` is set when everything that waits should give up soon."""

    client: client.Client
    turns: turns.Turns
    stop: threading.Event = field(default_factory=threading.Event)

    def finish(self, upid: object, doing: str, *, deadline: float = tasks.DEADLINE) -> None:
        """Wait for a task; anything that is not a UPID was done at once."""
        if isinstance(upid, str) and upid.startswith("UPID:"):
            tasks.wait(self.client, upid, doing, deadline=deadline, cancelled=self.stop.is_set)

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
