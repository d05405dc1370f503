"""A real proxy before a real API, with OpenSSH servers as the seats' machines and real web servers behind them (`tests.world_here`)."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from labctl import ports
from labctl.apps import __main__ as main
from labctl.apps import asking, guests, heads, proxy
from labctl.model import web_apps
from tests import world_here
from tests.apps import upstream
from tests.drivers import sshd_here
from tests.world_here import wait_for


class World(world_here.World):
    """With apps `shop` and `quiet` (nothing listens there) on `box`, `back` on the machine that nobody may enter."""

    def __init__(self, tmp_path):
        self.upstream = upstream.Upstream(sshd_here.free_port())
        self.quiet = sshd_here.free_port()
        blueprint = f"""{world_here.BLUEPRINT}
apps:
  shop: {{machine: box, port: {self.upstream.port}, path: /start, title: The shop}}
  other: {{machine: box, port: {self.upstream.port}}}
  quiet: {{machine: box, port: {self.quiet}}}
  back: {{machine: hidden, port: 8080}}
"""
        self.port = sshd_here.free_port()
        self.settings = {"apps_port": self.port}
        super().__init__(tmp_path, blueprint)
        self.secrets = {"eva": self.wiring.tokens.create(ports.Token("eva", "trainer"))}
        for seat, name in ((1, "ada"), (2, "grace")):
            environment = self.wiring.desk.seat("monday", seat)[1].id
            self.secrets[name] = self.wiring.tokens.create(ports.Token(name, "learner", environment))
        self.site = self.wiring.settings.apps_site
        self.proxy = Running(self)

    def host(self, seat=1, app="shop", machine="box"):
        """Host and port of an app's address."""
        principal = self.wiring.environments.plan(self.wiring.desk.seat("monday", seat)[1].id).principal
        return urlsplit(web_apps.address(self.site, web_apps.label(principal, machine, app))).netloc

    def ask(self, name="ada", seat=1, app="shop"):
        return httpx.post(
            f"{self.api.url}/api/v1/classrooms/monday/seats/{seat}/apps/{app}/enter",
            headers={"Authorization": f"Bearer {self.secrets[name]}"},
            trust_env=False,
            timeout=60,
        )

    def ticket(self, name="ada", seat=1, app="shop"):
        answer = self.ask(name, seat, app)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def show(self, address, host=""):
        found = urlsplit(address)
        return self.get(f"{found.path}?{found.query}", host=host or found.netloc)

    def cookie(self, name="ada", seat=1, app="shop"):
        """What a browser has after the button."""
        answer = self.show(self.ticket(name, seat, app))
        assert answer.status == 303, answer.text
        return answer.headers["set-cookie"].partition(";")[0].partition("=")[2]

    def get(self, path, *, host="", cookie="", method="GET", body=None, **headers):
        """One request with `http.client`; header names with _ for -."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            more["Cookie"] = "; ".join(part for part in (f"{heads.COOKIE}={cookie}", more.pop("Cookie", "")) if part)
        try:
            client.request(method, path, body=body, headers={"Host": host or self.host(), **more})
            answer = client.getresponse()
            answer.content = answer.read()
        finally:
            client.close()
        answer.text = answer.content.decode("utf-8", "replace")
        return answer

    def status(self, path, **how):
        """What a request is answered with; 0 where it was cut off, as those are that run while their visit ends."""
        try:
            return self.get(path, **how).status
        except (http.client.HTTPException, ConnectionError):
            return 0

    def told(self, path="/told", **how):
        """What the guest's app was asked: its headers by small names, as lists."""
        answer = self.get(path, **how)
        assert answer.status == 200, (answer.status, answer.text)
        found = json.loads(answer.content)
        names: dict[str, list[str]] = {}
        for name, value in found["headers"]:
            names.setdefault(name.lower(), []).append(value)
        return {**found, "headers": names}

    def line(self):
        """A connection to the proxy; names below `localhost` are for browsers, glibc does not know them."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def raw(self, data):
        """Bytes as they are; all that comes back."""
        with self.line() as line:
            line.sendall(data)
            found = b""
            while piece := line.recv(65536):
                found += piece
        return found

    def close(self):
        self.proxy.close()
        super().close()
        self.upstream.close()


class Running:
    """The proxy, in a thread with a loop of its own."""

    def __init__(self, world):
        self.house: proxy.House | None = None
        self._world = world
        self._secret = world.wiring.tokens.create(ports.Token("apps", "apps"))
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._thread.start()
        wait_for(lambda: self.house is not None)

    async def _serve(self):
        world = self._world
        async with asking.Asking(world.api.url, self._secret) as asks:
            inside = guests.Guests(world.authority.host_authority(), asks.certificate, port=world.guest_port)
            house = proxy.House(proxy.Place(world.site, (world.api.url,)), asks, inside)
            listener = await main.listen(house, "127.0.0.1", world.port)
            self.house = house
            await house.visits.watch(self._stop)
            await main.close(house, listener)

    def close(self):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)
        self._loop.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("apps"))
    yield made
    made.close()


@pytest.fixture
def own_world(tmp_path):
    """For tests that end leases, reset seats, or stop what runs."""
    made = World(tmp_path)
    yield made
    made.close()


def until(look, seconds=60.0):
    """What `look` says once it says something."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "not within the time"
        time.sleep(0.02)
    return found
