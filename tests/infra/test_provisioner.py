"""Build, repeat, reset and remove against a sandbox node; after every way of failing, removal leaves nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import pytest

from infra import leftovers
from infra.program import Program, draw
from labctl import errors, ports
from labctl.drivers import gates
from labctl.drivers.proxmox import cluster, configuration, guests, networks, pools, snapshots
from labctl.model import marks
from tests.infra import node_plans


@pytest.fixture
def to(provisioner, tmp_path):
    return cluster.Cluster(provisioner._client, gates.Gates(tmp_path / "turns"))


def place(machine) -> guests.Place:
    return guests.Place(machine.node, machine.kind, machine.vmid)


def crumbs(to, site, provisioner, plan) -> list[str]:
    """Everything of an environment that can still be found, by every way of looking."""
    found = [str(one.place) for one in leftovers.guests_of(to, site, plan.plot)]
    found += [f"vmid {machine.vmid}" for machine in plan.machines if not to.free(machine.vmid)]
    found += [row["vnet"] for row in networks.rows(to) if row["vnet"] in {net.vnet for net in plan.networks}]
    found += [plan.pool] if pools.look(to, plan.pool) else []
    return found + list(provisioner._backend.crumbs(plan.environment))


def test_a_plan_becomes_running_guests_that_carry_their_owner(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    machines = provisioner.build(plan, said.append)
    assert [(one.name, one.vmid, one.kind, one.address, one.mac) for one in machines] == [
        ("web", marks.vmid(site, plot, 1), "vm", marks.management_address(site, plot, 1), marks.management_mac(plot, 1)),
        ("db", marks.vmid(site, plot, 2), "container", marks.management_address(site, plot, 2), marks.management_mac(plot, 2)),
    ]
    assert [one.stand_in for one in machines] == [True, False]
    for machine in plan.machines:
        config = guests.look(to, place(machine))
        assert marks.read_mark(config["description"], machine.vmid) == marks.Mark("test", plan.environment, machine.name, machine.vmid)
        assert set(config["tags"].split(";")) == {"labctl", "test", plan.environment}
        assert f"bridge={plan.networks[0].vnet}" in config["net1"]
        assert machine.nics[0].mac in config["net0"].lower()
        assert guests.is_running(to, place(machine))
    web = guests.look(to, place(plan.machines[0]))
    assert web["name"] == f"{plan.environment}-web"
    assert web["ciuser"] == "labctl"
    assert web["ipconfig0"] == f"ip={plan.machines[0].nics[0].address}"
    assert str(web["memory"]) == "512"
    db = guests.look(to, place(plan.machines[1]))
    assert f"ip={plan.machines[1].nics[1].address}" in db["net1"]
    assert pools.look(to, plan.pool)["comment"] == marks.network_alias("test", plan.environment)
    assert provisioner.remove(plan.environment, plot, said.append).left == ()
    assert crumbs(to, site, provisioner, plan) == []


def test_machines_start_after_those_they_wait_for(provisioner, site, plot, said):
    plan = node_plans.plan(site, plot, machines="web:container:db,db:container:dns,dns:container", networks=0)
    provisioner.build(plan, said.append)
    order = [line.partition(":")[0] for line in said if "starting" in line]
    assert order == ["dns", "db", "web"]
    assert provisioner.remove(plan.environment, plot, said.append).left == ()


def test_disks_grow_to_what_is_asked_and_never_shrink(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    wider = plan.model_copy(update={"machines": tuple(one.model_copy(update={"disk": 12}) for one in plan.machines)})
    provisioner.build(wider, said.append)

    def sizes():
        return [configuration.system_disk(place(one), guests.look(to, place(one)))[1] for one in plan.machines]

    assert sizes() == [12.0, 12.0]
    provisioner.build(plan, said.append)
    assert sizes() == [12.0, 12.0]
    provisioner.remove(plan.environment, plot, said.append)


def test_building_again_writes_nothing(provisioner, site, plot, said):
    plan = node_plans.plan(site, plot)
    first = provisioner.build(plan, said.append)
    said.clear()
    assert provisioner.build(plan, said.append) == first
    assert said == []
    provisioner.remove(plan.environment, plot, said.append)


def test_a_guest_that_vanished_or_was_stopped_or_changed_comes_back(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot, machines="web:vm,db:container,dns:container")
    provisioner.build(plan, said.append)
    web, db, dns = plan.machines
    guests.destroy(to, place(web), None)
    guests.stop(to, place(db))
    to.client.put(f"{place(dns).path}/config", cores=2)
    provisioner.build(plan, said.append)
    assert all(guests.is_running(to, place(machine)) for machine in plan.machines)
    assert str(guests.look(to, place(dns))["cores"]) == "1"
    assert provisioner.remove(plan.environment, plot, said.append).left == ()


def test_a_half_made_guest_of_ours_is_adopted_and_completed(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot, machines="web:vm", networks=0)
    pools.ensure(to, plan.pool, marks.network_alias("test", plan.environment))
    web = plan.machines[0]
    mark = marks.Mark("test", plan.environment, "web", web.vmid)
    guests.clone(
        to, place(web), guests.Source(web.node, web.template), mark, name="half", note="left by an earlier attempt", pool=plan.pool
    )
    provisioner.build(plan, said.append)
    assert guests.look(to, place(web))["name"] == f"{plan.environment}-web"
    assert guests.is_running(to, place(web))
    assert provisioner.remove(plan.environment, plot, said.append).left == ()
    assert crumbs(to, site, provisioner, plan) == []


def test_what_is_not_ours_is_never_touched(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    web = plan.machines[0]
    pools.ensure(to, "labs/foreign", "somebody else")
    other = marks.Mark("other", "somebody", "web", web.vmid)
    guests.clone(to, place(web), guests.Source(web.node, web.template), other, name="theirs", note="", pool="labs/foreign")
    before = guests.look(to, place(web))
    with pytest.raises(errors.Conflict, match="does not touch it"):
        provisioner.build(plan, said.append)
    assert provisioner.remove(plan.environment, plot, said.append).left == ()
    assert guests.look(to, place(web)) == before
    with pytest.raises(errors.Conflict):
        guests.destroy(to, place(web), marks.Mark("test", plan.environment, "web", web.vmid))
    guests.destroy(to, place(web), other)
    pools.remove(to, "labs/foreign", "somebody else")


def test_a_vnet_or_pool_of_somebody_else_is_a_conflict_and_stays(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    vnet = plan.networks[0]
    networks.ensure(to, vnet.vnet, zone=site.zone, tag=vnet.tag, alias="labctl other somebody", nodes=["sandbox"])
    with pytest.raises(errors.Conflict, match="not marked as ours"):
        provisioner.build(plan, said.append)
    provisioner.remove(plan.environment, plot, said.append)
    assert networks.look(to, vnet.vnet)["alias"] == "labctl other somebody"
    networks.remove(to, vnet.vnet, "labctl other somebody")
    pools.ensure(to, plan.pool, "mine")
    with pytest.raises(errors.Conflict, match="not marked as ours"):
        provisioner.build(plan, said.append)
    provisioner.remove(plan.environment, plot, said.append)
    assert pools.look(to, plan.pool)["comment"] == "mine"
    pools.remove(to, plan.pool, "mine")


def test_removal_needs_no_record(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot, networks=2)
    provisioner.build(plan, said.append)
    shutil.rmtree(provisioner._backend.root)
    provisioner._backend.root.mkdir()
    removal = provisioner.remove(plan.environment, plot, said.append)
    assert removal.left == ()
    assert len(removal.removed) == 5
    assert crumbs(to, site, provisioner, plan) == []
    assert provisioner.remove(plan.environment, plot, said.append).removed == ()


def test_removal_goes_on_with_a_broken_record_and_a_dead_lock(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    provisioner.build(plan, said.append)
    provisioner._backend.checkpoint(plan.environment).write_text("{")
    lock = provisioner._backend.root / f".pulumi/locks/organization/labctl/{plan.environment}/left.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps({"pid": 2**22 - 1, "username": "x", "hostname": os.uname().nodename, "timestamp": "2026-01-01T00:00:00Z"}))
    assert provisioner.remove(plan.environment, plot, said.append).left == ()
    assert crumbs(to, site, provisioner, plan) == []


def test_removing_what_never_was_is_nothing(provisioner, plot, said):
    assert provisioner.remove("never00001", plot, said.append).removed == ()


BUILD = """
import sys
from pathlib import Path
from types import SimpleNamespace
from tests.infra import node_plans
node = SimpleNamespace(credentials=__import__("json").loads(Path(sys.argv[1], "credentials.json").read_text()), management=sys.argv[2])
state, plot = Path(sys.argv[3]), int(sys.argv[4])
provisioner = node_plans.provisioner(node, state, sys.argv[5])
print("begin", flush=True)
provisioner.build(node_plans.plan(provisioner._site, plot), lambda line: print(line, flush=True))
"""


@pytest.mark.parametrize("lines", range(1, 8))
def test_killed_at_any_line_of_a_build_removal_leaves_nothing_and_a_build_completes(lines, node, provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    command = [sys.executable, "-c", BUILD, str(node.home), node.management, str(provisioner._backend.root), str(plot), "embedded"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    for _ in range(lines):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    if lines % 2:
        provisioner.build(plan, said.append)
        assert all(guests.is_running(to, place(machine)) for machine in plan.machines)
    assert provisioner.remove(plan.environment, plot, said.append).left == ()
    assert crumbs(to, site, provisioner, plan) == []


@pytest.fixture
def real_engine(node, tmp_path):
    told = node_plans.provisioner(node, tmp_path / "state", "pulumi")
    if told.describe().startswith("none"):
        pytest.skip("no `pulumi` on PATH or in $LABCTL_PULUMI: the real engine's half is not run")
    return told


def test_the_real_engine_builds_the_embedded_one_adds_nothing_and_either_removes(real_engine, provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot, networks=2)
    machines = real_engine.build(plan, said.append)
    said.clear()
    assert provisioner.build(plan, said.append) == machines
    assert said == []
    assert real_engine.remove(plan.environment, plot, said.append).left == ()
    assert crumbs(to, site, provisioner, plan) == []


@pytest.mark.parametrize("lines", [2, 4, 6])
def test_the_real_engine_killed_in_a_build_leaves_nothing_after_removal(lines, node, real_engine, provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    command = [sys.executable, "-c", BUILD, str(node.home), node.management, str(provisioner._backend.root), str(plot), "pulumi"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], start_new_session=True)
    for _ in range(lines):
        process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    if lines == 4:
        real_engine.build(plan, said.append)
    assert real_engine.remove(plan.environment, plot, said.append).left == ()
    assert crumbs(to, site, provisioner, plan) == []


def test_many_environments_at_once_from_one_template(node, site, to, said, tmp_path, request):
    plots = range(200, 206)
    each = [node_plans.provisioner(node, tmp_path / "state") for _ in plots]
    plans = [node_plans.plan(site, plot, machines="a:container,b:container,c:vm") for plot in plots]
    with futures.ThreadPoolExecutor(6) as pool:
        built = list(pool.map(lambda pair: pair[0].build(pair[1], said.append), zip(each, plans, strict=True)))
        assert [len(one) for one in built] == [3] * 6
        gone = list(pool.map(lambda pair: pair[0].remove(pair[1].environment, pair[1].plot, said.append), zip(each, plans, strict=True)))
    assert [one.left for one in gone] == [()] * 6
    assert [crumb for one, plan in zip(each, plans, strict=True) for crumb in crumbs(to, site, one, plan)] == []


def test_reset_goes_back_to_ready_and_needs_it(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    provisioner.build(plan, said.append)
    assert provisioner.reset(plan, said.append) == ports.Rolled(missing=("web", "db"))
    provisioner.mark_ready(plan, said.append)
    provisioner.mark_ready(plan, said.append)
    guests.stop(to, place(plan.machines[0]))
    provisioner.reset(plan, said.append)
    assert all(guests.is_running(to, place(machine)) for machine in plan.machines)
    assert all(snapshots.names(to, place(machine)) == {"ready"} for machine in plan.machines)
    assert provisioner.remove(plan.environment, plot, said.append).left == ()


def test_leftovers_are_what_belongs_to_nobody_living(provisioner, site, plot, said):
    plan = node_plans.plan(site, plot)
    provisioner.build(plan, said.append)
    assert provisioner.leftovers([plan.environment]) == ()
    lines = [line for line in provisioner.leftovers([]) if plan.environment in line]
    assert len(lines) == 5
    provisioner.remove(plan.environment, plot, said.append)
    assert [line for line in provisioner.leftovers([]) if plan.environment in line] == []


def test_preflight_says_what_is_missing_before_anything_is_made(provisioner, node, site, plot, tmp_path):
    plan = node_plans.plan(site, plot)
    provisioner.preflight([plan])
    web = plan.machines[0]

    def with_web(**change):
        return [plan.model_copy(update={"machines": (web.model_copy(update=change),)})]

    with pytest.raises(errors.NotFound, match="template 4711"):
        provisioner.preflight(with_web(template=4711))
    with pytest.raises(errors.Conflict, match="memory"):
        provisioner.preflight(with_web(memory=10**9))
    with pytest.raises(errors.NotFound, match="node"):
        provisioner.preflight(with_web(node="nowhere"))


def test_what_the_token_lacks_is_named(node, tmp_path):
    told = node_plans.provisioner(node, tmp_path / "state")
    assert told.access_findings() == ()
    other = told._site.model_copy(update={"storage": "local", "zone": "mgmt"})
    poorer = type(told)(other, tmp_path / "state2", "embedded", tmp_path / "p")
    findings = poorer.access_findings()
    assert any("/storage/local" in line and "Datastore.AllocateSpace" in line for line in findings)
    assert any("/sdn/zones/mgmt" in line and "SDN.Allocate" in line for line in findings)


def test_no_file_of_the_state_holds_a_secret(provisioner, node, site, plot, said):
    plan = node_plans.plan(site, plot)
    secret = plan.model_copy(update={"machines": tuple(one.model_copy(update={"password": "s3cret-of-web"}) for one in plan.machines)})
    provisioner.build(secret, said.append)
    texts = [path.read_text(errors="replace") for path in provisioner._backend.root.rglob("*") if path.is_file()]
    assert texts
    assert not any("s3cret-of-web" in text or node.secret in text for text in [*texts, *said])
    provisioner.remove(plan.environment, plot, said.append)


def test_the_program_beside_the_state_is_the_one_that_was_built(provisioner, site, plot, said):
    plan = node_plans.plan(site, plot)
    provisioner.build(plan, said.append)
    text = (provisioner._backend.root / f"{plan.environment}.program.json").read_text()
    assert Program.load(text) == draw(plan, site, node_plans.KEY)
    provisioner.remove(plan.environment, plot, said.append)


def _note(to, plan, text):
    """What somebody changed in the guests since: the configuration is part of a snapshot, as the disk is."""
    for machine in plan.machines:
        to.client.put(f"{place(machine).path}/config", tags=text)


def _notes(to, plan):
    return {guests.look(to, place(machine))["tags"] for machine in plan.machines}


def test_a_reset_keeps_what_was_there_and_can_go_forward_to_it_again(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    provisioner.build(plan, said.append)
    provisioner.mark_ready(plan, said.append)
    fresh = _notes(to, plan)
    for word in ("first", "second"):
        _note(to, plan, word)
        # A repeated reset of the same round finds what it kept, and keeps nothing of its own result.
        for _ in range(2):
            assert provisioner.reset(plan, said.append, keep=f"reset-{word}") == ports.Rolled(kept=True)
            assert _notes(to, plan) == fresh
    assert all(snapshots.names(to, place(machine)) == {"ready", "before-reset-second"} for machine in plan.machines)
    for _ in range(2):
        provisioner.go_back(plan, "reset-second", said.append)
    assert _notes(to, plan) == {"second"}
    assert all(guests.is_running(to, place(machine)) for machine in plan.machines)
    for _ in range(2):
        provisioner.forget_kept(plan, said.append)
    assert all(snapshots.names(to, place(machine)) == {"ready"} for machine in plan.machines)
    with pytest.raises(errors.PermanentError, match="not there any more on web, db"):
        provisioner.go_back(plan, "reset-second", said.append)
    provisioner.remove(plan.environment, plot, said.append)


def test_a_single_guest_is_discarded_and_made_anew_while_the_others_stay(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    provisioner.build(plan, said.append)
    provisioner.mark_ready(plan, said.append)
    web, db = plan.machines
    for _ in range(2):
        provisioner.discard(plan, ("db",), said.append)
    assert to.free(db.vmid)
    assert guests.is_running(to, place(web))
    assert provisioner.reset(plan, said.append, keep="reset-2") == ports.Rolled(missing=("db",))
    provisioner.build(plan, said.append)
    assert guests.is_running(to, place(db))
    assert snapshots.names(to, place(web)) == {"ready"}
    assert snapshots.names(to, place(db)) == set()
    provisioner.remove(plan.environment, plot, said.append)


def test_a_foreign_guest_is_not_discarded(provisioner, site, to, plot, said):
    plan = node_plans.plan(site, plot)
    provisioner.build(plan, said.append)
    other = plan.model_copy(update={"environment": "another000"})
    with pytest.raises(errors.Conflict, match="does not touch it"):
        provisioner.discard(other, ("web", "db"), said.append)
    assert all(guests.is_running(to, place(machine)) for machine in plan.machines)
    provisioner.remove(plan.environment, plot, said.append)


def test_a_survey_says_what_there_is_and_who_stands_in_the_way(provisioner, site, plot, said):
    plan = node_plans.plan(site, plot)
    supply = provisioner.survey([plan])
    (room,) = supply.nodes
    assert room.memory > 100
    assert room.disk > 100
    assert set(supply.templates.values()) == {8 * 1024}
    assert (supply.vmids, supply.tags) == (frozenset(), frozenset())
    provisioner.build(plan, said.append)
    assert provisioner.survey([plan]).vmids == frozenset(), "its own guests are not in its way"
    other = plan.model_copy(update={"environment": "another000"})
    taken = provisioner.survey([other])
    assert taken.vmids == {machine.vmid for machine in plan.machines}
    assert taken.tags == {network.tag for network in plan.networks}
    with pytest.raises(errors.Conflict, match="VMIDs"):
        provisioner.preflight([other])
    provisioner.remove(plan.environment, plot, said.append)
