"""What `cluster/resources` knows of guests: figures that are gathered every ten seconds, as by Proxmox's pvestatd.

Until the first gathering, and for a guest that is newer than the last one, a row has no name, no figures and the status
"unknown" (`proxmox-truth.md` 2.1); ids, pools, tags and locks are always current.
"""

from __future__ import annotations

import threading
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

    def gather(self, node: node_.Node) -> None:
        """Look at every guest now."""
        with node.state.reading() as content:
            known = dict(content["guests"])
        running = node.runtime.running()
        self.guests = {vmid: figures.of(node, vmid, guest, running) for vmid, guest in known.items() if "clone-of" not in guest}
        self.gathered = True

    def run(self, node: node_.Node) -> None:
        """Gather until `stop`."""
        while not self._stop.is_set():
            self.gather(node)
            self._stop.wait(INTERVAL * node.settings.pace)

    def start(self, node: node_.Node) -> None:
        """In a thread of its own."""
        threading.Thread(target=self.run, args=(node,), name="pvestatd", daemon=True).start()

    def stop(self) -> None:
        """No more gatherings."""
        self._stop.set()
