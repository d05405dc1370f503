from __future__ import annotations

import re
import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization

from labctl import errors
from labctl.drivers import ssh_ca
from tests.drivers import guests_here

SITE = guests_here.site()
PLAN = guests_here.plan(SITE, 5, [guests_here.machine(SITE, 5, 1, "box"), guests_here.machine(SITE, 5, 2, "shop", access=())])
NAME = ssh_ca.host_name(PLAN, "box")
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlBj8kVb8lqLWPqvSxqAC8vBqYB1ixRVd9QMAvKqlEG"


@pytest.fixture
def authority(tmp_path):
    return ssh_ca.Authority(tmp_path / "secrets")


def wire_form(certificate: str) -> bytes:
    import base64

    return base64.b64decode(certificate.split()[1])


def test_keys_are_made_once_and_only_their_owner_reads_them(authority, tmp_path):
    before = authority.deploy_public(), authority.user_authority(), authority.host_authority()
    again = ssh_ca.Authority(tmp_path / "secrets")
    assert (again.deploy_public(), again.user_authority(), again.host_authority()) == before
    assert len(set(before)) == 3
    assert sorted(path.name for path in (tmp_path / "secrets").iterdir()) == ["deploy_key", "host_ca", "user_ca"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "secrets").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_many_first_starts_at_once_agree_on_one_key(tmp_path):
    seen = []
    start = threading.Barrier(8)

    def first():
        start.wait()
        seen.append(ssh_ca.Authority(tmp_path / "secrets").user_authority())

    threads = [threading.Thread(target=first) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_a_damaged_key_is_refused_and_left_alone(authority, tmp_path):
    authority.user_authority()
    (tmp_path / "secrets" / "user_ca").write_text("not a key")
    with pytest.raises(errors.PermanentError, match="user_ca cannot be read"):
        authority.user_authority()
    assert (tmp_path / "secrets" / "user_ca").read_text() == "not a key"


def test_a_host_certificate_of_ours_gives_the_plain_key(authority):
    certificate = authority.certify_host(HOST_KEY, [NAME, "100.64.0.33"])
    assert authority.check_host(wire_form(certificate), NAME) == HOST_KEY


def test_a_host_certificate_is_refused_for_every_single_reason(authority, tmp_path):
    now = datetime.now(UTC)
    foreign = ssh_ca.Authority(tmp_path / "foreign")
    cases = {
        "another authority": foreign.certify_host(HOST_KEY, [NAME]),
        "another machine": authority.certify_host(HOST_KEY, ["web.seat-other-1.lab"]),
        "not valid now": authority.certify_host(HOST_KEY, [NAME], now - timedelta(days=500)),
    }
    for reason, certificate in cases.items():
        with pytest.raises(errors.PermanentError, match=reason):
            authority.check_host(wire_form(certificate), NAME)


def test_a_users_certificate_is_no_host_certificate(tmp_path):
    authority = ssh_ca.Authority(tmp_path)
    certificate = authority.learner(PLAN, datetime.now(UTC) + timedelta(hours=1)).certificate
    # The same key as both authorities, so that only the kind of certificate is wrong.
    (tmp_path / "host_ca").write_bytes((tmp_path / "user_ca").read_bytes())
    with pytest.raises(errors.PermanentError, match="user's certificate"):
        authority.check_host(wire_form(certificate), PLAN.principal)


def test_a_changed_host_certificate_is_refused(authority):
    blob = bytearray(wire_form(authority.certify_host(HOST_KEY, [NAME])))
    blob[-5] ^= 1
    with pytest.raises(errors.PermanentError, match="cannot be read"):
        authority.check_host(bytes(blob), NAME)


def test_only_ed25519_hosts_are_certified(authority):
    with pytest.raises(errors.PermanentError, match="host key"):
        authority.certify_host("ssh-rsa AAAA", [NAME])


def test_a_learners_certificate_holds_the_seat_two_extensions_and_the_lease(authority):
    until = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    login = authority.learner(PLAN, until)
    certificate = serialization.load_ssh_public_identity(login.certificate.encode())
    assert certificate.valid_principals == [PLAN.principal.encode()]
    assert set(certificate.extensions) == {b"permit-pty", b"permit-port-forwarding"}
    assert certificate.valid_before == int(until.timestamp())
    assert certificate.critical_options == {}
    assert authority.learner(PLAN, until).private != login.private


def test_openssh_reads_the_certificate(authority, tmp_path):
    login = authority.learner(PLAN, datetime.now(UTC) + timedelta(hours=1))
    (tmp_path / "id-cert.pub").write_text(login.certificate)
    shown = subprocess.run(["ssh-keygen", "-L", "-f", str(tmp_path / "id-cert.pub")], capture_output=True, text=True, check=True).stdout
    assert "user certificate" in shown
    assert re.search(r"Principals:\s+seat-one-1\s+Critical Options: \(none\)", shown)


def test_a_bundle_names_only_machines_with_a_terminal(authority):
    bundle = authority.bundle(PLAN, guests_here.made(PLAN), datetime.now(UTC) + timedelta(hours=1))
    assert bundle.hosts == ("box",)
    assert set(bundle.files) == {"id", "id-cert.pub", "known_hosts", "config"}
    assert "shop" not in bundle.files["config"]
    assert bundle.files["known_hosts"].startswith("@cert-authority *.lab ssh-ed25519 ")


@pytest.mark.parametrize("name", ["plain", "with blank", "100%h"])
def test_openssh_finds_the_files_of_a_written_bundle(authority, tmp_path, name):
    bundle = authority.bundle(PLAN, guests_here.made(PLAN), datetime.now(UTC) + timedelta(hours=1))
    config = ssh_ca.write_bundle(bundle, tmp_path / name)
    shown = subprocess.run(["ssh", "-G", "-F", str(config), "box"], capture_output=True, text=True, check=True).stdout
    options = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    assert options["hostname"] == guests_here.made(PLAN)[0].address
    assert options["user"] == "learner"
    assert options["hostkeyalias"] == NAME
    assert options["stricthostkeychecking"] in {"yes", "true"}
    assert options["identityfile"].replace("%%", "%") == str(tmp_path / name / "id")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / name).iterdir()} == {0o600}
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["config", "id", "id-cert.pub", "known_hosts"]


def test_a_folder_openssh_cannot_name_is_refused(authority, tmp_path):
    bundle = authority.bundle(PLAN, guests_here.made(PLAN), datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(errors.BadInput, match="cannot name"):
        ssh_ca.write_bundle(bundle, tmp_path / 'a"b')
    assert not (tmp_path / 'a"b').exists()


def test_private_keys_are_not_in_what_gets_printed(authority):
    until = datetime.now(UTC) + timedelta(hours=1)
    assert "PRIVATE" not in repr(authority.learner(PLAN, until))
    assert "PRIVATE" not in repr(authority.bundle(PLAN, guests_here.made(PLAN), until))
