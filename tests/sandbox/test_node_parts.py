"""The small parts of the node: parameter checks, property strings, bodies, the state file, locks, access control."""

import threading
import time

import pytest

from labctl.sandbox import (
    access_control,
    answers,
    bodies,
    catalogue,
    checking,
    drives,
    formats,
    guest_secrets,
    locks,
    property_strings,
    register,
    state,
    upid,
)

LAYOUT = register.layout("qemu", "net0")


def test_all_wrong_parameters_are_reported_together():
    method = catalogue.load().methods["PUT", "/nodes/{node}/qemu/{vmid}/config"]
    errors = checking.check(
        method.properties, method.extra_allowed, {"node": "n", "vmid": "99", "cores": "0", "onboot": "True", "nope": "1", "force": "1"}
    )
    assert errors == {
        "vmid": "invalid format - value does not look like a valid VM ID\n",
        "cores": "value must have a minimum value of 1",
        "onboot": "type check ('boolean') failed - got 'True'",
        "nope": checking.UNKNOWN,
        "delete": "missing property required by 'force'",
    }


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("virtio=BC:24:11:00:00:01,bridge=v1", {"model": "virtio", "macaddr": "BC:24:11:00:00:01", "bridge": "v1"}),
        ("virtio", {"model": "virtio"}),
        ("e1000,bridge=v1,firewall=yes", {"model": "e1000", "bridge": "v1", "firewall": 1}),
    ],
)
def test_a_property_string_is_read_and_written_back(text, fields):
    read = property_strings.parse(LAYOUT, text, "net0")
    assert read == fields
    assert property_strings.parse(LAYOUT, property_strings.emit(LAYOUT, read), "net0") == fields


@pytest.mark.parametrize("text", ["foo", "virtio,bridge=", "virtio,virtio", "virtio,rate=x", "bridge=v1", "virtio=zz"])
def test_a_wrong_property_string_is_refused(text):
    with pytest.raises(checking.FormatError):
        property_strings.parse(LAYOUT, text, "net0")


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2", {"a": "1", "b": "2"}),
        ("net0=virtio,bridge=vmbr0", {"net0": "virtio,bridge"}),
        ("net0=virtio%2Cbridge%3Dvmbr0", {"net0": "virtio,bridge=vmbr0"}),
        ("a=1&a=2", {"a": ["1", "2"]}),
    ],
)
def test_forms_are_read_as_proxmox_reads_them(text, params):
    assert bodies.query(text) == params


@pytest.mark.parametrize(
    ("verb", "kind", "data", "status"),
    [
        ("DELETE", None, b"a=1", 501),
        ("GET", None, b"a=1", 501),
        ("POST", "text/plain", b"x", 506),
        ("POST", "application/json", b"[1]", 500),
        ("PUT", "application/json", b"{", 500),
    ],
)
def test_bodies_that_proxmox_does_not_take_are_refused(verb, kind, data, status):
    with pytest.raises(answers.Refused) as refusal:
        bodies.body(verb, kind, data)
    assert refusal.value.status == status


def test_a_failed_change_leaves_the_state_as_it_was_in_memory_and_on_disk(tmp_path):
    one = state.State(tmp_path / "x")
    with one.change() as content:
        content["pools"]["a"] = {"vms": [1]}
    with pytest.raises(RuntimeError), one.change() as content:  # noqa: PT012 - the whole block is one change
        content["pools"]["a"]["vms"].append(2)
        content["pools"]["b"] = {}
        raise RuntimeError
    assert one.content["pools"] == {"a": {"vms": [1]}}
    assert state.State(tmp_path / "x").content["pools"] == {"a": {"vms": [1]}}


def test_nested_changes_are_one(tmp_path):
    one = state.State(tmp_path / "x")
    with pytest.raises(RuntimeError), one.change() as content:  # noqa: PT012 - the whole block is one change
        with one.change() as inner:
            inner["pools"]["a"] = {}
        assert "a" in content["pools"]
        raise RuntimeError
    assert state.State(tmp_path / "x").content["pools"] == {}


def test_a_lock_that_is_held_times_out_in_proxmox_words():
    known = locks.Locks()
    taken, done = threading.Event(), threading.Event()

    def hold():
        with known.guest("qemu", 100):
            taken.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(60)
    with (
        pytest.raises(answers.Refused, match=r"can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout"),
        known.guest("qemu", 100, 0.1),
    ):
        pass
    with known.guest("qemu", 101):
        pass
    done.set()
    thread.join()
    with known.guest("qemu", 100):
        pass


def test_a_fast_node_gives_another_process_scaled_time_and_its_own_threads_ours():
    known = locks.Locks(pace=1e-6)
    taken, done, got = threading.Event(), threading.Event(), []

    def hold():
        with known.storage("lab"):
            taken.set()
            assert done.wait(60)

    def want():
        with known.storage("lab", 60.0):
            got.append("ours")

    threads = [threading.Thread(target=hold), threading.Thread(target=want)]
    threads[0].start()
    assert taken.wait(60)
    threads[1].start()
    deadline = time.monotonic() + 60
    while not known.everybody._waiting:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    done.set()
    for thread in threads:
        thread.join()
    assert got == ["ours"]
    known.hold("/var/lock/pve-manager/pve-storage-lab", 1e9)
    with pytest.raises(answers.Refused, match="got timeout"), known.storage("lab", 60.0):
        pass


def test_shared_holders_go_together_and_keep_an_exclusive_one_out():
    known = locks.Locks()
    together, met = threading.Barrier(4, timeout=60), []

    def share():
        with known.guest("qemu", 9000, shared=True):
            met.append(together.wait())  # nobody comes further until all four are inside

    threads = [threading.Thread(target=share) for _ in range(4)]
    for thread in threads:
        thread.start()
    with known.guest("qemu", 9000, shared=True), pytest.raises(answers.Refused):  # noqa: PT012 - asked from another thread
        other = {}

        def want():
            try:
                with known.guest("qemu", 9000, 0.1):
                    other["got"] = True
            except answers.Refused as refusal:
                other["refused"] = refusal

        asker = threading.Thread(target=want)
        asker.start()
        asker.join()
        raise other["refused"]
    for thread in threads:
        thread.join()
    assert sorted(met) == [0, 1, 2, 3]


@pytest.fixture
def access(tmp_path):
    one = state.State(tmp_path / "x")
    with one.change() as content:
        content["users"] |= {"u@pve": {"enable": 1}, "off@pve": {"enable": 0}}
        content["tokens"] |= {"u@pve!sep": {"privsep": 1}, "u@pve!all": {"privsep": 0}}
        content["roles"] |= {"Guest": ["VM.Audit", "VM.PowerMgmt"], "Look": ["VM.Audit"], "NoAccess": []}
        content["pools"] |= {"labs/a": {"vms": [100], "storage": []}}
    return one, access_control.AccessControl(one)


def _grant(one, path, who, role, propagate=1):
    with one.change() as content:
        content["acl"][f"{path} {who} {role}"] = {"path": path, "ugid": who, "role": role, "propagate": propagate}


def test_a_pools_roles_reach_its_members_only(access):
    one, control = access
    _grant(one, "/pool/labs", "u@pve", "Guest")
    assert control.may("u@pve", "/vms/100", ["VM.PowerMgmt"])
    assert not control.may("u@pve", "/vms/101", ["VM.Audit"])


def test_a_separate_token_has_what_both_have(access):
    one, control = access
    _grant(one, "/vms", "u@pve", "Guest")
    assert control.may("u@pve!all", "/vms/100", ["VM.PowerMgmt"])
    assert not control.may("u@pve!sep", "/vms/100", ["VM.Audit"])
    _grant(one, "/vms/100", "u@pve!sep", "Look")
    assert control.may("u@pve!sep", "/vms/100", ["VM.Audit"])
    assert not control.may("u@pve!sep", "/vms/100", ["VM.PowerMgmt"])


def test_deeper_lines_replace_shallower_ones_and_no_access_wins(access):
    one, control = access
    _grant(one, "/vms", "u@pve", "Guest")
    _grant(one, "/vms/101", "u@pve", "Look")
    assert not control.may("u@pve", "/vms/101", ["VM.PowerMgmt"])
    _grant(one, "/vms/100", "u@pve", "NoAccess")
    _grant(one, "/pool/labs", "u@pve", "Guest")
    assert not control.may("u@pve", "/vms/100", ["VM.Audit"])


def test_a_line_that_does_not_propagate_stays_where_it_is(access):
    one, control = access
    _grant(one, "/vms", "u@pve", "Guest", propagate=0)
    assert control.may("u@pve", "/vms", ["VM.Audit"])
    assert not control.may("u@pve", "/vms/100", ["VM.Audit"])


def test_a_disabled_user_may_nothing(access):
    one, control = access
    _grant(one, "/", "off@pve", "Guest")
    assert not control.may("off@pve", "/vms/100", ["VM.Audit"])


def test_task_names_are_taken_apart_and_nonsense_is_not():
    text = "UPID:pve1:0000ABCD:00012345:6B028A01:qmclone:9000:labctl@pve!lab:"
    known = upid.parse(text)
    assert str(known) == text
    assert (known.owner, known.facts()["tokenid"]) == ("labctl@pve", "lab")
    assert upid.parse("UPID:pve1:x") is None


@pytest.mark.parametrize(("text", "size"), [("8G", 8 * 1024**3), ("1.5M", 1572864), ("512", 512), ("8X", None), ("", None), ("G", None)])
def test_sizes(text, size):
    assert formats.parse_size(text) == size


def test_keys_that_are_no_keys_are_refused():
    good = "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIGWCU%2BbCq5TiBLlCfIS5PQOlT10lSP3aO1n3pIDE%2B1Fy%20lab%40example"
    guest_secrets.check_ssh_keys(good)
    for bad in ("abc", "ssh-ed25519%20AAAA", good + "%0Anonsense", "%23%20comment%0A" + good, ""):
        with pytest.raises(answers.Refused, match="SSH public key validation error"):
            guest_secrets.check_ssh_keys(bad)


def test_a_password_is_stored_as_a_hash():
    stored = guest_secrets.hashed("hunter2")
    assert stored.startswith("$6$")
    assert "hunter2" not in stored


def test_a_disk_is_told_from_a_disc():
    assert drives.is_disk("lab:vm-100-disk-0,size=8G")
    assert not drives.is_disk("lab:vm-100-cloudinit,media=cdrom")
    assert not drives.is_disk("none,media=cdrom")
