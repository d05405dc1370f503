"""What a paper cluster has room for: storages fill up, memory runs out, and what is freed can be used again. Lists lag as Proxmox's do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl.sandbox import answers
from labctl.sandbox.paper import description
from tests.sandbox.paper_cluster import PaperCluster

MIB, GIB = 1024**2, 1024**3


@pytest.fixture
def small(tmp_path: Path) -> Iterator[PaperCluster]:
    """Two nodes with 6 GiB of memory each (4 are Proxmox's own), and 34 GiB of storage, of which the templates take 32."""
    nodes = tuple(description.Machine(name, memory=6 * 1024, cores=2) for name in ("pve1", "pve2"))
    shared = {"lab": description.Storage(size=34)}
    cluster = PaperCluster(tmp_path / "node", description.Cluster(nodes, shared, speed=1000.0))
    yield cluster
    cluster.node.close()


def clone(cluster: PaperCluster, vmid: int, **more: object) -> str:
    return cluster.task("POST", "/nodes/pve1/qemu/9000/clone", newid=vmid, **more)


def test_a_storage_that_is_full_refuses_the_clone_and_nothing_of_it_stays(small: PaperCluster) -> None:
    room = small("GET", "/nodes/pve2/storage/lab/status")
    assert (room["total"], room["avail"]) == (34 * GIB, 2 * GIB - 2 * 4 * MIB)
    assert clone(small, 200, full=1).endswith("No space left on device")
    assert [clone(small, 201 + number) for number in range(5)] == ["OK"] * 4 + [
        "clone failed: storage 'lab' on node 'pve1': No space left on device"
    ]
    assert small("GET", "/cluster/nextid", vmid=205) == "205"
    assert small("GET", "/nodes/pve1/storage/lab/content", vmid=205) == []
    assert small.task("DELETE", "/nodes/pve1/qemu/201") == "OK"
    assert clone(small, 205) == "OK"


def test_a_vm_starts_only_where_there_is_memory_for_it(small: PaperCluster) -> None:
    for vmid, target in ((200, "pve1"), (201, "pve1"), (202, "pve2")):
        assert clone(small, vmid, target=target) == "OK"
        small("PUT", f"/nodes/{target}/qemu/{vmid}/config", memory=2048)
    assert small.task("POST", "/nodes/pve1/qemu/200/status/start") == "OK"
    assert "Cannot allocate memory" in small.task("POST", "/nodes/pve1/qemu/201/status/start")
    assert small.task("POST", "/nodes/pve2/qemu/202/status/start") == "OK"
    used = {row["node"]: row["mem"] for row in small("GET", "/nodes")}
    assert used == {"pve1": (4096 + 1638) * MIB, "pve2": (4096 + 1638) * MIB}
    assert small.task("POST", "/nodes/pve1/qemu/200/status/stop") == "OK"
    assert small.task("POST", "/nodes/pve1/qemu/201/status/start") == "OK"


def test_a_container_takes_memory_as_it_uses_it(small: PaperCluster) -> None:
    assert small.task("POST", "/nodes/pve1/lxc/9001/clone", newid=300) == "OK"
    small("PUT", "/nodes/pve1/lxc/300/config", memory=4096)
    assert small.task("POST", "/nodes/pve1/lxc/300/status/start") == "OK"
    status = small("GET", "/nodes/pve1/status")
    assert status["memory"]["used"] == (4096 + 1024) * MIB
    assert "guests are paper" in status["pveversion"]
    assert status["paper"]["speed"] == 1000.0
    assert status["paper"]["spent"] > 0


def test_lists_know_a_new_guest_only_after_the_next_broadcast(small: PaperCluster) -> None:
    assert clone(small, 200, target="pve2") == "OK"
    assert _row(small, 200)["status"] == "unknown"
    small.node.broadcast.gather(small.node)
    assert (_row(small, 200)["status"], _row(small, 200)["node"], _row(small, 200)["maxmem"]) == ("stopped", "pve2", 512 * MIB)
    assert small.task("POST", "/nodes/pve2/qemu/200/status/start") == "OK"
    small("PUT", "/nodes/pve2/qemu/200/config", name="other", tags="seen")
    assert (_row(small, 200)["status"], _row(small, 200)["tags"]) == ("stopped", "seen")
    small.node.broadcast.gather(small.node)
    assert (_row(small, 200)["status"], _row(small, 200)["name"]) == ("running", "other")
    assert small.task("POST", "/nodes/pve2/qemu/200/status/stop") == "OK"
    assert small.task("DELETE", "/nodes/pve2/qemu/200") == "OK"
    assert _row(small, 200) == {}
    small.node.broadcast.gather(small.node)
    assert "200" not in small.node.broadcast.guests


def _row(cluster: PaperCluster, vmid: int) -> dict[str, Any]:
    return next((row for row in cluster("GET", "/cluster/resources", type="vm") if row["vmid"] == vmid), {})


def test_every_node_gets_the_bridges_of_an_apply_and_loses_them(small: PaperCluster) -> None:
    small("POST", "/cluster/sdn/vnets", vnet="v1", zone="labs", tag=100)
    with pytest.raises(answers.Refused, match="tag 100 already exist in vnet v1"):
        small("POST", "/cluster/sdn/vnets", vnet="v2", zone="labs", tag=100)
    assert small.task("PUT", "/cluster/sdn") == "OK"
    assert all("v1" in peer.runtime.bridges() for peer in small.node.peers.values())
    small("DELETE", "/cluster/sdn/vnets/v1")
    assert small.task("PUT", "/cluster/sdn") == "OK"
    assert not any("v1" in peer.runtime.bridges() for peer in small.node.peers.values())
    small("POST", "/cluster/sdn/vnets", vnet="v2", zone="labs", tag=100)


def test_local_storages_of_one_name_are_as_many_as_nodes(tmp_path: Path) -> None:
    described = description.default(2, 1000.0, local=True)
    described = dataclasses.replace(described, storages={"lab": description.Storage("zfspool", 18, shared=False)})
    cluster = PaperCluster(tmp_path / "node", described)
    before = {node: cluster("GET", f"/nodes/{node}/storage/lab/status")["used"] for node in ("pve1", "pve2")}
    assert cluster.task("POST", "/nodes/pve2/lxc/9011/clone", newid=200) == "OK"
    after = {node: cluster("GET", f"/nodes/{node}/storage/lab/status")["used"] for node in ("pve1", "pve2")}
    assert after["pve1"] == before["pve1"]
    assert after["pve2"] == before["pve2"] + int(8 * GIB * description.Limits().growth)
    cluster.node.close()
