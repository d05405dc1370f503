"""Learners come in: by certificate with plain OpenSSH, and with a code typed at the prompt."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import socketserver
import subprocess
import threading

from tests.door.conftest import wait_for
from tests.free_ports import free_port


def test_a_bundle_opens_the_seats_machine_by_name(doorway):
    done = doorway.ssh("box", "id -un; exit 3")
    assert (done.stdout, done.returncode) == ("learner\n", 3), done.stderr


def test_files_pass_by_scp_and_sftp_through_the_door(doorway, tmp_path):
    data = bytes(range(256)) * 40_000
    (tmp_path / "up").write_bytes(data)
    config = doorway.config()
    subprocess.run(["scp", "-q", "-F", config, tmp_path / "up", "box:up"], check=True, timeout=300)
    subprocess.run(["sftp", "-q", "-F", config, "box:up", tmp_path / "down"], check=True, timeout=300, capture_output=True)
    assert (tmp_path / "down").read_bytes() == data


def test_a_code_opens_the_machine_once(doorway):
    code = doorway.code()
    done = doorway.relay("127.0.0.1", "id -un; exit 3", code=code)
    assert (done.stdout, done.returncode) == ("learner\n", 3), done.stderr
    again = doorway.relay("127.0.0.1", "true", code=code)
    assert again.returncode == 255
    assert "Permission denied" in again.stderr or "wrong codes" in again.stderr


def test_what_a_command_leaves_to_say_after_its_end_passes_the_relay_too(doorway):
    """Sshd tells the exit status as soon as the shell has ended, before what others still write into the same pipe."""
    done = doorway.relay("127.0.0.1", "(sleep 0.5; echo late) & exit 3", code=doorway.code())
    assert (done.returncode, done.stdout) == (3, "late\n"), done.stderr


def test_files_pass_by_scp_through_the_relay(doorway, tmp_path):
    data = bytes(range(256)) * 40_000
    (tmp_path / "up").write_bytes(data)
    done = doorway.relay(str(tmp_path / "up"), "127.0.0.1:relayed", code=doorway.code(), program="scp")
    assert done.returncode == 0, done.stderr
    shown = doorway.ssh("box", "md5sum < relayed")
    assert shown.stdout.split()[0] == hashlib.md5(data, usedforsecurity=False).hexdigest()


def test_a_relay_has_a_terminal_with_its_size(doorway):
    done = doorway.relay("-tt", "127.0.0.1", "tty; stty size", code=doorway.code())
    assert "/dev/pts/" in done.stdout, done.stderr


def test_a_signed_in_learner_forwards_a_port_of_the_machine(doorway):
    with _greeting() as port:
        local = free_port()
        client = subprocess.Popen(["ssh", "-F", doorway.config(), "-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{port}", "box"])
        try:
            wait_for(lambda: _answers(local))
        finally:
            client.terminate()
            client.wait(60)


@contextlib.contextmanager
def _greeting():
    """A service of the machine that says hello to whoever comes; its port."""

    class Hello(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(b"hello\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Hello) as service:
        thread = threading.Thread(target=service.serve_forever, daemon=True)
        thread.start()
        try:
            yield service.server_address[1]
        finally:
            service.shutdown()
            thread.join()


def _answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as dialled:
            return dialled.recv(16) == b"hello\n"
    except OSError:
        return False


def test_a_long_output_arrives_whole_and_an_endless_one_can_be_left(doorway):
    done = doorway.ssh("box", "head -c 30000000 /dev/zero | tr '\\0' x")
    assert len(done.stdout) == 30_000_000
    assert doorway.ssh("box", "yes | head -c 1000000 | tail -c 2").stdout == "y\n"


def test_a_channel_ends_when_the_machine_fell_silent_before_the_learner_did(doorway):
    # Where ssh is told to ignore hang-ups (nohup) it does not kill its `ssh -W`, which then waited for this for ever.
    command = ["ssh", "-F", str(doorway.config()), "-W", "[box]:22", "labctl-door"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as carried:
        assert carried.stdin is not None
        assert carried.stdout is not None
        carried.stdin.write(b"no greeting of SSH\r\n")
        carried.stdin.flush()
        assert b"SSH-2.0" in carried.stdout.read()  # to its end: sshd hung up
        carried.stdin.close()
        try:
            assert carried.wait(300) == 0
        finally:
            carried.kill()
    wait_for(lambda: not any(door.channels for door in list(doorway.door.house.connections)))
