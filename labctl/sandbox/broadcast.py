"""What `cluster/resources` knows of guests: figures that are gathered every ten seconds, as by Proxmox's pvestatd.

Until the first gathering, and for a guest that is newer than the last one, a row has no name, no figures and the status
"unknown" (`proxmox-truth.md` 2.1); ids, pools, tags and locks are always current.
A gathering looks again at guests that were altered, run, or ran the last time; the others are as they were.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from labctl.sandbox import figures

if TYPE_CHECKING:
    from labctl.sandbox import node as node_

INTERVAL = 10.0
"""Seconds between two gatherings (`proxmox-truth.md` 2.1)."""


class Broadcast:
    """The last gathering of one node."""

    def __init__(self) -> None:
        self.guests: dict[str, dict[str, Any]] = {}
        self.gathered = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._altered: set[str] = set()
        self._ran: AbstractSet[int] = frozenset()
        self._catch_up: Callable[[], None] | None = None

    def gather(self, node: node_.Node) -> None:
        """Look at the guests now."""
        if self._catch_up is None:
            self._catch_up = node.state.follow("guests", self._altered.add)
        with node.state.reading() as content:
            self._catch_up()
            running = node.runtime.running()
            looked = self._altered | {str(vmid) for vmid in (running ^ self._ran if node.runtime.kind == "paper" else running | self._ran)}
            self._altered.clear()
            known = {vmid: content["guests"].get(vmid) for vmid in looked}
        for vmid, guest in known.items():
            if guest is None or "clone-of" in guest:
                self.guests.pop(vmid, None)
            else:
                self.guests[vmid] = figures.of(node, vmid, guest, running)
        self._ran = running
        self.gathered = True

    def run(self, node: node_.Node) -> None:
        """Gather until `stop`."""
        while not self._stop.is_set():
            self.gather(node)
            self._stop.wait(INTERVAL * node.settings.pace)

    def start(self, node: node_.Node) -> None:
        """In a thread of its own."""
        self._thread = threading.Thread(target=self.run, args=(node,), name="pvestatd", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more gatherings: one that goes on is waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
