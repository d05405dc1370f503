"""A paper cluster of several nodes in this process, behind its real listener."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Self

from labctl.model import site as site_
from labctl.sandbox import calls, setup
from labctl.sandbox import node as node_
from labctl.sandbox.paper import description
from tests.node_here import NodeHere


class ClusterHere(NodeHere):
    """`cluster` says which nodes and storages. Use as a context manager."""

    def __init__(self, folder: Path, cluster: description.Cluster) -> None:
        super().__init__(folder, pace=1 / cluster.speed)
        self.cluster = cluster

    def __enter__(self) -> Self:
        setup.prepare_home(self.home, replace(self._settings, node=self.cluster.names[0]), self.cluster)
        fresh = node_.open_(self.home)
        setup.initialise(fresh, lambda _line: None)
        fresh.close()
        return super().__enter__()

    def site(self, **change: object) -> site_.Site:
        """As `labctl up` writes it."""
        told = self.credentials
        images = {name: site_.Image.model_validate(kinds) for name, kinds in told["images"].items()}
        keys = ("url", "user", "token", "secret_file", "ca_file")
        cluster = site_.Cluster(**{key: told[key] for key in keys})
        made = site_.Site(
            installation="test",
            guests="paper",
            cluster=cluster,
            paper_speed=told["speed"],
            zone_type=told["zone_type"],
            management=IPv4Network(self.management),
            images=images,
        )
        return made.model_copy(update=change)

    def away(self, *nodes: str) -> None:
        """These nodes do not answer from the next call for them on; none: all are back."""
        self.wrong(*(f"{{call: '*', node: {node}, do: node-offline, nth: 1, for: 999999s}}" for node in nodes))

    def fill(self, node: str) -> None:
        """The storage of guests on that node has next to no room left: somebody has put a large volume there."""
        free = int(self._as_root("GET", f"/nodes/{node}/storage/lab/status")["avail"]) // 2**20 - 64
        given = {"filename": "vm-777-disk-0", "vmid": "777", "size": f"{free}M", "format": "raw"}
        self._as_root("POST", f"/nodes/{node}/storage/lab/content", **given)

    def _as_root(self, verb: str, path: str, **params: str) -> Any:
        return calls.perform(self.node, "root@pam", verb, path, params)

    def where(self, plot: int | None = None) -> dict[int, str]:
        """Guests of labctl's range (of one plot) and their nodes."""
        site = site_.Site(cluster=site_.Cluster(secret_file="", ca_file=""))
        found = {int(vmid): guest["node"] for vmid, guest in self.node.content["guests"].items() if int(vmid) >= site.vmid_base}
        return {vmid: node for vmid, node in found.items() if plot is None or (vmid - site.vmid_base) // site_.SLOTS_PER_PLOT == plot}
