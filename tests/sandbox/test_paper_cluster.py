"""Several nodes in one process: whose guests are where, what is shared, clones from node to node."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.sandbox import answers, catalogue, faults
from labctl.sandbox.faults import reading
from labctl.sandbox.paper import description
from tests.sandbox.paper_cluster import PaperCluster


@pytest.fixture
def three(tmp_path: Path) -> Iterator[PaperCluster]:
    cluster = PaperCluster(tmp_path / "node", description.default(3, 200.0))
    yield cluster
    cluster.node.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[PaperCluster]:
    cluster = PaperCluster(tmp_path / "node", description.default(2, 200.0, local=True))
    yield cluster
    cluster.node.close()


def test_each_node_has_templates_and_the_credentials_list_them(three: PaperCluster) -> None:
    facts = json.loads((three.home / "credentials.json").read_text("utf-8"))
    assert facts["paper"] is True
    assert facts["images"]["debian-12"]["vm"] == [{"node": f"pve{n}", "vmid": 9000 + 10 * (n - 1)} for n in (1, 2, 3)]
    assert facts["images"]["debian-12"]["container"] == [{"node": f"pve{n}", "vmid": 9001 + 10 * (n - 1)} for n in (1, 2, 3)]
    assert [row["node"] for row in three("GET", "/nodes")] == ["pve1", "pve2", "pve3"]
    assert {row["name"]: row["online"] for row in three("GET", "/cluster/status") if row["type"] == "node"} == {
        "pve1": 1, "pve2": 1, "pve3": 1,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["qemu", "lxc"])
def test_a_clone_on_shared_storage_goes_to_the_target(three: PaperCluster, kind: str) -> None:
    template = 9000 if kind == "qemu" else 9001
    assert three.task("POST", f"/nodes/pve1/{kind}/{template}/clone", newid=200, target="pve3", full=0, pool="labs") == "OK"
    assert three("GET", f"/nodes/pve3/{kind}/200/status/current")["status"] == "stopped"
    with pytest.raises(answers.Refused, match=r"Configuration file 'nodes/pve1/.*/200.conf' does not exist"):
        three("GET", f"/nodes/pve1/{kind}/200/config")
    assert {row["vmid"] for row in three("GET", f"/nodes/pve3/{kind}")} == {template + 20, 200}
    assert three.task("POST", f"/nodes/pve3/{kind}/200/status/start") == "OK"
    rows = {row["vmid"]: row for row in three("GET", "/cluster/resources", type="vm")}
    assert rows[200]["node"] == "pve3"
    assert three.task("POST", f"/nodes/pve3/{kind}/200/status/stop") == "OK"
    assert three.task("DELETE", f"/nodes/pve3/{kind}/200") == "OK"
    assert three("GET", "/cluster/nextid", vmid=200) == "200"


def test_a_clone_to_a_node_that_is_not_there_is_refused(three: PaperCluster) -> None:
    with pytest.raises(answers.Refused, match="no such cluster node 'pve9'"):
        three("POST", "/nodes/pve1/qemu/9000/clone", newid=200, target="pve9")
    with pytest.raises(answers.Refused, match="hostname lookup 'pve9' failed"):
        three("GET", "/nodes/pve9/qemu")


def test_guests_of_local_storage_stay_where_their_template_is(local: PaperCluster) -> None:
    for kind, vmid, word in (("qemu", 9000, "VM"), ("lxc", 9001, "CT")):
        with pytest.raises(answers.Refused, match=f"can't clone {word} to node 'pve2' \\({word} uses local storage\\)"):
            local("POST", f"/nodes/pve1/{kind}/{vmid}/clone", newid=200, target="pve2", full=0)
    assert local.task("POST", "/nodes/pve2/lxc/9011/clone", newid=200, full=0) == "OK"
    volumes = local("GET", "/nodes/pve2/storage/lab/content", vmid=200)
    assert [row["volid"] for row in volumes] == ["lab:basevol-9011-disk-0/subvol-200-disk-0"]
    assert local("GET", "/nodes/pve1/storage/lab/content", vmid=200) == []


def test_a_node_that_is_away_is_seen_by_the_others_and_its_guests_are_unknown(three: PaperCluster) -> None:
    assert three.task("POST", "/nodes/pve1/lxc/9001/clone", newid=200, target="pve2", full=0) == "OK"
    three.node.broadcast.gather(three.node)
    rule = reading.read(
        "version: 1\nfaults:\n- {call: 'GET /nodes/{node}/lxc', do: node-offline, node: pve2, for: 600s}\n", "away.yaml"
    ).rules[0]
    found = catalogue.load().find("GET", "/nodes/pve2/lxc")
    assert found
    three.node.conditions.begin(rule, faults.Call(found[0], "/nodes/pve2/lxc", found[1]))
    assert {row["node"]: row["status"] for row in three("GET", "/nodes")} == {"pve1": "online", "pve2": "offline", "pve3": "online"}
    assert {row["name"]: row["online"] for row in three("GET", "/cluster/status") if row["type"] == "node"}["pve2"] == 0
    rows = {row["vmid"]: row["status"] for row in three("GET", "/cluster/resources", type="vm")}
    assert (rows[200], rows[9001]) == ("unknown", "stopped")
    three.node.conditions.clear()
    assert {row["status"] for row in three("GET", "/nodes")} == {"online"}
