"""Consoles as Proxmox has them: one connection, for whom and what the ticket was given, within seconds; and labctl's own way to them."""

from __future__ import annotations

import asyncio
import ssl
import time
import urllib.parse
from pathlib import Path

import pytest
from websockets.asyncio import client as sockets
from websockets.exceptions import InvalidStatus, WebSocketException

from labctl import errors
from labctl.drivers import rfb
from labctl.drivers.proxmox import client, console
from labctl.model import passage, site
from labctl.sandbox import consoles as consoles_
from tests import sandbox_node
from tests.sandbox import api

N = "/nodes/sandbox"
needs_xvnc = pytest.mark.skipif(bool(consoles_.lacking()), reason=f"not installed: {consoles_.lacking()}")


@pytest.fixture(scope="module")
def paper():
    with sandbox_node.SandboxNode() as one:
        yield one


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with sandbox_node.SandboxNode("lxc") as one:
        call = api.Api(one)
        assert call.task("POST", f"{N}/qemu/9000/clone", newid=100033, name="web", pool="labs") == "OK"
        assert call.task("POST", f"{N}/lxc/9001/clone", newid=100034, hostname="box", pool="labs") == "OK"
        call.ok("PUT", f"{N}/qemu/100033/config", memory=256)
        for place in ("qemu/100033", "lxc/100034"):
            assert call.task("POST", f"{N}/{place}/status/start") == "OK"
        yield one


def dial(node, place, port, ticket, **more):
    """The node's own WebSocket, with labctl's token. Not with the library's threads: two at one TLS connection broke it now and then."""
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.load_verify_locations(node.credentials["ca_file"])
    address = node.credentials["url"].replace("https", "wss")
    query = urllib.parse.urlencode({"port": port, "vncticket": ticket})
    headers = {"additional_headers": api.Api(node).headers} | more
    return sockets.connect(
        f"{address}/api2/json{N}/{place}/vncwebsocket?{query}", ssl=trusted, compression=None, open_timeout=60, **headers
    )


def status(node, place, port, ticket, **more):
    """What is answered in place of a WebSocket; 0 where nothing is."""

    async def ask():
        async with dial(node, place, port, ticket, **more):
            return 101

    try:
        return asyncio.run(ask())
    except InvalidStatus as refused:
        return refused.response.status_code
    except (WebSocketException, OSError, EOFError):
        return 0


def test_paper_has_no_console_and_says_so_as_a_port_that_never_gets_ready(paper):
    call = api.Api(paper)
    assert call("POST", f"{N}/qemu/9000/vncproxy", websocket=1).status == 403
    assert call.task("POST", f"{N}/qemu/9000/clone", newid=100033, name="web", pool="labs") == "OK"
    reply = call("POST", f"{N}/qemu/100033/vncproxy", websocket=1)
    assert reply.status == 500
    assert reply.message.strip() == "Timeout while waiting for port '5900' to get ready!"


@pytest.mark.parametrize(("port", "expected"), [(5899, 400), (6000, 400), (22, 400), (5900, 401)])
def test_a_port_is_a_consoles_and_a_ticket_is_ours(paper, port, expected):
    call = api.Api(paper)
    if call("GET", f"{N}/qemu/100034/status/current").status != 200:
        assert call.task("POST", f"{N}/qemu/9000/clone", newid=100034, name="other", pool="labs") == "OK"
    assert call("GET", f"{N}/qemu/100034/vncwebsocket", port=port, vncticket="PVEVNC:00000000::x").status == expected


@pytest.mark.guests
@needs_xvnc
def test_a_ticket_opens_its_guest_once_for_its_owner(node):
    call = api.Api(node)
    found = call.ok("POST", f"{N}/qemu/100033/vncproxy", **{"websocket": 1, "generate-password": 1})
    assert set(found) == {"user", "port", "upid", "cert", "ticket", "password"}
    assert found["ticket"].startswith(f"{found['password']}:PVEVNC:")
    assert found["port"] in range(5900, 6000)
    port, ticket = found["port"], found["ticket"]
    assert status(node, "lxc/100034", port, ticket) == 401
    assert status(node, "qemu/100033", port + 1, ticket) == 401
    assert status(node, "qemu/100033", port, ticket + "x") == 401
    assert status(node, "qemu/100033", port, ticket, additional_headers={}) == 401
    # Each of those took three seconds to be refused: the worker waits for nobody any more.
    found = call.ok("POST", f"{N}/qemu/100033/vncproxy", **{"websocket": 1, "generate-password": 1})
    port, ticket = found["port"], found["ticket"]

    async def use():
        async with dial(node, "qemu/100033", port, ticket, subprotocols=["binary"]) as socket:
            assert socket.subprotocol == "binary"
            assert await asyncio.wait_for(socket.recv(), 60) == b"RFB 003.008\n"
            assert await asyncio.to_thread(status, node, "qemu/100033", port, ticket) == 0

    asyncio.run(use())
    assert call.ok("GET", f"{N}/tasks/{urllib.parse.quote(found['upid'])}/status")["type"] == "vncproxy"


@pytest.mark.guests
@needs_xvnc
def test_a_worker_waits_ten_seconds_and_its_task_says_so(node):
    call = api.Api(node)
    found = call.ok("POST", f"{N}/lxc/100034/vncproxy", websocket=1)
    upid = urllib.parse.quote(found["upid"])
    end = time.monotonic() + 60
    while call.ok("GET", f"{N}/tasks/{upid}/status")["status"] == "running":
        assert time.monotonic() < end
        time.sleep(0.2)
    assert call.ok("GET", f"{N}/tasks/{upid}/status")["exitstatus"] == "connection timed out"
    assert status(node, "lxc/100034", found["port"], found["ticket"]) == 0


def consoles(node, **more):
    facts = {"url": node.credentials["url"], "user": node.credentials["user"], "token": node.credentials["token"]}
    facts |= {"secret_file": node.credentials["secret_file"], "ca_file": node.credentials["ca_file"]} | more
    cluster = site.Cluster(**facts)
    return console.Consoles(cluster, client.Client(cluster, timeout=20, patience=2))


def screen(kind="vm", vmid=100033):
    return passage.Screen(passage.Target("web", "", "learner", "", ""), "sandbox", vmid, kind)


@pytest.mark.guests
@needs_xvnc
@pytest.mark.parametrize(("kind", "vmid"), [("vm", 100033), ("container", 100034)])
def test_labctl_sees_a_guests_own_screen_and_types_on_it(node, kind, vmid):
    async def look():
        async with consoles(node).console(screen(kind, vmid)) as found:
            init = await rfb.enter(found.streams, found.password)
            for sign in "abc\r":
                for down in (1, 0):
                    await found.streams.send(bytes([4, down, 0, 0]) + (0xFF0D if sign == "\r" else ord(sign)).to_bytes(4))
            end = time.monotonic() + 60
            while (seen := await rfb.colours(found.streams, init)) < 2:
                assert time.monotonic() < end
            return init, seen

    init, seen = asyncio.run(look())
    assert (init.width, init.height, seen) == (800, 600, 2)


@pytest.mark.guests
@needs_xvnc
def test_a_wrong_password_is_refused_inside(node):
    async def look():
        async with consoles(node).console(screen()) as found:
            await rfb.enter(found.streams, "wrong")

    with pytest.raises(errors.Unreachable, match="refuses labctl"):
        asyncio.run(look())


@pytest.mark.guests
@needs_xvnc
def test_the_node_must_be_the_clusters_own(node, tmp_path):
    with sandbox_node.SandboxNode() as other:
        ca = Path(other.credentials["ca_file"])

        async def look():
            async with consoles(node, ca_file=str(ca)).console(screen()):
                pass

        with pytest.raises(errors.LabctlError) as refused:
            asyncio.run(look())
    assert "PVEVNC" not in str(refused.value)


@pytest.mark.guests
@needs_xvnc
def test_a_guest_that_is_off_has_a_console_that_ends_at_once(node):
    call = api.Api(node)
    assert call.task("POST", f"{N}/lxc/9001/clone", newid=100035, hostname="off", pool="labs") == "OK"

    async def look():
        async with consoles(node).console(screen("container", 100035)) as found:
            await rfb.enter(found.streams, found.password)

    with pytest.raises(errors.Unreachable):
        asyncio.run(look())
