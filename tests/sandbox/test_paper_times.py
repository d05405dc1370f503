"""Modelled time: acts take what the description says, also when this computer wakes threads late; places and locks are waited for."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.sandbox import acts, answers, locks
from labctl.sandbox.paper import acts as paper_acts
from labctl.sandbox.paper import clock, description
from tests.sandbox.paper_cluster import PaperCluster

SPEED = 100.0


def own(**times: float) -> paper_acts.PaperActs:
    cluster = dataclasses.replace(description.default(1, SPEED), times=description.Times(**times))
    return paper_acts.PaperActs(cluster, clock.Clock(SPEED))


def test_acts_under_one_lock_follow_each_other_without_a_gap_however_late_threads_wake() -> None:
    paper = own(fork=0.0, clone=2.0)
    table = locks.Locks(1.0, acts_=paper)
    began, ends = time.monotonic(), []
    arrived: list[float] = []
    waiting = threading.Barrier(10, action=lambda: arrived.append(time.monotonic()))

    def work() -> None:
        paper.clock.begin()
        waiting.wait()
        paper.clock.follow(arrived[0])  # their work began together, whenever each of them is woken
        with table.storage("lab"):
            paper.spend("clone")
            time.sleep(0.01)  # our own computing between the act and the lock's release costs the cluster nothing
            ends.append(paper.moment)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends.sort()
    gaps = [after - before for before, after in itertools.pairwise(ends)]
    assert gaps == pytest.approx([2.0 / SPEED] * 9)
    assert ends[0] >= began + 2.0 / SPEED


def test_a_thread_that_does_nothing_modelled_has_the_real_time() -> None:
    paper = own()
    before = time.monotonic()
    assert before <= paper.moment <= time.monotonic()
    paper.clock.begin()
    paper.clock.follow(before + 1000)
    assert paper.moment == before + 1000
    paper.end()
    assert paper.moment < before + 1000


def test_what_fell_behind_is_counted() -> None:
    known = clock.Clock(SPEED)
    known.begin()
    time.sleep(0.05)
    known.spend(1.0)
    assert known.figures()["lag"] >= (0.05 - 1.0 / SPEED) * SPEED * 0.9
    assert known.figures()["spent"] == 1.0


def test_a_place_is_given_when_the_first_of_those_who_have_one_ends() -> None:
    places = paper_acts.Places(2)
    assert [places.take(100.0, 3.0), places.take(100.0, 5.0)] == [103.0, 105.0]
    assert [places.take(101.0, 1.0), places.take(101.0, 4.0)] == [104.0, 108.0]
    assert places.take(200.0, 1.0) == 201.0


def test_real_guests_take_their_time_themselves() -> None:
    plain = acts.Acts()
    plain.begin()
    plain.spend("clone", 1e9)
    assert plain.moment == 0.0


@pytest.fixture
def two(tmp_path: Path) -> Iterator[PaperCluster]:
    cluster = PaperCluster(tmp_path / "node", description.default(2, 500.0))
    yield cluster
    cluster.node.close()


def test_the_lock_of_a_shared_storage_is_all_nodes_and_times_out_in_proxmoxs_words(two: PaperCluster) -> None:
    two.node.locks.hold("cfs:storage-lab", 1000.0)
    for peer in two.node.peers.values():
        peer.locks.pace = 0.002
    found = [two.task("POST", f"/nodes/pve{number}/qemu/{vmid}/clone", newid=vmid + 100) for number, vmid in ((1, 9000), (2, 9010))]
    assert found == ["clone failed: cfs-lock 'storage-lab' error: got lock request timeout"] * 2
    assert two("GET", "/cluster/nextid", vmid=9100) == "9100"
    two.node.locks.release_held()
    assert two.task("POST", "/nodes/pve2/qemu/9010/clone", newid=9110) == "OK"


def test_a_container_template_is_locked_while_it_is_cloned(two: PaperCluster) -> None:
    two.node.locks.hold("cfs:storage-lab", 1000.0)
    first = two("POST", "/nodes/pve1/lxc/9001/clone", newid=200)
    with pytest.raises(answers.Refused, match=r"CT is locked \(disk\)"):
        two("POST", "/nodes/pve1/lxc/9001/clone", newid=201)
    second = two("POST", "/nodes/pve2/lxc/9011/clone", newid=201)
    two.node.locks.release_held()
    assert [two.ended(first), two.ended(second)] == ["OK", "OK"]


def test_nobody_can_reach_a_guest_before_it_has_booted(tmp_path: Path) -> None:
    slow = dataclasses.replace(description.default(1, 500.0), times=description.Times(boot_vm=1e6, boot_container=1e6))
    cluster = PaperCluster(tmp_path / "node", slow)
    for kind, vmid in (("qemu", 200), ("lxc", 201)):
        assert cluster.task("POST", f"/nodes/pve1/{kind}/{8800 + vmid}/clone", newid=vmid) == "OK"
        net = "virtio,bridge=vmbr0" if kind == "qemu" else "name=eth0,bridge=vmbr0,ip=192.0.2.9/24"
        cluster("PUT", f"/nodes/pve1/{kind}/{vmid}/config", net0=net)
        assert cluster.task("POST", f"/nodes/pve1/{kind}/{vmid}/status/start") == "OK"
        assert cluster("GET", f"/nodes/pve1/{kind}/{vmid}/status/current")["status"] == "running"
    with pytest.raises(answers.Refused, match="QEMU guest agent is not running"):
        cluster("POST", "/nodes/pve1/qemu/200/agent/ping")
    assert cluster("GET", "/nodes/pve1/lxc/201/interfaces") == []
    cluster.node.close()


def test_a_booted_guest_answers(two: PaperCluster) -> None:
    assert two.task("POST", "/nodes/pve2/lxc/9011/clone", newid=201) == "OK"
    two("PUT", "/nodes/pve2/lxc/201/config", net0="name=eth0,bridge=vmbr0,ip=192.0.2.9/24")
    assert two.task("POST", "/nodes/pve2/lxc/201/status/start") == "OK"
    two.until(lambda: two("GET", "/nodes/pve2/lxc/201/interfaces"))
    assert two("GET", "/nodes/pve2/lxc/201/interfaces")[0]["inet"] == "192.0.2.9/24"
