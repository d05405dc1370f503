"""Against a real OpenSSH server on loopback, and against servers that are not what they should be."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from labctl import errors
from labctl.drivers import ssh_ca, ssh_connection
from tests.drivers import sshd_here


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return ssh_ca.Authority(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def guest(tmp_path_factory, authority):
    server = sshd_here.SshdHere(tmp_path_factory.mktemp("sshd"), authority)
    yield server
    server.close()


@pytest.fixture
def spoilt(tmp_path, authority):
    """A server whose host certificate is wrong in the way the test asks for."""
    made = []

    def make(**how):
        made.append(sshd_here.SshdHere(tmp_path / f"sshd{len(made)}", authority, **how))
        return made[-1]

    yield make
    for server in made:
        server.close()


def trust(authority, guest, **more):
    return ssh_connection.Trust(authority, ssh_ca.host_name(guest.plan, "box"), **({"pinned": guest.host_key} | more))


def enter(authority, guest, login=None, *, patience=60.0, insist=0.0, **more):
    return ssh_connection.connect(
        "127.0.0.1",
        guest.user,
        login or authority.deploy_login(),
        trust(authority, guest, **more),
        patience=patience,
        insist=insist,
        port=guest.port,
    )


def test_a_command_gives_both_outputs_and_its_exit_status(authority, guest):
    with enter(authority, guest) as connection:
        assert connection.host_key == guest.host_key
        outcome = connection.run("echo out; echo err >&2; cat; exit 3", stdin=b"in", timeout=60)
    assert outcome == ssh_connection.Outcome(3, "out\nin", "err\n")


def test_what_root_runs_is_in_no_process_list(authority, guest):
    with enter(authority, guest) as connection:
        outcome = connection.root("{ secret=FLAG12345; cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '; exit 0; }\n", timeout=60)
    assert outcome.exit == 0
    assert "sh -s" in outcome.stdout
    assert "FLAG12345" not in outcome.stdout


def test_root_runs_script_after_script_and_none_changes_the_next(authority, guest):
    with enter(authority, guest) as connection:
        first = connection.root("cd /usr; left=behind; echo $$; exit 5", timeout=60)
        second = connection.root('echo "$PWD [$left] $$"; echo err >&2; exit 0\n', timeout=60)
        assert (first.exit, second.exit, second.stderr) == (5, 0, "err\n")
        place, left, number = second.stdout.split()
        assert (place == "/usr", left, number == first.stdout.strip()) == (False, "[]", False)


def test_a_script_of_any_length_and_with_any_signs_reaches_root_whole(authority, guest):
    text = "ä'\"$HOME`\\" * 40_000
    script = f"wc -c <<'END'\n{text}\nEND\nprintf '%s' \"no newline\""
    with enter(authority, guest) as connection:
        assert connection.root(script, timeout=60).stdout == f"{len(text.encode()) + 1}\nno newline"


def test_roots_output_is_cut_and_its_status_still_comes(authority, guest):
    with enter(authority, guest) as connection:
        outcome = connection.root("head -c 999999 /dev/zero | tr '\\0' x; head -c 999999 /dev/zero | tr '\\0' y >&2; exit 9\n", timeout=60)
        assert (outcome.exit, len(outcome.stdout), len(outcome.stderr)) == (9, ssh_connection.OUTPUT_LIMIT, ssh_connection.OUTPUT_LIMIT)
        assert connection.root("echo next\n", timeout=60).stdout == "next\n"


def test_a_daemon_of_roots_does_not_hold_us_up(authority, guest):
    with enter(authority, guest) as connection:
        daemon = int(connection.root("sleep 300 & echo $!; exit 0\n", timeout=60).stdout)
        os.kill(daemon, signal.SIGKILL)  # it still ran


def test_after_a_script_that_hangs_or_ends_roots_shell_there_is_another_shell(authority, guest):
    with enter(authority, guest) as connection:
        assert connection.root("echo a shell\n", timeout=60).stdout == "a shell\n"
        with pytest.raises(ssh_connection.TookTooLong):
            connection.root("exec sleep 30\n", timeout=0.5)
        assert connection.root("echo one\n", timeout=60).stdout == "one\n"
        with pytest.raises(errors.Unreachable):
            connection.root("kill -9 $PPID; sleep 1\n", timeout=60)
        assert connection.root("echo two\n", timeout=60).stdout == "two\n"


def test_a_command_that_ends_before_it_has_read_what_it_is_given_says_why(authority, guest):
    with enter(authority, guest) as connection:
        refused = connection.run("echo no room >&2; exit 3", stdin=bytes(8_000_000), timeout=60)
        assert (refused.exit, refused.stderr) == (3, "no room\n")
        with pytest.raises(errors.Unreachable):
            connection.run("kill -9 $PPID; sleep 60", stdin=bytes(8_000_000), timeout=60)


def test_a_syntax_error_is_the_scripts_own(authority, guest):
    with enter(authority, guest) as connection:
        assert connection.root("if then fi (\n", timeout=60).exit == 2
        assert connection.root("echo still here\n", timeout=60).stdout == "still here\n"


def test_first_contact_takes_a_plain_key_and_tells_it(authority, spoilt):
    bare = spoilt(certified=False)
    with enter(authority, bare, pinned="", certificate=False) as connection:
        assert connection.host_key == bare.host_key


def test_after_enrolment_a_plain_key_is_not_enough(authority, spoilt):
    bare = spoilt(certified=False)
    with pytest.raises(errors.Unreachable, match="host key"):
        enter(authority, bare, patience=8.0)


def test_another_key_than_the_pinned_one_is_refused(authority, guest):
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlBj8kVb8lqLWPqvSxqAC8vBqYB1ixRVd9QMAvKqlEG"
    for certificate in (True, False):
        with pytest.raises(errors.PermanentError, match="another host key than at the first contact"):
            enter(authority, guest, pinned=other, certificate=certificate)


def test_a_host_certificate_of_a_foreign_authority_is_refused(authority, spoilt, tmp_path):
    with pytest.raises(errors.PermanentError, match="signed by another authority"):
        enter(authority, spoilt(certify_by=ssh_ca.Authority(tmp_path / "foreign")))


def test_a_host_certificate_for_another_seat_is_refused(authority, spoilt):
    with pytest.raises(errors.PermanentError, match="made for another machine"):
        enter(authority, spoilt(certify_as="box.seat-two-2.lab"))


def test_an_expired_host_certificate_is_refused(authority, spoilt):
    with pytest.raises(errors.PermanentError, match="not valid now"):
        enter(authority, spoilt(certified_at=datetime.now(UTC) - timedelta(days=500)))


def test_a_wrong_host_certificate_is_refused_at_first_contact_too(authority, spoilt, tmp_path):
    with pytest.raises(errors.PermanentError, match="signed by another authority"):
        enter(authority, spoilt(certify_by=ssh_ca.Authority(tmp_path / "foreign")), pinned="", certificate=False)


def test_a_learner_enters_with_a_certificate_of_the_own_seat(authority, guest):
    login = authority.learner(guest.plan, datetime.now(UTC) + timedelta(minutes=10))
    with enter(authority, guest, login) as connection:
        assert connection.run("id -un", timeout=60, terminal=True).stdout.split() == [guest.user]


def test_a_learner_is_refused_for_every_single_reason(authority, guest, tmp_path):
    soon = datetime.now(UTC) + timedelta(minutes=10)
    other_seat = guest.plan.model_copy(update={"principal": "seat-two-2"})
    refused = {
        "the lease is over": authority.learner(guest.plan, datetime.now(UTC) - timedelta(seconds=5)),
        "another seat": authority.learner(other_seat, soon),
        "foreign authority": ssh_ca.Authority(tmp_path / "foreign").learner(guest.plan, soon),
        "no certificate": ssh_ca.Login(authority.learner(guest.plan, soon).private),
    }
    entered = []
    for reason, login in refused.items():
        try:
            enter(authority, guest, login).close()
        except ssh_connection.LoginRefused:
            continue
        entered.append(reason)
    assert entered == []


def test_another_machines_deploy_key_is_refused(authority, guest, tmp_path):
    with pytest.raises(ssh_connection.LoginRefused):
        enter(authority, guest, ssh_ca.Authority(tmp_path / "foreign").deploy_login(), insist=0.5)


def test_a_command_that_hangs_ends_with_the_timeout(authority, guest):
    with enter(authority, guest) as connection:
        with pytest.raises(ssh_connection.TookTooLong, match=r"not finished within 0\.5 s"):
            connection.run("exec sleep 30", timeout=0.5)
        assert connection.run("echo still here", timeout=60).stdout == "still here\n"


def test_a_daemon_that_keeps_the_outputs_open_does_not_hold_us_up(authority, guest):
    with enter(authority, guest) as connection:
        daemon = int(connection.run("sleep 300 & echo $!", timeout=60).stdout)
        os.kill(daemon, signal.SIGKILL)  # it still ran


def test_endless_output_is_cut_and_memory_stays_ours(authority, guest):
    with enter(authority, guest) as connection:
        outcome = connection.run("head -c 999999 /dev/zero | tr '\\0' x; head -c 999999 /dev/zero | tr '\\0' y >&2", timeout=60)
    assert outcome.exit == 0
    assert len(outcome.stdout) == len(outcome.stderr) == ssh_connection.OUTPUT_LIMIT


def test_a_connection_that_ends_in_the_middle_is_unreachable(authority, guest):
    with enter(authority, guest) as connection, pytest.raises(errors.Unreachable):
        connection.run("kill -9 $PPID; sleep 60", timeout=60)


class Impostor:
    """Accepts connections on loopback and behaves badly."""

    def __init__(self, behave):
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._stop = threading.Event()
        self._behave = behave
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while not self._stop.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=[connection], daemon=True).start()

    def _one(self, connection):
        with connection:
            try:
                self._behave(connection, self._stop)
            except OSError:
                return

    def close(self):
        self._stop.set()
        self._server.close()


def silent(connection, stop):
    stop.wait(30)


def endless_identification(connection, stop):
    connection.sendall(b"SSH-2.0-")
    while not stop.is_set():
        connection.sendall(b"x" * 65536)


def preamble_without_end(connection, stop):
    while not stop.is_set():
        connection.sendall(b"welcome to this machine\r\n" * 1000)


def hangs_after_identification(connection, stop):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    stop.wait(30)


def rubbish_after_identification(connection, stop):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + b"\xff" * 4096)
    stop.wait(30)


def drips(connection, stop):
    for sign in b"SSH-2.0-OpenSSH_9.2_and_more":
        connection.sendall(bytes([sign]))
        if stop.wait(0.3):
            return
    stop.wait(30)


def hangs_up(connection, stop):
    del connection, stop


@pytest.mark.parametrize(
    "behave",
    [silent, endless_identification, preamble_without_end, hangs_after_identification, rubbish_after_identification, drips, hangs_up],
)
def test_a_hostile_server_costs_no_more_than_our_patience(authority, guest, behave):
    impostor = Impostor(behave)
    begun = time.monotonic()
    try:
        with pytest.raises(errors.Unreachable, match="does not answer after 1 s"):
            ssh_connection.connect(
                "127.0.0.1", "labctl", authority.deploy_login(), trust(authority, guest), patience=1.0, port=impostor.port
            )
    finally:
        impostor.close()
    assert time.monotonic() - begun < 60  # a bound against hanging, not a measurement


def test_nobody_there_is_unreachable_with_a_hint(authority, guest):
    with pytest.raises(errors.Unreachable, match="does not answer") as caught:
        ssh_connection.connect(
            "127.0.0.1", "labctl", authority.deploy_login(), trust(authority, guest), patience=0.5, port=sshd_here.free_port()
        )
    assert "labctl doctor" in caught.value.hint
