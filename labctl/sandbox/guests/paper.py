"""Guests without substance: nothing runs, but everything is remembered in one small file. For replaying vectors, for tests of
the API and for simulation; the node says "paper" wherever it tells what its guests really are.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from labctl.sandbox.guests import runtime


class PaperRuntime:
    """Fills `runtime.Runtime`. `path` None keeps everything in memory."""

    kind = "paper"

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._mutex = threading.RLock()
        self._disks: dict[int, dict[str, Any]] = {}
        self._running: dict[int, dict[str, Any]] = {}
        self._bridges: set[str] = set()
        if path and path.exists():
            kept = json.loads(path.read_text("utf-8"))
            self._disks = {int(vmid): disk for vmid, disk in kept["disks"].items()}
            self._running = {int(vmid): facts for vmid, facts in kept["running"].items()}
            self._bridges = set(kept["bridges"])

    def _keep(self) -> None:
        if self._path:
            text = json.dumps({"disks": self._disks, "running": self._running, "bridges": sorted(self._bridges)})
            new = self._path.with_suffix(".new")
            new.write_text(text, "utf-8")
            os.replace(new, self._path)  # noqa: PTH105 - the atomic one, by its plain name

    def assume(self, *, disks: dict[int, list[str]], running: set[int], bridges: set[str]) -> None:
        """Be in this state (recorded situations)."""
        with self._mutex:
            self._disks = {vmid: {"image": "", "base": None, "snapshots": names} for vmid, names in disks.items()}
            self._running = {vmid: {"since": time.time(), "nics": [], "memory": 0} for vmid in running}
            self._bridges = set(bridges)
            self._keep()

    def provide(self, vmid: int, image: str) -> None:
        """Remember a disk."""
        with self._mutex:
            self._disks.setdefault(vmid, {"image": image, "base": None, "snapshots": []})
            self._keep()

    def clone(self, source: int, vmid: int, *, linked: bool) -> None:
        """A disk from another."""
        with self._mutex:
            if source not in self._disks:
                raise runtime.RuntimeFailure(f"guest {source} has no disk to clone")
            self._disks[vmid] = {"image": self._disks[source]["image"], "base": source if linked else None, "snapshots": []}
            self._keep()

    def freeze_template(self, vmid: int) -> None:
        """Remember that it is a base."""
        with self._mutex:
            self._disk(vmid)["template"] = True
            self._keep()

    def bases(self) -> dict[int, int]:
        """Linked clone -> its base."""
        with self._mutex:
            return {vmid: disk["base"] for vmid, disk in self._disks.items() if disk["base"] is not None}

    def start(self, spec: runtime.GuestSpec) -> None:
        """Remember that it runs."""
        with self._mutex:
            self._disk(spec.vmid)
            for nic in spec.nics:
                if nic.bridge is not None and nic.bridge not in self._bridges:
                    raise runtime.RuntimeFailure(f"bridge '{nic.bridge}' does not exist")
            nics = [[f"eth{nic.index}", nic.mac, [nic.address] if nic.address else []] for nic in spec.nics]
            self._running[spec.vmid] = {"since": time.time(), "nics": nics, "memory": spec.memory}
            self._keep()

    def shutdown(self, vmid: int, timeout: float) -> bool:  # noqa: ARG002 - paper goes off at once
        """Off at once."""
        self.stop(vmid)
        return True

    def stop(self, vmid: int) -> None:
        """Remember that it does not."""
        with self._mutex:
            if self._running.pop(vmid, None) is not None:
                self._keep()

    def destroy(self, vmid: int) -> None:
        """Forget its disk."""
        with self._mutex:
            if vmid in self._running:
                raise runtime.RuntimeFailure(f"guest {vmid} is running")
            if self._disks.pop(vmid, None) is not None:
                self._keep()

    def running(self) -> set[int]:
        """Those remembered as running."""
        with self._mutex:
            return set(self._running)

    def snapshot(self, vmid: int, name: str) -> None:
        """Remember the name."""
        with self._mutex:
            self._disk(vmid)["snapshots"].append(name)
            self._keep()

    def delete_snapshot(self, vmid: int, name: str) -> None:
        """Forget the name."""
        with self._mutex:
            snapshots = self._disk(vmid)["snapshots"]
            if name in snapshots:
                snapshots.remove(name)
                self._keep()

    def rollback(self, vmid: int, name: str) -> None:
        """Nothing changes; the name has to be there."""
        with self._mutex:
            if name not in self._disk(vmid)["snapshots"]:
                raise runtime.RuntimeFailure(f"snapshot '{name}' of guest {vmid} is not there")

    def addresses(self, vmid: int) -> list[tuple[str, str, list[str]]]:
        """Those it was started with."""
        with self._mutex:
            return [(name, mac, list(addresses)) for name, mac, addresses in self._running.get(vmid, {}).get("nics", [])]

    def usage(self, vmid: int) -> runtime.Usage:
        """Nothing but time."""
        with self._mutex:
            facts = self._running.get(vmid)
            return runtime.Usage(uptime=int(time.time() - facts["since"]) + 1) if facts else runtime.Usage()

    def bridges(self) -> set[str]:
        """Those remembered."""
        with self._mutex:
            return set(self._bridges)

    def add_bridge(self, name: str) -> None:
        """Remember it."""
        with self._mutex:
            self._bridges.add(name)
            self._keep()

    def remove_bridge(self, name: str) -> None:
        """Forget it."""
        with self._mutex:
            self._bridges.discard(name)
            self._keep()

    def _disk(self, vmid: int) -> dict[str, Any]:
        if vmid not in self._disks:
            raise runtime.RuntimeFailure(f"guest {vmid} has no disk")
        return self._disks[vmid]
