"""Clients people have, with nothing but their bundle's configuration: rsync, SOCKS, one connection for many, editors' remote modes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

from tests.door.conftest import wait_for
from tests.drivers import sshd_here

SERVICE = """
import http.server, os, socketserver, sys
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello " + self.path.encode())
    def log_message(self, *_): pass
place = sys.argv[1:] and os.path.abspath(sys.argv[1])
kind = socketserver.ThreadingUnixStreamServer if place else socketserver.ThreadingTCPServer
kind.request_queue_size = 64
server = kind(place or ("127.0.0.1", 0), Hello)
server.timeout = 1
print(place or server.server_address[1], flush=True)
login = os.getppid()
while os.getppid() == login:
    server.handle_request()
"""
"""A program that a learner, or a learner's editor, starts on the machine; where it listens is its only line. It ends with the login."""

PYTHON = "/usr/bin/python3"


@contextlib.contextmanager
def client(doorway, *words, stdin=""):
    """An ssh that stays, with what it was told at once; its lines."""
    command = ["ssh", "-F", str(doorway.config()), "-o", "ExitOnForwardFailure=yes", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdin.write(stdin)
            process.stdin.flush()
            yield process
        finally:
            process.terminate()


def fetched(port, at, path):
    """By SOCKS, names looked up at the other end."""
    words = ["curl", "-sS", "--noproxy", "", "--max-time", "300", "--proxy", f"socks5h://127.0.0.1:{port}", f"http://127.0.0.1:{at}/{path}"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def _listens(path):
    """Where a client of ours listens: its file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as dialled:
        return dialled.connect_ex(str(path)) == 0


def test_rsync_brings_a_folder_and_then_only_what_changed(doorway, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    for number in range(20):
        (folder / f"file-{number}").write_bytes(os.urandom(50_000))
    words = ["rsync", "-a", "--stats", "-e", f"ssh -F {doorway.config()}", f"{folder}/", "box:work/"]
    first = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300).stdout
    (folder / "file-7").write_bytes(b"changed")
    second = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300).stdout
    assert "Number of regular files transferred: 20" in first
    assert "Number of regular files transferred: 1\n" in second
    assert doorway.ssh("box", "cat work/file-7; ls work | wc -l").stdout.split() == ["changed20"]


def test_a_proxy_to_what_the_machine_itself_reaches(doorway):
    port = sshd_here.free_port()
    with client(doorway, "-D", f"127.0.0.1:{port}", "box", PYTHON, "-") as process:
        process.stdin.write(SERVICE)
        process.stdin.close()
        at = int(process.stdout.readline())
        assert fetched(port, at, "once") == "hello /once"


def test_one_connection_carries_many_sessions(doorway, tmp_path):
    config = doorway.config()
    control = ["-o", f"ControlPath={tmp_path}/c", "-o", "ControlMaster=auto", "-o", "ControlPersist=3600"]
    try:
        first = doorway.ssh(*control, "box", "echo $SSH_CONNECTION", config=config)
        with ThreadPoolExecutor(8) as people:
            others = list(people.map(lambda _: doorway.ssh(*control, "box", "echo $SSH_CONNECTION", config=config).stdout, range(8)))
        assert first.stdout.strip(), first.stderr
        assert others == [first.stdout] * 8
    finally:
        doorway.ssh(*control, "-O", "exit", "box", config=config)


def test_what_editors_do_a_shell_that_installs_a_server_and_many_connections_to_it(doorway):
    """A shell without a terminal reads a script, which starts a server on the machine's own 127.0.0.1 and says its port; all windows,
    terminals and files of the editor then go through the proxy of the same connection.
    """
    port = sshd_here.free_port()
    script = f"mkdir -p ~/.editor && cat > ~/.editor/server.py <<'END'\n{SERVICE}\nEND\nexec {PYTHON} ~/.editor/server.py\n"
    with client(doorway, "-T", "-D", f"127.0.0.1:{port}", "box", "bash", stdin=script) as process:
        at = int(process.stdout.readline())
        with ThreadPoolExecutor(16) as windows:
            answers = list(windows.map(lambda number: fetched(port, at, number), range(40)))
    assert answers == [f"hello /{number}" for number in range(40)]


def test_a_server_that_listens_on_a_socket_of_the_machine_is_reached_too(doorway, tmp_path):
    with client(doorway, "box", f"rm -f editor.sock; {PYTHON} - editor.sock") as process:
        process.stdin.write(SERVICE)
        process.stdin.close()
        here, there = tmp_path / "here.sock", process.stdout.readline().strip()
        with client(doorway, "-N", "-L", f"{here}:{there}", "box"):
            wait_for(lambda: _listens(here))
            words = ["curl", "-sS", "--max-time", "300", "--unix-socket", str(here), "http://editor/socket"]
            assert subprocess.run(words, capture_output=True, text=True, check=False).stdout == "hello /socket"
