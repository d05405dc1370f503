"""Web apps through the proxy: what works."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import subprocess

import pytest
from websockets.sync import client as sockets

from labctl.apps import guests, heads
from labctl.model import web_apps
from tests.apps import upstream
from tests.drivers import sshd_here


def test_the_button_leads_to_the_apps_own_host_and_a_cookie_of_that_host_alone(world):
    address = world.ticket()
    assert address.startswith(f"http://{world.host()}/.labctl/enter?t=")
    answer = world.show(address)
    assert (answer.status, answer.headers["location"]) == (303, "/start")
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == "__Host-labctl_app"
    assert rest.partition("; ")[2] == "Secure; HttpOnly; Path=/; SameSite=None; Partitioned"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_app_gets_what_was_asked_without_what_labctl_knows_the_visitor_by(world):
    cookie = world.cookie()
    found = world.told("/told?q=a%20b&c", cookie=cookie, Cookie="mine=1; labctl=stolen; other=a=b", X_Thing="kept")
    assert (found["method"], found["path"]) == ("GET", "/told?q=a%20b&c")
    assert found["headers"]["host"] == [world.host()]
    assert found["headers"]["cookie"] == ["mine=1; other=a=b"]
    assert found["headers"]["x-thing"] == ["kept"]
    assert found["headers"]["x-forwarded-proto"] == ["http"]
    assert found["headers"]["x-forwarded-host"] == [world.host()]
    assert cookie not in str(found)


def test_bodies_pass_in_both_directions(world):
    cookie = world.cookie()
    data = bytes(range(256)) * 20_000
    sent = world.told(cookie=cookie, method="POST", body=data)
    assert hashlib.sha256(sent["body"].encode("latin-1")).digest() == hashlib.sha256(data).digest()
    chunked = world.told(cookie=cookie, method="POST", body=iter([b"one ", b"two"]))
    assert chunked["body"] == "one two"
    assert len(world.get("/chunks", cookie=cookie).content) == 200 * 4096
    assert world.get("/start", cookie=cookie, method="HEAD").content == b""


def test_a_websocket_of_the_apps_own_page_passes(world):
    origin = f"http://{world.host()}"
    headers = {"Cookie": f"{heads.COOKIE}={world.cookie()}"}
    url = f"ws://{world.host()}/ws"
    with world.line() as line, sockets.connect(url, sock=line, origin=origin, additional_headers=headers, open_timeout=60) as tab:
        tab.send("hello")
        assert tab.recv(60) == "you said hello"
        tab.send(b"x" * 1_000_000)
        assert tab.recv(60) == b"x" * 1_000_000


def test_a_trainer_sees_the_learners_app_and_the_journal_says_so(world):
    assert world.get("/start", cookie=world.cookie("eva")).status == 200
    environment = world.wiring.desk.seat("monday", 1)[1].id
    lines = world.wiring.journal.read(environment=environment, limit=100)
    assert "opened the web app shop" in [line.text for line in lines if line.who == "eva"]


def test_many_requests_share_one_connection_into_the_guest(world):
    cookie = world.cookie()
    for _ in range(20):
        assert world.get("/start", cookie=cookie).status == 200
    assert len(world.proxy.house.machines) == 1


def test_an_app_that_does_not_run_is_said_in_the_visitors_language(world):
    answer = world.get("/", host=world.host(app="quiet"), cookie=world.cookie(app="quiet"), Accept_Language="de-DE,de;q=0.9")
    assert answer.status == 502
    assert "antwortet nicht" in answer.text


def test_an_app_by_https_is_shown_whatever_its_certificate_says(tmp_path, world):
    words = ["-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=nobody", "-days", "1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", "req", *words], cwd=tmp_path, check=True, capture_output=True)
    sealed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    sealed.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    app = upstream.Upstream(sshd_here.free_port(), sealed)
    way = world.way()

    async def look():
        async def certify(_, key):
            return world.wiring.entering.certify(way.principal, key)

        inside = guests.Guests(world.authority.host_authority(), certify, port=world.guest_port)
        visit = web_apps.Visit("1", "h", way.principal, way.environment, way.until, way.targets[0], app.port, "https", "/")
        channel = await inside.dial(visit)
        channel.writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        found = b""
        while piece := await channel.reader.read(65536):
            found += piece
        channel.writer.close()
        inside.keep_only(frozenset())
        return found

    try:
        assert b"an app" in asyncio.run(look())
    finally:
        app.close()


@pytest.mark.parametrize("app", ["shop", "back"])
def test_labels_are_names_of_dns_and_unlike_each_other(world, app):
    found = {web_apps.label(f"seat-monday-{seat}-{'x' * 10}", machine, app) for seat in range(50) for machine in ("a" * 24, "b-c")}
    assert len(found) == 100
    assert all(len(one) <= 63 and one.replace("-", "").isalnum() for one in found)
    assert web_apps.label("p", "xn--a", "b") != web_apps.label("p", "xn-a", "b")
    assert not web_apps.label("p", "xn--a", "b").startswith("xn--")
