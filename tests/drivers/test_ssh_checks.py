"""Readiness checks against a real OpenSSH server on loopback. Checks as the learner need an account: test_ssh_guests."""

from __future__ import annotations

import http.server
import os
import socket
import threading

import pytest

from labctl import errors
from labctl.drivers import ssh_ca, ssh_checks, ssh_connection
from labctl.model.plan import PlannedCheck, Variable
from tests.drivers import sshd_here

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="labctl's account in a guest has sudo; here only root has")


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/long":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"-" * 300_000 + b"the end")
            return
        status = {"/missing": 404, "/moved": 302}.get(self.path.partition("?")[0], 200)
        body = f"Welcome to {self.path}".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Dripping(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        stop = self.server.stop
        while not stop.wait(0.2):
            self.wfile.write(b"x")
            self.wfile.flush()

    def log_message(self, *args):
        pass


def served(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.stop = threading.Event()
    server.daemon_threads = True
    server.handle_error = lambda *args: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def pages():
    server = served(Pages)
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blueprint")
    (folder / "checks").mkdir()
    (folder / "checks" / "good.sh").write_text('#!/bin/sh\necho "$LAB_FLAG $LAB_SEAT_LOGIN"\n')
    (folder / "checks" / "bad.py").write_text("#!/usr/bin/env python3\nimport sys\nprint('there is no shop')\nsys.exit(1)\n")
    authority = ssh_ca.Authority(tmp_path_factory.mktemp("secrets"))
    guest = sshd_here.SshdHere(tmp_path_factory.mktemp("sshd"), authority)
    plan = guest.plan.model_copy(
        update={"variables": (Variable(name="flag", value="FLAG{a b'c}"), Variable(name="word", value="open", shown=True))}
    )
    trust = ssh_connection.Trust(authority, ssh_ca.host_name(plan, "box"), guest.host_key)
    login = authority.deploy_login()
    with ssh_connection.connect("127.0.0.1", "root", login, trust, patience=60, port=guest.port) as connection:
        yield ssh_checks.Place(plan, plan.machines[0], connection, folder)
    guest.close()


def check(kind, what, **more):
    return PlannedCheck(kind=kind, what=str(what), machine="box", **({"timeout": 60} | more))


def passes(place, kind, what, **more):
    verdict = ssh_checks.look(check(kind, what, **more), place, 60)
    assert verdict.passed, verdict.reason


def fails(place, kind, what, **more):
    verdict = ssh_checks.look(check(kind, what, **more), place, 60)
    assert not verdict.passed
    return verdict.reason


def test_run_compares_exit_status_and_output(place):
    passes(place, "run", "true")
    passes(place, "run", "exit 4", exit=4)
    passes(place, "run", "echo one; echo two", output="^two$")
    assert "exit 1, expected 0; it printed: no shop" in fails(place, "run", "echo no shop >&2; false")
    assert "exit 0, expected 4" in fails(place, "run", "true", exit=4)
    assert "does not match '^three$'" in fails(place, "run", "echo two", output="^three$")


def test_run_gets_the_variables_and_no_stdin(place):
    passes(place, "run", 'test "$LAB_FLAG" = "FLAG{a b\'c}"')
    passes(place, "run", "cat", output="^$")
    passes(place, "run", "[[ $LAB_WORD == op* ]]")


def test_broken_shell_text_is_a_failure_not_a_crash(place):
    assert "exit 2" in fails(place, "run", "if then }")


def test_scripts_run_by_their_first_line_and_leave_nothing_behind(place):
    passes(place, "script", "checks/good.sh", output="^FLAG{a b'c} ada$")
    assert "there is no shop" in fails(place, "script", "checks/bad.py")
    assert place.connection.run("ls -d /tmp/labctl-????????", timeout=60).stdout == ""


def test_a_command_without_end_could_not_be_looked_at(place):
    with pytest.raises(ssh_connection.TookTooLong, match="within 1 s"):
        ssh_checks.look(check("run", "sleep 77"), place, 1)
    assert place.connection.run("pgrep -fc '^sleep 77$'", timeout=60).stdout.strip() == "0"


def test_http_is_opened_from_the_machine(place, pages):
    passes(place, "http", f"http://127.0.0.1:{pages}/a?b=c", body="^Welcome to /a.b=c$")
    passes(place, "http", f"http://localhost:{pages}/moved")
    passes(place, "http", f"http://localhost:{pages}/long", body="the end$")
    passes(place, "http", f"http://127.0.0.1:{pages}/missing", status=404)
    assert "status 404, expected below 400" in fails(place, "http", f"http://127.0.0.1:{pages}/missing")
    assert "status 200, expected 404" in fails(place, "http", f"http://127.0.0.1:{pages}/", status=404)
    assert "does not match 'Goodbye'" in fails(place, "http", f"http://127.0.0.1:{pages}/", body="Goodbye")


def test_a_closed_port_fails_http_and_tcp(place, pages):
    closed = sshd_here.free_port()
    assert "cannot be reached from box" in fails(place, "http", f"http://127.0.0.1:{closed}/")
    assert "cannot be reached from box" in fails(place, "tcp", f"127.0.0.1:{closed}")
    assert "cannot be reached from box" in fails(place, "tcp", "no-such-host.invalid:80")
    passes(place, "tcp", f"127.0.0.1:{pages}")


def test_what_is_no_web_server_fails_http(place):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def rude():
            connection, _ = listening.accept()
            connection.sendall(b"220 smtp ready\r\n" * 3)
            connection.close()

        threading.Thread(target=rude, daemon=True).start()
        assert "does not answer as a web server" in fails(place, "http", f"http://127.0.0.1:{port}/")


def test_a_page_that_never_ends_could_not_be_looked_at(place):
    server = served(Dripping)
    try:
        with pytest.raises(ssh_connection.TookTooLong, match="within 1 s"):
            ssh_checks.look(check("http", f"http://127.0.0.1:{server.server_address[1]}/"), place, 1)
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()


def test_only_plain_http_is_offered(place):
    with pytest.raises(errors.PermanentError, match="only http://"):
        ssh_checks.look(check("http", "https://127.0.0.1/"), place, 1)


def test_file_looks_at_content_mode_owner_and_absence(place, tmp_path):
    file = tmp_path / "a file"
    file.write_text("first\nsecret=FLAG\n")
    file.chmod(0o640)
    passes(place, "file", file)
    passes(place, "file", file, contains="^secret=", mode="0640", owner="root")
    passes(place, "file", tmp_path / "nothing", absent=True)
    passes(place, "file", tmp_path)
    assert "is not there" in fails(place, "file", tmp_path / "nothing")
    assert "is there" in fails(place, "file", file, absent=True)
    assert "has mode 640, expected 0600" in fails(place, "file", file, mode="0600")
    assert "belongs to root, expected shop" in fails(place, "file", file, owner="shop")
    assert "does not contain '^third'" in fails(place, "file", file, contains="^third")


def test_a_failing_check_says_which_where_and_what_it_printed_without_secrets(place):
    with pytest.raises(errors.CheckFailed) as caught:
        ssh_checks.prove(check("run", "echo found $LAB_FLAG here; false", message="There is no flag.", timeout=6), place)
    assert caught.value.message.startswith("box: check 'run echo found $LAB_FLAG here; false' failed: There is no flag. (exit 1")
    assert "found *** here" in caught.value.message
    assert "FLAG{" not in caught.value.message


def test_a_secret_in_a_pattern_is_hidden_too(place, tmp_path):
    (tmp_path / "flag").write_text("another\n")
    with pytest.raises(errors.CheckFailed) as caught:
        ssh_checks.prove(check("file", tmp_path / "flag", contains=r"^FLAG\{a\ b'c\}$", timeout=6), place)
    assert "does not contain '^***$'" in caught.value.message


def test_a_last_look_that_our_time_cuts_short_takes_nothing_from_what_was_seen_before(place, tmp_path):
    # The first look fails at once, all later ones would end only after our time.
    script = f"if mkdir {tmp_path}/seen 2>/dev/null; then echo no shop; exit 7; fi; sleep 60"
    with pytest.raises(errors.CheckFailed, match="exit 7, expected 0; it printed: no shop"):
        ssh_checks.prove(check("run", script, timeout=ssh_checks.WHOLE), place)


def test_a_service_that_comes_up_late_still_passes(place, tmp_path):
    late = tmp_path / "late"
    timer = threading.Timer(0.6, late.write_text, ["here"])
    timer.start()
    try:
        ssh_checks.prove(check("file", late, timeout=60), place)
    finally:
        timer.cancel()


def test_long_output_is_cut_to_its_end(place):
    reason = fails(place, "run", "seq 1 5000; echo the end; false")
    assert reason.endswith("the end")
    assert len(reason) < 600
