"""Every kind of fault on a node's own listener: what the client sees, and what is there afterwards."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time

import pytest
import requests

from labctl.sandbox.faults import kinds
from tests.node_here import PACE, NodeHere
from tests.sandbox.api import Api
from tests.sandbox_node import SandboxNode

VM, CT = "/nodes/sandbox/qemu", "/nodes/sandbox/lxc"
_VMIDS = itertools.count(100_001)
COVERED: set[str] = set()


@pytest.fixture(scope="module")
def node():
    with NodeHere() as running:
        yield running


@pytest.fixture
def api(node):
    yield Api(node)
    node.wrong()


@pytest.fixture
def wrong(node):
    def wrong(kind, call, *, more=""):
        COVERED.add(kind)
        node.wrong(f"{{call: {call!r}, do: {kind}{more}}}")

    return wrong


@pytest.fixture
def vmid():
    return next(_VMIDS)


def there(api, vmid):
    return api("GET", "/cluster/nextid", vmid=vmid).status == 400


def cloned(api, vmid, kind=VM, template=9000):
    return api.task("POST", f"{kind}/{template}/clone", newid=vmid, pool="labs")


REFUSALS = [
    (
        "config-lock",
        "PUT",
        VM + "/{vmid}/config",
        {"cores": 2},
        500,
        "can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout",
    ),
    ("guest-locked", "PUT", VM + "/{vmid}/config", {"cores": 2}, 500, "VM is locked (backup)"),
    ("digest", "PUT", VM + "/{vmid}/config", {"cores": 2}, 500, "checksum mismatch (file change by other user?)"),
    ("vanished", "GET", VM + "/{vmid}/config", {}, 500, "Configuration file 'nodes/sandbox/qemu-server/{vmid}.conf' does not exist"),
    ("no-worker", "POST", VM + "/{vmid}/status/start", {}, 500, "got no worker upid - start worker failed"),
    ("no-quorum", "POST", VM + "/{vmid}/status/start", {}, 500, "cluster not ready - no quorum?"),
    ("agent-silent", "POST", VM + "/{vmid}/agent/ping", {}, 500, "QEMU guest agent is not running"),
    ("forbidden", "GET", VM + "/{vmid}/config", {}, 403, "Permission check failed (/vms/{vmid}, VM.Audit)"),
    ("unauthorised", "GET", "/version", {}, 401, ""),
    ("cluster-lock", "POST", "/pools", {"poolid": "labs/x"}, 500, "create pool failed: cfs-lock 'file-user_cfg' error: got lock request"),
    ("sdn-lock", "POST", "/cluster/sdn/vnets", {"vnet": "vx", "zone": "labs", "tag": 4000}, 500, "invalid lock token provided!"),
    ("refuse", "GET", "/version", {}, 500, "refused by a fault rule"),
    ("proxy-595", "GET", "/version", {}, 595, ""),
    ("proxy-596", "GET", "/version", {}, 596, ""),
    ("proxy-599", "GET", "/version", {}, 599, ""),
]


@pytest.mark.parametrize(("kind", "verb", "path", "params", "status", "text"), REFUSALS, ids=[one[0] for one in REFUSALS])
def test_a_refusal_reads_as_proxmox_says_it_and_the_next_call_goes_well(kind, verb, path, params, status, text, api, wrong, vmid):
    assert cloned(api, vmid) == "OK"
    path = path.format(vmid=vmid)
    wrong(kind, f"{verb} {path}", more=", nth: 1")
    refused = api(verb, path, **params)
    assert (refused.status, text.format(vmid=vmid) in refused.message) == (status, True), refused
    if kind != "agent-silent":
        assert api(verb, path, **params).status == 200


def test_a_refusal_may_say_anything(api, wrong):
    wrong("refuse", "GET /version", more=", status: 503, message: 'gone fishing'")
    assert (api("GET", "/version").status, api("GET", "/version").message) == (503, "gone fishing\n")


@pytest.mark.parametrize(("kind", "done"), [("drop", False), ("lost-answer", True), ("garbled", True)])
def test_the_wire_fails_before_or_after_the_work(kind, done, api, wrong, vmid):
    wrong(kind, "POST /pools", more=", nth: 1")
    if kind == "garbled":
        assert api("POST", "/pools", poolid=f"labs/p{vmid}").data is None
    else:
        with pytest.raises(requests.ConnectionError):
            api("POST", "/pools", poolid=f"labs/p{vmid}")
    assert (api("POST", "/pools", poolid=f"labs/p{vmid}").status == 500) is done


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["proxy-596", "proxy-599", "refuse"])
def test_an_unknown_outcome_is_done_or_not(kind, after, api, wrong, vmid):
    wrong(kind, "POST /pools", more=f", nth: 1, after: {str(after).lower()}")
    assert api("POST", "/pools", poolid=f"labs/q{vmid}").status >= 500
    again = api("POST", "/pools", poolid=f"labs/q{vmid}")
    assert ("already exists" in again.message) is after


TASK_LOCKS = [
    ("config-lock", "clone failed: can't lock file '{flock}' - got timeout"),
    ("storage-lock", "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-lab' - got timeout"),
    ("cluster-lock", "clone failed: can't add VM {vmid} to pool 'labs': cfs-lock 'file-user_cfg' error: got lock request timeout"),
    ("task-error", "clone failed: got timeout"),
    ("task-interrupted", "clone failed: received interrupt"),
    ("task-killed", "unexpected status"),
]


@pytest.mark.parametrize(("path", "template"), [(VM, 9000), (CT, 9001)], ids=["vm", "container"])
@pytest.mark.parametrize(("kind", "end"), TASK_LOCKS, ids=[one[0] for one in TASK_LOCKS])
def test_a_task_that_fails_leaves_nothing_and_may_be_repeated(kind, end, path, template, api, wrong, node, vmid):
    wrong(kind, f"POST {path}/{template}/clone", more=", nth: 1")
    flock = "/var/lock/qemu-server/lock-9000.conf" if path == VM else "/run/lock/lxc/pve-config-9001.lock"
    assert cloned(api, vmid, path, template) == end.format(vmid=vmid, flock=flock)
    assert not there(api, vmid)
    assert not [volume for volume in node.node.content["volumes"] if str(vmid) in volume]
    assert cloned(api, vmid, path, template) == "OK"


@pytest.mark.parametrize("kind", ["task-error", "task-killed"])
def test_a_task_may_fail_when_its_work_is_done(kind, api, wrong, vmid):
    wrong(kind, "POST /nodes/{node}/qemu/{vmid}/clone", more=", nth: 1, after: true")
    assert cloned(api, vmid) != "OK"
    assert there(api, vmid)


@pytest.mark.parametrize(("path", "template", "source"), [(VM, 9000, "9000"), (CT, 9001, "9001")])
def test_a_worker_that_is_killed_hard_leaves_its_lock(path, template, source, api, wrong, node, vmid):
    wrong("task-killed", "POST /nodes/{node}/*", more=", nth: 1, locked: true")
    assert cloned(api, vmid, path, template) == "unexpected status"
    assert node.node.content["guests"][str(vmid)]["config"]["lock"] in {"clone", "create"}
    assert there(api, vmid)
    with node.node.state.change() as content:
        del content["guests"][str(vmid)]
        content["guests"][source]["config"].pop("lock", None)


def test_warnings_are_success_with_a_remark(api, wrong, vmid):
    wrong("task-warnings", "POST /nodes/{node}/qemu/{vmid}/clone")
    upid = api.ok("POST", f"{VM}/9000/clone", newid=vmid, pool="labs")
    assert api.ended(upid) == "WARNINGS: 1"
    assert api.ok("GET", f"/nodes/sandbox/tasks/{upid}/log")[-1]["t"] == "TASK WARNINGS: 1"
    assert there(api, vmid)


def test_slow_answers_and_tasks_take_their_time(api, wrong, vmid):
    for kind in ("slow", "task-slow"):
        wrong(kind, "POST /nodes/{node}/qemu/{vmid}/clone", more=", nth: 1, for: 20s")
        began = time.monotonic()
        assert cloned(api, next(_VMIDS)) == "OK"
        assert time.monotonic() - began >= 20 * PACE


def test_an_apply_that_a_node_did_not_take_ends_well_without_its_bridges(api, wrong, node, vmid):
    vnet = f"v{vmid % 1000}"
    api.ok("POST", "/cluster/sdn/vnets", vnet=vnet, zone="labs", tag=vmid % 4000)
    wrong("sdn-node-failed", "PUT /cluster/sdn", more=", nth: 1")
    assert api.task("PUT", "/cluster/sdn") == "OK"
    assert vnet not in node.node.runtime.bridges()
    assert api.task("PUT", "/cluster/sdn") == "OK"
    assert vnet in node.node.runtime.bridges()


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# What lasts is looked at while it lasts for as long as a test takes, and once more to see that it ends by itself.
LONG, SHORT = ", nth: 1, for: 10h", ", nth: 1, for: 20s"


def test_quorum_is_lost_and_comes_back(api, wrong, vmid):
    wrong("quorum-lost", "GET /version", more=LONG)
    assert api("POST", f"{VM}/9000/clone", newid=vmid, pool="labs").status == 200
    api.ok("GET", "/version")
    assert api("POST", f"{VM}/9000/clone", newid=vmid + 50_000, pool="labs").message == "cluster not ready - no quorum?\n"
    assert api("POST", "/pools", poolid=f"labs/n{vmid}").message == "create pool failed: cfs-lock 'file-user_cfg' error: no quorum!\n"
    wrong("quorum-lost", "GET /version", more=SHORT)
    api.ok("GET", "/version")
    until(lambda: api("POST", "/pools", poolid=f"labs/n{vmid}").status == 200)


def test_a_node_is_away_and_comes_back_while_the_cluster_answers(api, wrong):
    wrong("node-offline", "GET /nodes/{node}/status", more=LONG)
    assert api("GET", "/nodes/sandbox/status").status == 595
    assert api("GET", "/nodes/sandbox/storage").status == 595
    assert api("GET", "/version").status == 200
    wrong("node-offline", "GET /nodes/{node}/status", more=SHORT)
    until(lambda: api("GET", "/nodes/sandbox/status").status == 200)


def test_a_frozen_node_answers_late_or_not_and_does_the_work_when_it_thaws(api, wrong, node, vmid):
    wrong("node-frozen", "GET /nodes/{node}/status", more=", nth: 1, for: 200s")  # Proxmox waits for thirty
    assert api("GET", "/nodes/sandbox/status").status == 596
    assert api("POST", f"{VM}/9000/clone", newid=vmid, pool="labs").status in {596, 200}
    until(lambda: there(api, vmid))
    until(lambda: all("status" in facts for facts in node.node.tasks.known().values()))


def test_a_full_storage_takes_no_volume(api, wrong, vmid):
    wrong("storage-full", "POST /nodes/{node}/qemu/{vmid}/clone", more=LONG)
    assert cloned(api, vmid) == "clone failed: unable to create image: storage 'lab': No space left on device"
    assert not there(api, vmid)
    wrong("storage-full", "POST /nodes/{node}/qemu/{vmid}/clone", more=SHORT)
    until(lambda: cloned(api, next(_VMIDS)) == "OK")


def test_a_lock_that_another_holds_is_waited_for_and_then_refused(api, wrong, vmid):
    assert cloned(api, vmid) == "OK"
    wrong("lock-held", "PUT /nodes/{node}/qemu/{vmid}/config", more=LONG)
    late = api("PUT", f"{VM}/{vmid}/config", cores=2)
    assert (late.status, late.message) == (500, f"can't lock file '/var/lock/qemu-server/lock-{vmid}.conf' - got timeout\n")
    wrong("lock-held", "PUT /nodes/{node}/qemu/{vmid}/config", more=f", nth: 1, for: 5s, lock: /var/lock/qemu-server/lock-{vmid}.conf")
    assert api("PUT", f"{VM}/{vmid}/config", cores=2).status == 200


def test_every_kind_was_tried_here(request):
    if request.session.testscollected < 40:
        pytest.skip("only with the whole file")
    assert set(kinds.KINDS) == COVERED


def command(*words):
    return subprocess.run([sys.executable, "-m", "labctl.sandbox", *words], capture_output=True, text=True, check=False)


def test_a_serving_node_follows_what_it_is_told(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("version: 1\nfaults:\n  - {call: GET /version, do: refuse, status: 503, message: no}\n")
    with SandboxNode() as node:
        api, home = Api(node), str(node.home)
        assert api("GET", "/version").status == 200
        assert command("faults", "--home", home, "set", str(file)).returncode == 0
        assert api("GET", "/version").status == 503
        assert json.loads((node.home / "faults.log").read_text())["kind"] == "refuse"
        assert command("faults", "--home", home, "show").stdout == file.read_text()
        node.restart()
        assert api("GET", "/version").status == 503
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text("version: 1\nfaults:\n  - {call: GET /version, do: refuses}\n")
        for verb in ("check", "set"):
            said = command("faults", "--home", home, verb, str(wrong))
            assert (said.returncode, said.stderr) == (1, f"{wrong}:3:30: there is no fault 'refuses'; did you mean 'refuse'?\n")
        assert api("GET", "/version").status == 503
        assert command("faults", "--home", home, "clear").returncode == 0
        assert api("GET", "/version").status == 200
        assert command("faults", "--home", home, "show").stdout == "faults: []\n"


def test_a_node_does_not_start_with_a_wrong_fault_file(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\nfaults: {}\n")
    said = command("serve", "--home", str(tmp_path), "--faults", str(wrong))
    assert (said.returncode, said.stderr) == (1, f"{wrong}:2:9: 'faults' must be a list\n")
