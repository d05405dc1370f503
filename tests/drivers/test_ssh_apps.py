"""The proof that web apps answer, against real web servers behind a real OpenSSH server on loopback."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import threading

import pytest

from labctl import errors
from labctl.drivers import ssh_apps, ssh_ca, ssh_connection
from labctl.model.plan import PlannedApp
from tests.drivers import sshd_here

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="labctl's account in a guest has sudo; here only root has")


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Tired(Pages):
    """Answers once."""

    def do_GET(self):
        if self.server.asked.is_set():
            self.server.over.wait(60)
        self.server.asked.set()
        super().do_GET()


def served(sealed=None, pages=Pages):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages)
    server.asked, server.over = threading.Event(), threading.Event()
    if sealed is not None:
        server.socket = sealed.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.handle_error = lambda *args: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=somebody-else", "-days", "1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", "req", *words], cwd=folder, check=True, capture_output=True)
    sealed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sealed.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    servers = {"http": served(), "https": served(sealed)}
    yield {scheme: server.server_address[1] for scheme, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    authority = ssh_ca.Authority(tmp_path_factory.mktemp("secrets"))
    guest = sshd_here.SshdHere(tmp_path_factory.mktemp("sshd"), authority)
    trust = ssh_connection.Trust(authority, ssh_ca.host_name(guest.plan, "box"), guest.host_key)
    with ssh_connection.connect("127.0.0.1", "root", authority.deploy_login(), trust, patience=60, port=guest.port) as made:
        yield made
    guest.close()


def app(port, path="/200", scheme="http"):
    return PlannedApp(name="shop", machine="box", port=port, scheme=scheme, path=path, title="Shop", url="")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("path", ["/200", "/302", "/404"])
def test_an_app_that_answers_below_500_is_there(connection, ports, scheme, path):
    ssh_apps.prove(app(ports[scheme], path, scheme), connection, seconds=60)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_that_answers_with_a_fault_is_not(connection, ports, scheme):
    with pytest.raises(errors.CheckFailed, match=r"'shop' does not answer at port [0-9]+ of 127.0.0.1 there \(status 503\)"):
        ssh_apps.prove(app(ports[scheme], "/503", scheme), connection, seconds=6)


def test_a_last_look_that_our_time_cuts_short_takes_nothing_from_what_was_seen_before(connection):
    server = served(pages=Tired)
    try:
        with pytest.raises(errors.CheckFailed, match=r"\(status 503\)"):
            ssh_apps.prove(app(server.server_address[1], "/503"), connection, seconds=4)
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


def test_a_closed_port_and_the_wrong_scheme_are_said(connection, ports):
    with pytest.raises(errors.CheckFailed, match="cannot be reached from box"):
        ssh_apps.prove(app(sshd_here.free_port()), connection, seconds=6)
    with pytest.raises(errors.CheckFailed, match="does not answer as a web server"):
        ssh_apps.prove(app(ports["http"], scheme="https"), connection, seconds=6)
