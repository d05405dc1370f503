"""Web apps: everything that must not work (`access.md` 5 and 7), at the level of bytes, each beside what does work."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess

import asyncssh
import httpx2 as httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync import client as sockets

from labctl import errors, ports
from labctl.apps import heads
from labctl.drivers import ssh_inside
from labctl.model import web_apps
from tests.api.browser import Browser
from tests.apps.conftest import until

# Tickets


def test_a_ticket_is_good_once(world):
    address = world.ticket()
    assert world.show(address).status == 303
    assert world.show(address).status == 403


def test_a_ticket_is_good_for_its_own_app_only_and_is_used_up_by_showing_it_elsewhere(world):
    for other in (world.host(app="other"), world.host(seat=2)):
        address = world.ticket()
        assert world.show(address, host=other).status == 403
        assert world.show(address).status == 403


@pytest.mark.parametrize("query", ["", "?t=", "?t=invented", "?x=1"])
def test_without_a_ticket_there_is_no_cookie(world, query):
    answer = world.get(f"/.labctl/enter{query}")
    assert answer.status == 403
    assert answer.headers["set-cookie"] is None


def test_a_ticket_runs_out_within_a_minute(own_world):
    address = own_world.ticket()
    own_world.clock.pass_(seconds=web_apps.TICKET_LIFE.total_seconds())
    assert own_world.show(address).status == 403


def test_nobody_gets_a_ticket_for_anothers_seat_or_for_an_app_that_is_none(world):
    assert world.ask("ada", seat=2).status_code == 404
    assert world.ask("ada", app="nothing").status_code == 404
    assert world.ask("eva", app="nothing").status_code == 404


def test_a_page_of_another_origin_gets_no_ticket_with_the_visitors_session(world):
    path = f"{world.api.url}/api/v1/classrooms/monday/seats/1/apps/shop/enter"

    browser = Browser(world.api.made)
    code = world.wiring.inviting.class_code("monday", who="eva")
    assert browser.form("/join", code=code, who="ada").status_code == 303
    own = browser.post(path.removeprefix(world.api.url), headers={"Origin": browser.origin}, follow_redirects=False)
    assert own.status_code == 303
    for origin in (f"http://{world.host()}", "null", "http://evil.example"):
        assert browser.post(path.removeprefix(world.api.url), headers={"Origin": origin}, follow_redirects=False).status_code == 403
    assert browser.post(path.removeprefix(world.api.url), headers={"Origin": ""}, follow_redirects=False).status_code == 403


# Cookies and hosts


def test_without_a_cookie_nothing_reaches_the_guest(world):
    world.cookie()
    assert world.get("/told").status == 401
    assert world.get("/told", cookie="invented").status == 401
    assert world.get("/told", Cookie="labctl_app=x; __host-labctl_app=y").status == 401


def test_the_cookie_of_one_app_or_seat_opens_no_other(world):
    ada, grace = world.cookie("ada"), world.cookie("grace", seat=2)
    world.cookie(app="other")
    assert world.get("/start", cookie=ada).status == 200
    assert world.get("/start", host=world.host(seat=2), cookie=ada).status == 401
    assert world.get("/start", host=world.host(app="other"), cookie=ada).status == 401
    assert world.get("/start", host=world.host(seat=2), cookie=grace).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "169.254.169.254",
        "example.org",
        "box-shop--aaaaaaaaaaaa.localhost",
        "box-8080--aaaaaaaaaaaa.localhost",
        "x.{own}",
        "{own}.example.org",
        "{label}.localhost.",
        "{label}.LOCALHOST.example",
        "../{own}",
        "{label}%00.localhost",
        "user@{own}",
    ],
)
def test_a_host_that_is_no_key_of_the_table_leads_nowhere(world, host):
    cookie = world.cookie()
    own = world.host()
    named = host.format(own=own, label=own.partition(".")[0])
    assert world.get("/start", host=named, cookie=cookie).status in {404, 400}


@pytest.mark.parametrize("target", ["http://169.254.169.254/", "http://127.0.0.1:22/", "*", "//evil.example/", "evil", "/a b"])
def test_the_path_chooses_neither_host_nor_port(world, target):
    cookie = world.cookie()
    head = f"GET {target} HTTP/1.1\r\nHost: {world.host()}\r\nCookie: {heads.COOKIE}={cookie}\r\n\r\n"
    answer = world.raw(head.encode())
    if target == "//evil.example/":  # a path like any other: it goes to the app and to nobody else
        assert answer.startswith(b"HTTP/1.1 200")
    else:
        assert answer.startswith(b"HTTP/1.1 400")
    assert world.raw(f"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: {world.host()}\r\n\r\n".encode()).startswith(b"HTTP/1.1 400")


# Other pages


def test_a_websocket_of_another_page_is_refused(world):
    cookie = world.cookie()
    headers = {"Cookie": f"{heads.COOKIE}={cookie}"}
    for origin in (f"http://{world.host(seat=2)}", world.api.url, "null", f"https://{world.host()}", "http://evil.example", None):
        with world.line() as line, pytest.raises(InvalidStatus) as refused:
            sockets.connect(f"ws://{world.host()}/ws", sock=line, origin=origin, additional_headers=headers, open_timeout=60)
        assert refused.value.response.status_code == 403


def test_a_request_that_another_page_caused_is_refused(world):
    cookie, own = world.cookie(), f"http://{world.host()}"
    assert world.get("/told", cookie=cookie, method="POST", Origin=own).status == 200
    assert world.get("/told", cookie=cookie, method="POST", Origin="null", Sec_Fetch_Site="same-origin").status == 200
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{world.host(seat=2)}"},
        {"Origin": own, "Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate"},
    ):
        assert world.get("/told", cookie=cookie, method="POST", **headers).status == 403
    for site in ("same-site", "cross-site"):
        assert world.get("/told", cookie=cookie, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors").status == 403
        assert world.get("/told", cookie=cookie, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate").status == 200


# What guests say to browsers


def hostile(world, *headers, cookie=None):
    query = "&".join("h=" + header.replace(";", "%3B").replace("=", "%3D").replace(" ", "%20") for header in headers)
    answer = world.get(f"/hostile?{query}", cookie=cookie or world.cookie())
    assert answer.status == 200, answer.text
    return answer.headers


def test_a_guests_cookies_are_its_own_hosts_only_and_never_labctls(world):
    found = hostile(
        world,
        "Set-Cookie:a=1; Domain=localhost; Path=/",
        "Set-Cookie:b=2; domain =.localhost; HttpOnly",
        "Set-Cookie:__Host-labctl_app=evil; Path=/; Secure",
        "Set-Cookie:labctl=evil; Path=/",
        "Set-Cookie:__Host-labctl=evil; Path=/; Secure",
        "Set-Cookie:labctl-signing-in=evil",
    ).get_all("set-cookie")
    assert found == ["a=1; Path=/", "b=2; HttpOnly"]


def test_a_guest_says_nothing_for_the_whole_site(world):
    found = hostile(
        world,
        "Strict-Transport-Security:max-age=31536000; includeSubDomains; preload",
        'Clear-Site-Data:"*"',
        "Alt-Svc:h2=evil.example",
        "NEL:{}",
        "Report-To:{}",
        "Public-Key-Pins:x",
        "X-Own:kept",
    )
    assert found["x-own"] == "kept"
    for name in ("strict-transport-security", "clear-site-data", "alt-svc", "nel", "report-to", "public-key-pins"):
        assert found[name] is None


def test_only_labctls_pages_may_frame_an_app_and_the_apps_own_policy_holds_beside(world):
    found = hostile(
        world,
        "X-Frame-Options:DENY",
        "Content-Security-Policy:default-src 'self'; frame-ancestors 'none'",
        "Content-Security-Policy:frame-ancestors *",
        "Content-Security-Policy:img-src *, Frame-Ancestors *",
    )
    assert found["x-frame-options"] is None
    policies = found.get_all("content-security-policy")
    assert policies == ["default-src 'self'", "img-src *", f"frame-ancestors 'self' {world.api.url}"]


def test_labctls_own_pages_are_framed_by_nobody(world):
    answer = httpx.get(f"{world.api.url}/sign-in", trust_env=False, timeout=60)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


# Bytes


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\nHost: {host}\r\nHost: other\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/2\r\nHost: {host}\r\n",
        "GET / HTTP/1.1\r\nHost : {host}\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nX: 1\r\n folded\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nX: 1\nY: 2\r\n",
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: +5\r\n",
        "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n",
        "POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "GE T / HTTP/1.1\r\nHost: {host}\r\n",
        "GET / HTTP/1.1\r\nHost: {host}\r\nX: " + "a" * 70_000 + "\r\n",
    ],
)
def test_what_two_readers_could_take_for_two_things_is_refused(world, head):
    cookie = f"Cookie: {heads.COOKIE}={world.cookie()}\r\n"
    assert world.raw((head.format(host=world.host()) + cookie + "\r\n").encode()).startswith(b"HTTP/1.1 400")


def test_whoever_is_refused_while_they_send_a_file_is_told(world):
    assert world.get("/told", method="POST", body=b"x" * 32_000_000).status == 401


def test_a_second_request_behind_the_first_reaches_nobody(world):
    one = f"GET /told?first HTTP/1.1\r\nHost: {world.host()}\r\nCookie: {heads.COOKIE}={world.cookie()}\r\n\r\n"
    found = world.raw((one + one.replace("first", "second")).encode())
    assert b"second" not in found
    short = (
        f"POST /told HTTP/1.1\r\nHost: {world.host()}\r\nCookie: {heads.COOKIE}={world.cookie()}\r\nContent-Length: 3\r\n\r\nabcSMUGGLED"
    )
    assert b"SMUGGLED" not in world.raw(short.encode())


def test_chunks_that_are_none_end_the_request(world):
    head = f"POST /told HTTP/1.1\r\nHost: {world.host()}\r\nCookie: {heads.COOKIE}={world.cookie()}\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in ("5\r\nab\r\n0\r\n\r\n", "-1\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n"):
        assert b"200 OK" not in world.raw((head + body + "\r\n" * 3).encode())


# The end


def test_when_a_seat_is_closed_open_sockets_end_within_moments_and_the_next_request_is_refused(own_world):
    cookie = own_world.cookie()
    headers = {"Cookie": f"{heads.COOKIE}={cookie}"}
    with (
        own_world.line() as line,
        sockets.connect(
            f"ws://{own_world.host()}/ws", sock=line, origin=f"http://{own_world.host()}", additional_headers=headers, open_timeout=60
        ) as tab,
    ):
        tab.send("still here")
        assert tab.recv(60) == "you said still here"
        own_world.wiring.desk.close("monday", who="eva")
        with pytest.raises(Exception, match=r"."):
            tab.recv(60)
    assert until(lambda: own_world.status("/start", cookie=cookie) in {401, 403, 404})
    assert own_world.ask().status_code in {404, 409}
    until(lambda: len(own_world.proxy.house.machines) == 0)


def test_a_reset_and_a_lost_token_end_visits(own_world):
    cookie, other = own_world.cookie(), own_world.cookie("grace", seat=2)
    assert own_world.get("/start", cookie=cookie).status == 200
    assert own_world.get("/start", host=own_world.host(seat=2), cookie=other).status == 200
    own_world.wiring.desk.reset("monday", 1, who="eva")
    own_world.wiring.tokens.revoke("grace")
    until(lambda: own_world.status("/start", cookie=cookie) in {401, 403})
    until(lambda: own_world.status("/start", host=own_world.host(seat=2), cookie=other) == 401)


def test_without_the_api_those_inside_stay_and_nobody_new_comes(own_world):
    cookie, address = own_world.cookie(), own_world.ticket()
    assert own_world.get("/start", cookie=cookie).status == 200
    own_world.api.close()
    assert own_world.show(address).status == 503
    assert own_world.get("/start", cookie=cookie).status == 200
    assert own_world.get("/start", cookie="invented").status == 503


# The proxy itself


def test_the_proxys_certificate_carries_channels_and_opens_no_shell(world):
    if os.geteuid() != 0:
        pytest.skip("sshd runs commands as the learner only when it is root")
    way = world.way()
    visit = world.wiring.visiting.admit(world.host().partition(".")[0], world.ticket().partition("t=")[2])[1]

    async def tried():
        async def certify(key):
            return world.wiring.visiting.certify(visit.id, key)

        inside = await ssh_inside.enter(way.targets[0], world.authority.host_authority(), certify, port=world.guest_port)
        shell = await inside.run("id", check=False)
        with pytest.raises(asyncssh.Error):
            await inside.create_process(term_type="xterm", request_pty="force")
        writer_reader = await inside.open_connection("127.0.0.1", world.upstream.port, encoding=None)
        inside.abort()
        return shell, writer_reader

    shell, _ = asyncio.run(tried())
    assert shell.exit_status != 0
    assert "uid=" not in str(shell.stdout)


def test_the_proxys_token_opens_nothing_but_its_own_questions(world):

    secret = world.wiring.tokens.create(ports.Token("apps2", "apps"))
    headers = {"Authorization": f"Bearer {secret}"}
    for method, path in (("GET", "/classrooms"), ("GET", "/me"), ("POST", "/door/way"), ("POST", "/classrooms/monday/seats/1/code")):
        answer = httpx.request(
            method, f"{world.api.url}/api/v1{path}", headers=headers, json={"principal": "x"}, trust_env=False, timeout=60
        )
        assert answer.status_code in {403, 404}, path
    gone = httpx.post(
        f"{world.api.url}/api/v1/apps/certificate", headers=headers, json={"visit": "999", "public_key": "x"}, trust_env=False, timeout=60
    )
    assert gone.status_code == 403


def test_certificates_are_for_visits_that_are_alive(own_world):
    visiting = own_world.wiring.visiting
    label = own_world.host().partition(".")[0]
    visit = visiting.admit(label, own_world.ticket().partition("t=")[2])[1]
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    made = visiting.certify(visit.id, key)
    shown = subprocess.run(["ssh-keygen", "-L", "-f", "-"], input=made, capture_output=True, text=True, check=True).stdout
    assert re.search(r"force-command /bin/false", shown)
    assert "permit-pty" not in shown
    own_world.wiring.desk.close("monday", who="eva")
    with pytest.raises(errors.Forbidden):
        visiting.certify(visit.id, key)
