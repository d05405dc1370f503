"""A paper cluster whose process was killed: guests run on, half-made ones go, whichever node they were on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.sandbox.paper import description
from tests.sandbox.paper_cluster import PaperCluster


@pytest.fixture
def two(tmp_path: Path) -> Iterator[PaperCluster]:
    cluster = PaperCluster(tmp_path / "node", description.default(2, 500.0))
    yield cluster
    cluster.node.close()


def again(cluster: PaperCluster) -> None:
    """As after a kill: nothing but the home is left."""
    cluster.node.close()
    cluster.open()
    cluster.node.broadcast.gather(cluster.node)


def test_guests_run_on_where_they_were(two: PaperCluster) -> None:
    assert two.task("POST", "/nodes/pve1/qemu/9000/clone", newid=200, target="pve2", pool="labs") == "OK"
    assert two.task("POST", "/nodes/pve2/qemu/200/snapshot", snapname="ready") == "OK"
    assert two.task("POST", "/nodes/pve2/qemu/200/status/start") == "OK"
    used = two("GET", "/nodes/pve2/status")["memory"]["used"]
    again(two)
    assert two("GET", "/nodes/pve2/qemu/200/status/current")["status"] == "running"
    assert two("GET", "/nodes/pve2/status")["memory"]["used"] == used
    assert two("GET", "/pools", poolid="labs")[0]["members"][0]["vmid"] == 200
    assert two.task("POST", "/nodes/pve2/qemu/200/snapshot/ready/rollback") == "OK"


def test_a_half_made_clone_goes_and_its_template_is_free(two: PaperCluster, tmp_path: Path) -> None:
    two.node.locks.hold("cfs:storage-lab", 1e6)
    upid = two("POST", "/nodes/pve2/lxc/9011/clone", newid=201, pool="labs")
    assert two("GET", "/nodes/pve2/lxc/9011/config")["lock"] == "disk"
    after = two.killed(tmp_path / "after")
    assert after("GET", f"/nodes/pve2/tasks/{upid}/status")["exitstatus"] == "unexpected status"
    assert after("GET", "/cluster/nextid", vmid=201) == "201"
    assert "lock" not in after("GET", "/nodes/pve2/lxc/9011/config")
    assert after.task("POST", "/nodes/pve2/lxc/9011/clone", newid=201, pool="labs") == "OK"
    after.node.close()
    two.node.locks.release_held()
    two.ended(upid)


def test_a_half_removed_guest_goes(two: PaperCluster) -> None:
    assert two.task("POST", "/nodes/pve1/lxc/9001/clone", newid=202, target="pve2") == "OK"
    with two.node.state.change() as content:
        content["guests"]["202"]["config"]["lock"] = "destroyed"
    again(two)
    assert two("GET", "/cluster/nextid", vmid=202) == "202"
    assert two("GET", "/nodes/pve1/storage/lab/content", vmid=202) == []


def test_each_node_lists_its_own_tasks_and_the_cluster_all(two: PaperCluster) -> None:
    first = two("POST", "/nodes/pve1/lxc/9001/clone", newid=203)
    second = two("POST", "/nodes/pve2/lxc/9011/clone", newid=204)
    assert [two.ended(first), two.ended(second)] == ["OK", "OK"]
    listed = {name: {row["upid"] for row in two("GET", f"/nodes/{name}/tasks", limit=0).data} for name in ("pve1", "pve2")}
    assert first in listed["pve1"] - listed["pve2"]
    assert second in listed["pve2"] - listed["pve1"]
    assert {first, second} <= {row["upid"] for row in two("GET", "/cluster/tasks")}


def test_rights_hold_from_the_moment_they_are_given_and_no_longer(two: PaperCluster) -> None:
    who = "labctl@pve!lab"
    assert two.task("POST", "/nodes/pve1/lxc/9001/clone", newid=205) == "OK"

    def seen() -> bool:
        return any(row["vmid"] == 205 for row in two("GET", "/nodes/pve1/lxc", who=who))

    assert not seen()
    two("PUT", "/pools", poolid="labs", vms="205")
    assert seen()
    two("PUT", "/access/acl", path="/vms/205", roles="NoAccess", users="labctl@pve")
    assert not seen()
    two("PUT", "/access/acl", path="/vms/205", roles="NoAccess", users="labctl@pve", delete="1")
    assert seen()
    two("PUT", "/pools", poolid="labs", vms="205", delete="1")
    assert not seen()
