"""A cluster's description as a file: what it may say, and where a mistake is. And the command line that takes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labctl.sandbox.paper import description, reading

WHOLE = """\
nodes:
  - {name: alpha, memory: 65536, cores: 16}
  - {}
storages:
  ceph: {type: rbd, size: 1000}
  fast: {type: zfspool, size: 200, nodes: [alpha]}
storage: ceph
speed: 20
zone: simple
times: {clone: 1.5, boot_vm: 40}
limits: {starts: 4, growth: 0.1}
"""


def test_a_file_says_what_there_is_and_the_rest_is_as_built_in() -> None:
    found = reading.cluster(WHOLE, "c.yaml")
    assert found.nodes == (description.Machine("alpha", 65536, 16), description.Machine("pve2"))
    assert found.storages["ceph"] == description.Storage("rbd", 1000, shared=True)
    assert found.storages["fast"] == description.Storage("zfspool", 200, shared=False, nodes=("alpha",))
    assert (found.storage, found.speed, found.zone) == ("ceph", 20.0, "simple")
    assert (found.times.clone, found.times.boot_vm, found.times.fork) == (1.5, 40.0, description.Times().fork)
    assert (found.limits.starts, found.limits.growth, found.limits.boots) == (4, 0.1, description.Limits().boots)
    assert reading.cluster("nodes: 3\n", "c.yaml") == description.default(3, 1.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "c.yaml: 'nodes' is missing"),
        ("- 1\n", "c.yaml:1:1: expected keys"),
        ("nodes: [\n", "c.yaml:2:1: "),
        ("nodes: 0\n", "c.yaml:1:8: a paper cluster has 1 to 32 nodes"),
        ("nodes: many\n", "c.yaml:1:8: expected a whole number"),
        ("nodes: [{name: a}, {name: a}]\n", "c.yaml:1:8: two nodes have the same name"),
        ("nodes: [{name: a b}]\n", "c.yaml:1:16: a node's name has letters"),
        ("nodes: 2\nspeed: 0\n", "c.yaml:2:8: 'speed' is a number above 0"),
        ("nodes: 2\nspeed: 1\nspeed: 2\n", "c.yaml:3:1: 'speed' stands here twice"),
        ("nodes: 2\ntimes: {clones: 1}\n", "c.yaml:2:9: unknown key 'clones'"),
        ("nodes: 2\ntimes: {clone: -1}\n", "c.yaml:2:16: 'clone' cannot be below 0"),
        ("nodes: 2\nlimits: {starts: 1.5}\n", "c.yaml:2:18: expected a whole number"),
        ("nodes: 2\nzone: qinq\n", "c.yaml:2:7: expected one of vlan, vxlan, simple"),
        ("nodes: 2\nstorages: {a: {type: nfs}}\n", "c.yaml:2:22: expected one of rbd, zfspool, dir"),
        ("nodes: 2\nstorages: {a: {nodes: [pve9]}}\n", "c.yaml:2:24: expected one of pve1, pve2"),
        ("nodes: 2\nstorage: b\n", "c.yaml:2:10: expected one of lab"),
    ],
)
def test_a_mistake_is_said_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(description.BadDescription) as caught:
        reading.cluster(text, "c.yaml")
    assert str(caught.value).startswith(complaint)


def test_a_description_is_kept_as_it_is(tmp_path: Path) -> None:
    assert description.kept(tmp_path) is None
    found = reading.cluster(WHOLE, "c.yaml")
    description.write(tmp_path, found)
    assert description.kept(tmp_path) == found


def run(home: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labctl.sandbox", "init", "--home", str(home), "--name", "papercli", "--listen", "127.0.0.1:18899"]
    command += ["--uplink", "papercli-up", "--management", "100.79.0.0/16", *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_cluster_of_real_guests_is_refused_and_so_is_a_file_with_a_mistake(tmp_path: Path) -> None:
    done = run(tmp_path / "a", "--nodes", "3")
    assert (done.returncode, done.stderr) == (
        1,
        "error: a cluster of several nodes is paper: say --runtime paper with --nodes or --cluster\n",
    )
    file = tmp_path / "c.yaml"
    file.write_text("nodes: 2\nspeed: fast\n")
    done = run(tmp_path / "a", "--runtime", "paper", "--cluster", str(file))
    assert (done.returncode, done.stderr) == (1, f"error: {file}:2:8: expected a number\n")
    assert run(tmp_path / "a", "--runtime", "paper", "--nodes", "33").returncode == 1
    assert not (tmp_path / "a").exists()


def test_a_file_makes_a_cluster_whose_status_can_be_asked(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("nodes: [{name: left}, {name: right}]\nspeed: 1\n")
    done = run(tmp_path / "home", "--runtime", "paper", "--cluster", str(file), "--speed", "1000")
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "home" / "credentials.json").read_text())
    assert (facts["node"], facts["nodes"], facts["speed"], facts["storage"]) == ("left", ["left", "right"], 1000.0, "lab")
    command = [sys.executable, "-m", "labctl.sandbox", "status", "--json", "--home", str(tmp_path / "home")]
    status = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (status["runtime"], sorted(status["guests"])) == ("paper", ["9000", "9001", "9010", "9011"])
    again = ("--runtime", "paper", "--nodes", "3")
    done = run(tmp_path / "home", *again)
    assert done.returncode == 1
    assert "there is a paper cluster with other nodes, storages or zones" in done.stderr
    done = run(tmp_path / "home", "--runtime", "paper")
    assert "there is a paper cluster, which cannot become a single node" in done.stderr
    assert run(tmp_path / "home", "--runtime", "paper", "--cluster", str(file), "--speed", "500").returncode == 0
    assert description.kept(tmp_path / "home").speed == 500.0  # type: ignore[union-attr]
