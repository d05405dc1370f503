"""Many at once against one node: gates learn from its refusals, one apply serves a wave, one look at its tasks serves all who wait."""

from __future__ import annotations

import collections
import dataclasses
import re
import threading
import time
from collections.abc import Callable
from concurrent import futures

import pytest

from labctl import errors
from labctl.drivers import gates
from labctl.drivers.proxmox import answers, client, cluster, guests, networks, pools, snapshots
from labctl.model import marks, site
from tests.node_here import NodeHere


class Counting(client.Client):
    """Counts what goes over the wire, and does what it was told to do before a call."""

    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        self.counts = collections.Counter()
        self._counting = threading.Lock()
        self._acts: list[tuple[str, int, Callable[[], None]]] = []

    def before(self, pattern: str, nth: int, act: Callable[[], None]) -> None:
        """Done before the nth call that this means."""
        self._acts.append((pattern, nth, act))

    def _once(self, method, path, parameters):
        name = re.sub(r"/tasks/UPID[^/]+", "/tasks/UPID", path)
        with self._counting:
            self.counts[f"{method} {name}"] += 1
        for pattern, nth, act in self._acts:
            if re.fullmatch(pattern, f"{method} {name}") and self.of(pattern) == nth:
                act()
        return super()._once(method, path, parameters)

    def of(self, pattern: str) -> int:
        with self._counting:
            return sum(count for name, count in self.counts.items() if re.fullmatch(pattern, name))


@pytest.fixture
def node():
    with NodeHere() as running:
        yield running


@pytest.fixture
def to(node, tmp_path):
    told = node.credentials
    where = site.Cluster(url=told["url"], user=told["user"], token=told["token"], secret_file=told["secret_file"], ca_file=told["ca_file"])
    pve = cluster.Cluster(Counting(where, patience=60), gates.Gates(tmp_path / "gates"), storage="lab")
    pools.ensure(pve, "labs/crossing", "crossing")
    return pve


def source(node, kind: str) -> guests.Source:
    told = node.credentials
    found = told["images"]["debian-12"][kind]
    one = found[0] if isinstance(found, list) else found
    return guests.Source(told["node"], one["vmid"])


def clone(to, node, number: int, kind: str = "container") -> guests.Place:
    place = guests.Place(node.credentials["node"], kind, 5000 + number)
    mark = marks.Mark("test", "e1", f"m{number}", place.vmid)
    guests.clone(to, place, source(node, kind), mark, name=f"m{number}", note="", pool="labs/crossing")
    return place


def together(count: int, call):
    with futures.ThreadPoolExecutor(count) as pool:
        return [job.result() for job in [pool.submit(call, number) for number in range(count)]]


def test_containers_cloned_from_one_template_at_once_are_never_refused_for_its_lock(node, to):
    places = together(6, lambda number: clone(to, node, number))
    assert all(guests.look(to, place) for place in places)
    assert to.client.of("POST .*/clone") == 6


def test_a_clone_of_its_own_costs_four_calls(node, to):
    clone(to, node, 0)
    to.client.counts.clear()
    clone(to, node, 1)
    assert to.client.of("POST .*/clone") == 1
    assert to.client.of("GET .*/config") == 1
    assert to.client.of("GET .*/nextid") == 0


def test_a_storage_that_is_too_busy_narrows_the_gate_and_the_clones_come_all_the_same(node, to):
    node.wrong('{call: "POST /nodes/{node}/qemu/{vmid}/clone", nth: [1, 2], do: storage-lock}')
    places = together(4, lambda number: clone(to, node, number, "vm"))
    assert all(guests.look(to, place) for place in places)
    learned = to.gates.look(f"clone-{node.credentials['node']}-lab")
    assert not learned.climbing
    assert learned.halved
    assert to.client.of("POST .*/clone") == 6


def test_a_guest_that_is_locked_narrows_no_gate(node, to):
    place = clone(to, node, 0, "vm")
    node.wrong('{call: "POST /nodes/{node}/qemu/{vmid}/status/start", nth: 1, do: config-lock}')
    assert guests.start(to, place)
    assert to.gates.look(f"start-{node.credentials['node']}").climbing


def test_a_gate_before_a_shared_storage_is_one_for_the_whole_cluster(node, to):
    to.client.known["lab"] = True
    assert to.scope("one") == to.scope("two") == ""
    to.client.known["lab"] = False
    assert (to.scope("one"), to.scope("two")) == ("one", "two")


def test_many_who_wait_for_tasks_of_a_node_share_one_look(node, to):
    places = together(12, lambda number: clone(to, node, number))
    node.wrong('{call: "POST /nodes/{node}/lxc/{vmid}/snapshot", do: task-slow, for: 60s}')
    to.client.counts.clear()
    together(12, lambda number: snapshots.keep(to, places[number]))
    assert all(snapshots.names(to, place) == {"ready"} for place in places)
    lists, single = to.client.of("GET /nodes/[^/]+/tasks"), to.client.of("GET .*/tasks/UPID/status")
    assert lists > 0
    assert lists + single < 12 * 3


def test_a_volume_that_stayed_when_its_vm_went_is_freed_too(node, to):
    to = dataclasses.replace(to, pool="labs/crossing")
    place = clone(to, node, 0, "vm")
    node.wrong('{call: "DELETE /nodes/{node}/qemu/{vmid}", nth: 1, do: lock-held, lock: /var/lock/pve-manager/pve-storage-lab, for: 10h}')
    to.client.before("POST /nodes/[^/]+/qemu", 1, node.node.locks.release_held)
    assert guests.destroy(to, place, None)
    assert "lock-held" in node.struck.read_text()
    assert to.client.of("POST /nodes/[^/]+/qemu") == 1
    assert [name for name in node.node.content["volumes"] if f"-{place.vmid}-" in name] == []
    assert to.free(place.vmid)


def test_a_container_whose_volume_could_not_be_freed_is_deleted_again(node, to):
    place = clone(to, node, 0)
    node.wrong('{call: "DELETE /nodes/{node}/lxc/{vmid}", nth: 1, do: lock-held, lock: /var/lock/pve-manager/pve-storage-lab, for: 10h}')
    to.client.before("DELETE /nodes/[^/]+/lxc/.*", 2, node.node.locks.release_held)
    assert guests.destroy(to, place, None)
    assert to.client.of("DELETE /nodes/[^/]+/lxc/.*") > 1
    assert to.free(place.vmid)


@pytest.mark.parametrize(("kind", "tool", "api"), [("vm", "qm", "qemu"), ("container", "pct", "lxc")])
def test_what_is_only_a_shell_any_more_is_told_at_once_with_what_root_has_to_do(node, to, kind, tool, api):
    place = clone(to, node, 0, kind)
    node.wrong(f'{{call: "DELETE /nodes/{{node}}/{api}/{{vmid}}", nth: 1, do: lock-held, lock: "cfs:file-user_cfg", for: 10h}}')
    unlock = f"`{tool} unlock {place.vmid}` as root on node {place.node}"
    with pytest.raises(errors.PermanentError, match=unlock):
        guests.destroy(to, place, None)
    assert guests.look(to, place)["lock"] == "destroyed"
    assert [name for name in node.node.content["volumes"] if f"-{place.vmid}-" in name] == []
    node.node.locks.release_held()
    with node.node.state.change() as content:
        del content["guests"][str(place.vmid)]["config"]["lock"]  # what root's command does
    assert guests.destroy(to, place, None)
    assert to.free(place.vmid)


def test_a_node_without_quorum_leaves_a_guest_that_can_be_destroyed_later(node, to):
    place = clone(to, node, 0)
    node.wrong('{call: "DELETE /nodes/{node}/lxc/{vmid}", nth: 1, do: quorum-lost, for: 3s}')
    assert guests.destroy(to, place, None)
    assert "quorum-lost" in node.struck.read_text()
    assert to.free(place.vmid)


def test_few_who_wait_ask_for_their_tasks_alone(node, to):
    place = clone(to, node, 0)
    to.client.counts.clear()
    snapshots.keep(to, place)
    assert to.client.of("GET /nodes/[^/]+/tasks") == 0
    assert to.client.of("GET .*/tasks/UPID/status") >= 1


@pytest.mark.parametrize("fault", ["task-error, message: storage is gone", "task-killed", "task-warnings"])
def test_the_shared_look_tells_how_each_task_ended(node, to, fault):
    places = together(8, lambda number: clone(to, node, number, "vm"))
    node.wrong('{call: "POST /nodes/{node}/qemu/{vmid}/status/start", nth: 3, do: ' + fault + "}")
    assert together(8, lambda number: guests.start(to, places[number])) == [True] * 8 if "warnings" in fault else True
    if "error" in fault:
        with pytest.raises(errors.PermanentError, match="storage is gone"):
            together(8, lambda number: guests.start(to, places[number]))
    if "killed" in fault:
        together(8, lambda number: guests.start(to, places[number]))
        assert all(guests.is_running(to, place) for place in places)


def vnet(node, to, number: int) -> None:
    networks.ensure(to, f"l{number}k0", zone="labs", tag=1000 + number, alias="labctl test e1", nodes=[node.credentials["node"]])


def test_networks_made_and_removed_while_an_apply_runs_share_the_next_one(node, to):
    vnet(node, to, 0)
    to.client.counts.clear()
    begun, go = threading.Event(), threading.Event()

    def long(_asked):
        begun.set()
        assert go.wait(120)
        return {"error": None, "shown": {}}

    def one(number):
        return vnet(node, to, number) if number else networks.remove(to, "l0k0", "labctl test e1")

    with futures.ThreadPoolExecutor(10) as pool:
        jobs = [pool.submit(to.waves.ride, "sdn", ["", "", []], long)]
        assert begun.wait(60)
        jobs += [pool.submit(one, number) for number in range(9)]
        deadline = time.monotonic() + 60
        try:
            while not all(f'"l{number}k0"' in (to.gates.folder / "sdn.wave").read_text() for number in range(9)):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            go.set()
        for job in jobs:
            job.result()
    assert {row["vnet"] for row in networks.rows(to)} - {"labmgmt"} == {f"l{number}k0" for number in range(1, 9)}
    assert not any(row.get("state") for row in networks.rows(to))
    assert to.client.of("PUT /cluster/sdn") == 1
    assert to.client.of("GET .*/content") == 1


def test_an_apply_that_is_refused_is_refused_for_all_who_rode_in_it(node, to):
    node.wrong('{call: "PUT /cluster/sdn", do: refuse, status: 500, message: the network is on fire}')
    to.client.counts.clear()

    def one(number: int) -> bool:
        with pytest.raises(errors.PermanentError, match="on fire"):
            vnet(node, to, number)
        return True

    assert all(together(6, one))
    node.wrong()
    vnet(node, to, 0)
    assert not any(row.get("state") for row in networks.rows(to))


def test_a_node_that_did_not_take_an_apply_is_given_another_one(node, to):
    node.wrong('{call: "PUT /cluster/sdn", nth: 1, do: sdn-node-failed}')
    vnet(node, to, 0)
    assert (node.struck).read_text().count("sdn-node-failed") == 1
    shown = to.client.get(f"/nodes/{node.credentials['node']}/sdn/zones/labs/content")
    assert [row["status"] for row in shown if row["vnet"] == "l0k0"] == ["available"]


def test_a_removal_that_was_cut_off_before_its_apply_is_applied_by_the_next(node, to):
    vnet(node, to, 0)
    to.client.delete("/cluster/sdn/vnets/l0k0")
    assert networks.remove(to, "l0k0", "labctl test e1")
    assert not networks.remove(to, "l0k0", "labctl test e1")
    assert not any(row["vnet"] == "l0k0" for row in networks.rows(to))


def test_who_is_cancelled_in_line_goes_at_once(node, to):
    place = clone(to, node, 0)
    to.stop.set()
    with pytest.raises(answers.Stopped):
        snapshots.keep(to, place)
