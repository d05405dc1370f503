"""What the client promises, on every server that can be asked: what is read, what is refused and how, what is repeated."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from labctl import errors
from labctl.drivers import gates
from labctl.drivers.proxmox import answers, client, cluster, guests, networks, tasks
from labctl.model import marks
from tests.drivers import proxmox_servers


@pytest.fixture(scope="module", params=["sandbox", "fakepve", "real"])
def server(request, tmp_path_factory):
    if request.param == "real":
        return proxmox_servers.real()
    if request.param == "fakepve":
        return proxmox_servers.fakepve(request, tmp_path_factory.mktemp("fakepve"))
    return proxmox_servers.sandbox(request)


@pytest.fixture(scope="module")
def fake(request, tmp_path_factory):
    return proxmox_servers.fakepve(request, tmp_path_factory.mktemp("faults"))


@pytest.fixture
def to(server, tmp_path):
    return cluster.Cluster(server.client(patience=6), gates.Gates(tmp_path / "turns"))


def test_the_version_decides_which_privileges_exist(to):
    assert to.client.version() >= (8, 4)


def test_a_free_and_a_taken_vmid_are_told_apart(to, server):
    assert to.free(987_654)
    assert not to.free(server.template)


def test_a_guest_that_is_not_there_is_nothing_to_see(to, server):
    assert guests.look(to, guests.Place(server.node, "vm", 987_654)) is None
    assert guests.look(to, guests.Place(server.node, "vm", server.template)) is not None


def test_a_wrong_parameter_is_permanent_and_named(to):
    with pytest.raises(errors.PermanentError, match="vmid"):
        to.client.get("/cluster/nextid", vmid=5)


def test_booleans_travel_as_numbers(to, server):
    """`full=True` would be 400 (`proxmox-truth.md` 1.4): here it is a linked clone with `full=0` of what does not exist."""
    with pytest.raises(errors.LabctlError) as refusal:
        to.client.post(f"/nodes/{server.node}/qemu/987654/clone", newid=987_655, full=False)
    assert "type check" not in str(refusal.value)


def test_an_unknown_path_is_permanent(to):
    with pytest.raises((errors.PermanentError, errors.NotFound)):
        to.client.get("/nope/nope")


def test_a_wrong_secret_is_forbidden_and_the_secret_is_not_in_the_error(server, tmp_path):
    (tmp_path / "wrong").write_text("0badbad0-0bad-0bad-0bad-0badbadbad00")
    wrong = server.cluster.model_copy(update={"secret_file": str(tmp_path / "wrong")})
    with pytest.raises(errors.Forbidden, match="token") as refusal:
        client.Client(wrong).get("/version")
    assert "0badbad0" not in str(refusal.value) + refusal.value.hint


def test_another_ca_is_refused_and_never_skipped(server, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(_another_ca())
    with pytest.raises(errors.PermanentError, match="not signed"):
        client.Client(server.cluster.model_copy(update={"ca_file": str(ca)}), patience=2).get("/version")


def _another_ca() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another")])
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_nobody_listening_is_unreachable_after_patience(tmp_path, server):
    began = time.monotonic()
    with pytest.raises(errors.Unreachable, match="does not answer") as refusal:
        client.Client(server.cluster.model_copy(update={"url": "https://127.0.0.1:9"}), patience=1).get("/version")
    assert not isinstance(refusal.value, answers.UnknownOutcome)
    assert time.monotonic() - began < 60


def test_a_task_that_fails_raises_what_its_end_says(to, server):
    if server.name == "real":
        pytest.skip("makes a guest fail on purpose")
    with pytest.raises(errors.LabctlError):
        to.finish(to.client.post(f"/nodes/{server.node}/qemu/{server.template}/status/start"), "starting a template")


def test_what_is_not_a_upid_is_not_waited_for(to):
    to.finish(None, "nothing")
    with pytest.raises(errors.PermanentError, match="where the id of a task was expected"):
        tasks.node_of("nonsense")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", errors.Busy),
        ("cfs-lock 'file-user_cfg' error: got lock request timeout", answers.Crowded),
        ("VM is locked (clone)", errors.Busy),
        ("CT is locked (disk)", errors.Busy),
        ("got no worker upid - start worker failed", answers.Crowded),
        ("clone failed: can't lock file '/var/lock/pve-manager/pve-storage-lab' - got timeout", answers.Crowded),
        ("cluster not ready - no quorum?\n", errors.Busy),
        ("create sdn vnet object failed: invalid lock token provided! at /usr/share/perl5/PVE/Network/SDN.pm line 1.", errors.Busy),
        ("bridge 'l3k0' does not exist", errors.Busy),
        ("unable to create VM 203: config file already exists", errors.Conflict),
        ("close (rename) atomic file '/etc/pve/nodes/a/200.conf' failed: File exists", errors.Conflict),
        ("create pool failed: pool 'labs/x' already exists", errors.Conflict),
        ("create sdn vnet object failed: sdn vnet object ID 'l3k0' already defined", errors.Conflict),
        ("base volume 'x' is still in use by linked cloned", errors.Conflict),
        ("can't remove VM 100 - protection mode enabled", errors.Conflict),
        ("CT 100 not running", errors.Conflict),
        ("Configuration file 'nodes/a/qemu-server/1.conf' does not exist", errors.NotFound),
        ("unable to find configuration file for VM 8000 on node 'pve02'", errors.NotFound),
        ("delete pool failed: pool 'x' does not exist", errors.NotFound),
        ("only root can set 'args' config", errors.PermanentError),
        ("VM quit/powerdown failed", errors.PermanentError),
    ],
)
@pytest.mark.parametrize("status", [0, 500])
def test_the_sentence_decides_what_a_refusal_is(text, kind, status):
    assert type(answers.judge(answers.Answer(status, text), "this")) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, errors.Forbidden), (403, errors.Forbidden), (595, errors.Unreachable), (596, answers.UnknownOutcome),
     (599, answers.UnknownOutcome), (503, answers.UnknownOutcome), (501, errors.PermanentError), (400, errors.PermanentError)],
)  # fmt: skip
def test_the_code_decides_where_there_is_no_sentence(status, kind):
    assert type(answers.judge(answers.Answer(status, ""), "this")) is kind


def test_a_taken_vmid_is_a_conflict_by_its_parameter():
    refusal = answers.Answer(400, "Parameter verification failed.", (("vmid", "VM 100 already exists"),))
    assert isinstance(answers.judge(refusal, "asking"), errors.Conflict)


def test_a_lock_that_was_not_got_is_tried_again_until_it_is(fake):
    lock = "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"
    fake.fail("PUT", "/qemu/100/config", status=500, message=lock, times=2)
    fake.client(patience=20).put(f"/nodes/{fake.node}/qemu/100/config", cores=2)
    assert str(fake.client().get(f"/nodes/{fake.node}/qemu/100/config")["cores"]) == "2"


def test_a_write_with_unknown_outcome_is_not_repeated_and_a_read_is(fake):
    fake.fail("GET", "/qemu/100/config", status=596, message="Connection timed out", times=2)
    assert fake.client(patience=20).get(f"/nodes/{fake.node}/qemu/100/config")
    fake.fail("PUT", "/qemu/100/config", status=596, message="Connection timed out", times=1)
    with pytest.raises(answers.UnknownOutcome):
        fake.client(patience=20).put(f"/nodes/{fake.node}/qemu/100/config", cores=3)


def test_a_refusal_is_not_repeated(fake):
    fake.fail("PUT", "/qemu/100/config", status=500, message="only root can set 'args' config", times=1)
    with pytest.raises(errors.PermanentError):
        fake.client(patience=20).put(f"/nodes/{fake.node}/qemu/100/config", cores=3)


def test_a_clone_whose_request_was_lost_is_found_by_its_mark(fake, tmp_path):
    to = cluster.Cluster(fake.client(patience=20), gates.Gates(tmp_path))
    fake.fail("POST", "/qemu/9000/clone", status=596, message="Connection timed out", times=1)
    mark = marks.Mark("test", "e1", "web", 4321)
    place, source = guests.Place(fake.node, "vm", 4321), guests.Source(fake.node, 9000)
    made = guests.clone(to, place, source, mark, name="e1-web", note="", pool=None)
    assert marks.read_mark(made.config["description"], 4321) == mark
    assert guests.clone(to, place, source, mark, name="e1-web", note="", pool=None) == guests.Clone(made.config, new=False)


def test_a_clone_that_could_not_lock_is_tried_again(fake, tmp_path):
    to = cluster.Cluster(fake.client(patience=20), gates.Gates(tmp_path))
    fake.fail(
        "POST", "/qemu/9000/clone", status=500, message="can't lock file '/var/lock/pve-manager/pve-storage-x' - got timeout", times=2
    )
    mark = marks.Mark("test", "e1", "web", 4322)
    assert guests.clone(to, guests.Place(fake.node, "vm", 4322), guests.Source(fake.node, 9000), mark, name="e1-web2", note="", pool=None)


def test_a_clone_that_fails_for_another_reason_than_its_vmid_is_not_tried_for_ever(request, tmp_path):
    fake = proxmox_servers.fakepve(request, tmp_path)
    to = cluster.Cluster(fake.client(patience=2), gates.Gates(tmp_path))
    fake.fail("POST", "/qemu/9000/clone", status=500, message="clone failed: lvcreate 'pve/vm-4323-disk-0' error: already exists")
    with pytest.raises(errors.Conflict, match="lvcreate"):
        guests.clone(
            to,
            guests.Place(fake.node, "vm", 4323),
            guests.Source(fake.node, 9000),
            marks.Mark("test", "e1", "web", 4323),
            name="x",
            note="",
            pool=None,
        )


def test_a_guest_that_stays_locked_is_busy_and_stays(request, tmp_path):
    fake = proxmox_servers.fakepve(request, tmp_path)
    to = cluster.Cluster(fake.client(patience=1), gates.Gates(tmp_path))
    place, mark = guests.Place(fake.node, "vm", 100), marks.Mark("test", "e1", "web", 100)
    to.client.put(f"{place.path}/config", description=str(mark))
    fake.fail("DELETE", "/qemu/100", status=500, message="VM is locked (backup)")
    with pytest.raises(errors.Busy, match="locked"):
        guests.destroy(to, place, mark)
    assert guests.look(to, place)


def test_a_protected_guest_of_ours_goes_and_a_foreign_one_stays(fake, tmp_path):
    to = cluster.Cluster(fake.client(patience=5), gates.Gates(tmp_path))
    mark = marks.Mark("test", "e1", "web", 4330)
    place = guests.Place(fake.node, "vm", 4330)
    guests.clone(to, place, guests.Source(fake.node, 9000), mark, name="protected", note="", pool=None)
    to.client.put(f"{place.path}/config", protection=True)
    with pytest.raises(errors.Conflict, match="does not touch it"):
        guests.destroy(to, place, marks.Mark("test", "e2", "web", 4330))
    assert guests.look(to, place)
    assert guests.destroy(to, place, mark)
    assert to.free(4330)
    assert not guests.destroy(to, place, mark)


def test_the_whole_message_is_read_not_only_its_first_line(server, to):
    """proxmoxer shows "Parameter verification failed." here and nothing else (`client-sequence.md` 6)."""
    if server.name != "sandbox":
        pytest.skip("fakepve keeps no VNets, and a real node's are not ours to make here")
    networks.ensure(to, "l1k0", zone="labs", tag=4000, alias="labctl test one", nodes=[server.node])
    with pytest.raises(errors.Conflict, match="tag 4000 already exist in vnet l1k0"):
        networks.ensure(to, "l1k1", zone="labs", tag=4000, alias="labctl test one", nodes=[server.node])
    assert networks.look(to, "l1k1") is None
    assert networks.remove(to, "l1k0", "labctl test one")
    assert not networks.remove(to, "l1k0", "labctl test one")


def test_a_site_without_https_or_files_is_refused_in_words(tmp_path, server):
    with pytest.raises(errors.BadInput, match="https"):
        client.Client(server.cluster.model_copy(update={"url": "http://127.0.0.1:8006"}))
    with pytest.raises(errors.NotFound, match="secret"):
        client.Client(server.cluster.model_copy(update={"secret_file": str(tmp_path / "none")}))
    with pytest.raises(errors.NotFound, match="CA certificate"):
        client.Client(server.cluster.model_copy(update={"ca_file": str(tmp_path / "none")}))
