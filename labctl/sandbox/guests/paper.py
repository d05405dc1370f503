"""Guests without substance: nothing runs, but everything is remembered. For replaying vectors, for tests of the API and for simulation;
the node says "paper" wherever it tells what its guests really are.

One of these is one node's; the nodes of a cluster share the ledger. With `paper.acts` starts, boots, snapshots take modelled time;
without, all is done at once.
"""

from __future__ import annotations

import time
from pathlib import Path

from labctl.sandbox import acts
from labctl.sandbox.guests import runtime
from labctl.sandbox.paper import acts as paper_acts
from labctl.sandbox.paper import ledger as ledger_


class PaperRuntime:
    """Fills `runtime.Runtime`. `path` None keeps everything in memory."""

    kind = "paper"

    def __init__(
        self, path: Path | None = None, *, ledger: ledger_.Ledger | None = None, node: str = "", acts_: acts.Acts | None = None
    ) -> None:
        self.ledger = ledger or ledger_.Ledger(path)
        self.node = node
        self.acts = acts_ or acts.Acts()

    def assume(self, *, disks: dict[int, list[str]], running: set[int], bridges: set[str]) -> None:
        """Be in this state (recorded situations)."""
        self.ledger.assume(
            {vmid: {"image": "", "base": None, "snapshots": names} for vmid, names in disks.items()},
            {vmid: {"since": time.time(), "booted": 0, "nics": [], "memory": 0} for vmid in running},
        )
        for name in self.bridges() - bridges:
            self.remove_bridge(name)
        for name in bridges:
            self.add_bridge(name)

    def provide(self, vmid: int, image: str) -> None:
        """Remember a disk."""
        with self.ledger.mutex:
            if vmid not in self.ledger.disks:
                self.ledger.disk(vmid, {"image": image, "base": None, "snapshots": []})

    def clone(self, source: int, vmid: int, *, linked: bool) -> None:
        """A disk from another."""
        with self.ledger.mutex:
            known = self.ledger.disks.get(source)
            if known is None:
                raise runtime.RuntimeFailure(f"guest {source} has no disk to clone")
            self.ledger.disk(vmid, {"image": known["image"], "base": source if linked else None, "snapshots": []})

    def freeze_template(self, vmid: int) -> None:
        """Remember that it is a base."""
        with self.ledger.mutex:
            self.ledger.disk(vmid, self._disk(vmid) | {"template": True})

    def bases(self) -> dict[int, int]:
        """Linked clone -> its base."""
        with self.ledger.mutex:
            return {vmid: disk["base"] for vmid, disk in self.ledger.disks.items() if disk["base"] is not None}

    def start(self, spec: runtime.GuestSpec) -> None:
        """Remember that it runs, and when it will have booted."""
        self._disk(spec.vmid)
        there = self.bridges()
        for nic in spec.nics:
            if nic.bridge is not None and nic.bridge not in there:
                raise runtime.RuntimeFailure(f"bridge '{nic.bridge}' does not exist")
        kind = "container" if spec.container else "vm"
        self.acts.spend(f"start_{kind}")
        booted = time.time()
        if isinstance(self.acts, paper_acts.PaperActs):
            booted += self.acts.booted(f"boot_{kind}") - time.monotonic()
        nics = [[f"eth{nic.index}", nic.mac, [nic.address] if nic.address else []] for nic in spec.nics]
        facts = {"since": time.time(), "booted": booted, "nics": nics, "memory": spec.memory, "node": self.node, "kind": kind}
        self.ledger.run(spec.vmid, facts)

    def shutdown(self, vmid: int, timeout: float) -> bool:  # noqa: ARG002 - paper always does what it is asked
        """Off after the time that a shutdown takes."""
        if vmid in self.ledger.running:
            self.acts.spend("shutdown")
            self.ledger.run(vmid, None)
        return True

    def stop(self, vmid: int) -> None:
        """Remember that it does not run."""
        if vmid in self.ledger.running:
            self.acts.spend("stop")
            self.ledger.run(vmid, None)

    def destroy(self, vmid: int) -> None:
        """Forget its disk."""
        with self.ledger.mutex:
            if vmid in self.ledger.running:
                raise runtime.RuntimeFailure(f"guest {vmid} is running")
            if vmid in self.ledger.disks:
                self.ledger.disk(vmid, None)

    def running(self) -> frozenset[int]:
        """Those remembered as running, on whatever node."""
        return self.ledger.running

    def snapshot(self, vmid: int, name: str) -> None:
        """Remember the name."""
        self._disk(vmid)
        self.acts.spend("snapshot")
        with self.ledger.mutex:
            disk = self._disk(vmid)
            self.ledger.disk(vmid, disk | {"snapshots": [*disk["snapshots"], name]})

    def delete_snapshot(self, vmid: int, name: str) -> None:
        """Forget the name."""
        if name not in self._disk(vmid)["snapshots"]:
            return
        self.acts.spend("snapshot")
        with self.ledger.mutex:
            disk = self._disk(vmid)
            self.ledger.disk(vmid, disk | {"snapshots": [other for other in disk["snapshots"] if other != name]})

    def rollback(self, vmid: int, name: str) -> None:
        """Nothing changes; the name has to be there."""
        if name not in self._disk(vmid)["snapshots"]:
            raise runtime.RuntimeFailure(f"snapshot '{name}' of guest {vmid} is not there")
        self.acts.spend("rollback")

    def addresses(self, vmid: int) -> list[tuple[str, str, list[str]]]:
        """Those it was started with, as soon as it has booted."""
        known = self.ledger.runs.get(vmid)
        if known is None or known["booted"] > time.time():
            return []
        return [(name, mac, list(addresses)) for name, mac, addresses in known["nics"]]

    def usage(self, vmid: int) -> runtime.Usage:
        """Time on the cluster's clock; memory as the cluster's description has it."""
        known = self.ledger.runs.get(vmid)
        if known is None:
            return runtime.Usage()
        speed, share = 1.0, 0.0
        if isinstance(self.acts, paper_acts.PaperActs):
            speed, share = self.acts.clock.speed, self.acts.memory_share(known["kind"])
        memory = int(known["memory"] * share) * 1024**2
        return runtime.Usage(uptime=int((time.time() - known["since"]) * speed) + 1, memory=memory)

    def bridges(self) -> frozenset[str]:
        """This node's."""
        return self.ledger.bridges(self.node)

    def add_bridge(self, name: str) -> None:
        """Remember it."""
        self.ledger.bridge(self.node, name, there=True)

    def remove_bridge(self, name: str) -> None:
        """Forget it."""
        self.ledger.bridge(self.node, name, there=False)

    def _disk(self, vmid: int) -> ledger_.Facts:
        known = self.ledger.disks.get(vmid)
        if known is None:
            raise runtime.RuntimeFailure(f"guest {vmid} has no disk")
        return known
