"""kill -9 of the node at any moment: what was answered stays, what was half done is put right, guests run on."""

import concurrent.futures
import random
import sqlite3
import time

import pytest

from tests import sandbox_node
from tests.sandbox import api

N = "/nodes/sandbox"


@pytest.fixture
def node():
    with sandbox_node.SandboxNode() as one:
        yield one


def test_what_was_answered_is_there_after_a_kill(node):
    call = api.Api(node)
    call.ok("POST", "/pools", poolid="labs/e1")
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100033, pool="labs/e1", name="one") == "OK"
    call.ok("PUT", f"{N}/qemu/100033/config", cores=2, tags="a;b")
    assert call.task("POST", f"{N}/qemu/100033/status/start") == "OK"
    before = call.ok("GET", f"{N}/qemu/100033/config")
    node.restart()
    assert call.ok("GET", f"{N}/qemu/100033/config") == before
    assert call.ok("GET", f"{N}/qemu/100033/status/current")["status"] == "running"
    assert call.ok("GET", "/pools", poolid="labs/e1")[0]["members"][0]["vmid"] == 100033


def test_kills_at_random_moments_leave_no_half_made_guest(node):
    """Clones and deletes in flight are cut off; after each restart every VMID is a whole guest or free, and all can be removed."""
    chance = random.Random(7)
    vmids = range(100100, 100106)
    for _ in range(5):
        call = api.Api(node)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            work = [pool.submit(_try_clone, call, vmid) for vmid in vmids]
            time.sleep(chance.uniform(0.0, 0.25))
            node.kill()
            concurrent.futures.wait(work)
        node.start()
        for vmid in vmids:
            free = call("GET", "/cluster/nextid", vmid=vmid).status == 200
            config = call("GET", f"{N}/qemu/{vmid}/config")
            assert free == (config.status == 403), f"{vmid}: neither free nor ours: {config}"
            if not free:
                assert "lock" not in config.data
                assert config.data["scsi0"].startswith("lab:base-9000-disk-0/vm-")
                assert call.task("DELETE", f"{N}/qemu/{vmid}") == "OK"
        assert _volumes(node) == {"lab:base-9000-disk-0", "lab:vm-9000-cloudinit", "lab:base-9001-disk-0"}


def _try_clone(call, vmid):
    import requests

    try:
        call("POST", f"{N}/qemu/9000/clone", newid=vmid, pool="labs")
    except requests.RequestException:
        return  # the node was killed: the outcome is unknown, and that is the point


def _volumes(node):
    with sqlite3.connect(node.home / "node.sqlite3") as database:
        return {key for (key,) in database.execute("select key from thing where kind = 'volumes'") if key.startswith("lab:")}


def test_a_cut_off_container_clone_frees_its_source(node):
    call = api.Api(node)
    call.ok("POST", f"{N}/lxc/9001/clone", newid=100200, pool="labs")
    node.kill()
    with sqlite3.connect(node.home / "node.sqlite3") as database:  # as a kill in the middle of the copy leaves it
        _mark(database, "9001", {"lock": "disk"}, {})
        _mark(database, "100200", {"lock": "create"}, {"clone-of": 9001})
    node.start()
    assert "half-made guest 100200 removed" in node.log
    assert call.ok("GET", "/cluster/nextid", vmid=100200) == "100200"
    assert call.task("POST", f"{N}/lxc/9001/clone", newid=100200, pool="labs") == "OK"


def _mark(database, vmid, config, more):
    import json

    row = database.execute("select body from thing where kind = 'guests' and key = ?", (vmid,)).fetchone()
    guest = json.loads(row[0]) if row else {"type": "lxc", "config": {}, "pending": {}, "delete": [], "snapshots": {}}
    guest["config"] |= config
    guest |= more
    database.execute("insert or replace into thing values ('guests', ?, ?)", (vmid, json.dumps(guest)))


def test_a_cut_off_task_ends_as_unexpected_status(node):
    call = api.Api(node)
    upid = call.ok("POST", f"{N}/qemu/9000/clone", newid=100300, pool="labs")
    call.ended(upid)
    node.kill()
    with sqlite3.connect(node.home / "node.sqlite3") as database:
        database.execute("update thing set body = '{\"starttime\": 1}' where kind = 'tasks' and key = ?", (upid,))
    log = node.home / "tasks" / upid
    log.write_text("\n".join(log.read_text().splitlines()[:-1]) + "\n")
    node.start()
    status = call.ok("GET", f"{N}/tasks/{upid}/status")
    assert (status["status"], status["exitstatus"]) == ("stopped", "unexpected status")


def test_a_second_container_clone_of_one_source_is_refused_at_once(node):
    call = api.Api(node)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda vmid: call("POST", f"{N}/lxc/9001/clone", newid=vmid, pool="labs"), range(100400, 100408)))
    assert {reply.status for reply in replies} <= {200, 500}
    assert all(reply.message == "CT is locked (disk)\n" for reply in replies if reply.status == 500)
    for reply in replies:
        if reply.status == 200:
            assert call.ended(reply.data) == "OK"
    assert call.task("POST", f"{N}/lxc/9001/clone", newid=100499, pool="labs") == "OK"


def test_init_again_changes_nothing_and_keeps_the_token(node):
    secret = node.secret
    call = api.Api(node)
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100500, pool="labs") == "OK"
    node.stop()
    node._run(
        "init", "--home", str(node.home), "--name", node.name, "--listen", f"127.0.0.1:{node.port}", "--uplink", node.uplink,
        "--management", node.management, "--runtime", "paper",
    )  # fmt: skip
    node.start()
    assert node.secret == secret
    assert call.ok("GET", f"{N}/qemu/100500/config")["name"] == "Copy-of-VM-debian-12"
