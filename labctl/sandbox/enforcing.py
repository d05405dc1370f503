"""The firewall comes into force: every ten seconds, as by Proxmox's daemon, what is stored becomes rules.

So a guest that has just started, or whose options were just written, is filtered only after a moment, there and here (pve-firewall
`Service/pve_firewall.pm`: updatetime 10). What holds from the first packet on is the isolation of its port. Rules that are in force stay
in force while the node's process is away. Paper guests send no packets, so nothing is enforced on them.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from labctl.sandbox import firewall_cards
from labctl.sandbox.guests import filters, runtime

if TYPE_CHECKING:
    from labctl.sandbox import node as node_

INTERVAL = 10.0
"""Seconds between two updates (pve-firewall `Service/pve_firewall.pm`)."""

_log = logging.getLogger(__name__)


class Enforcing:
    """Of one node. A failure is logged once and tried again at the next update, as the daemon does."""

    def __init__(self, node: node_.Node) -> None:
        self._node = node
        self._stop = threading.Event()
        self._enforce = getattr(node.runtime, "enforce", None)
        self._now: filters.Filter | None = None
        self._said = ""

    def update(self) -> None:
        """Put in force what is stored now, unless it is already."""
        if self._enforce is None:
            return
        wanted = firewall_cards.wanted(self._node)
        if wanted == self._now:
            return
        try:
            self._enforce(wanted)
        except runtime.RuntimeFailure as failure:
            if str(failure) != self._said:
                _log.error("the firewall is not in force: %s", failure)
            self._said = str(failure)
            return
        self._now, self._said = wanted, ""

    def start(self) -> None:
        """In a thread of its own."""
        if self._enforce is not None:
            threading.Thread(target=self._run, name="firewall", daemon=True).start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.update()
            self._stop.wait(INTERVAL * self._node.settings.pace)

    def stop(self) -> None:
        """No more updates; what is in force stays."""
        self._stop.set()
