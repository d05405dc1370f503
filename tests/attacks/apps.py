"""At web apps: from the visitor's browser with other people's cookies, and by the app itself, which its learner made hostile.

What only a browser can show (a frame, a service worker, a script's fetch) is in `tests/apps/test_in_chromium.py`, with the same proxy.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from urllib.parse import quote, urlsplit

from tests.attacks import Tried, rows
from tests.attacks.world import World

COOKIE = "__Host-labctl_app"


class Door:
    """The proxy of web apps, as a client of the attacker's own making sees it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.port = int(world.house.environment["LABCTL_APPS_PORT"])

    def ask(self, who: str, login: str, app: str = "trap", origin: str | None = None) -> tuple[int, str]:
        """`who` presses the button of `login`'s app: status, and where it leads."""
        seat = self.world.seat(login)
        address = f"{self.world.url}/api/v1/classrooms/{seat.slug}/seats/{seat.number}/apps/{app}/enter"
        more = {} if origin is None else {"Origin": origin}
        answer = self.world.session(who).post(address, headers=more, allow_redirects=False, timeout=30)
        return answer.status_code, answer.headers.get("location", "")

    def get(self, host: str, path: str, **headers: str) -> http.client.HTTPResponse:
        """One request, read to its end (`said`)."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(client):
            client.request("GET", path, headers={"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}})
            answer = client.getresponse()
            answer.said = answer.read()  # type: ignore[attr-defined]
        return answer

    def enter(self, who: str, login: str) -> tuple[str, str]:
        """(host, cookie) of `login`'s app for `who`. Raises CannotMeasure."""
        status, address = self.ask(who, login)
        self.world.must(status == 303, f"the button of {login}'s app answers {who} with {status}")
        found = urlsplit(address)
        answer = self.get(found.netloc, f"{found.path}?{found.query}")
        cookie = (answer.headers["set-cookie"] or "").partition(";")[0]
        self.world.must(answer.status == 303 and cookie.startswith(f"{COOKIE}="), f"no cookie for {who}: {answer.status}")
        look = self.get(found.netloc, "/", Cookie=cookie)
        self.world.must(look.status == 200, f"{login}'s app answers {who} with {look.status}")
        return found.netloc, cookie

    def upgrade(self, host: str, cookie: str, origin: str) -> int:
        """The status of a WebSocket that a page of that origin opens."""
        head = f"GET /ws HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        head += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        return self.raw(head.encode())

    def raw(self, data: bytes) -> int:
        """The status of what is said to these bytes; 0 for nothing."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as line:
            line.sendall(data)
            words = line.recv(4096).split(b" ", 2)
        return int(words[1]) if len(words) > 1 else 0


def steal(world: World) -> list[Tried]:
    """Row: steal session, call API, overwrite cookies, other seat; frame labctl."""
    row, door, done = rows.APPS_STEAL, Door(world), []
    mine, cookie = door.enter("mallory", "mallory")
    theirs, other = door.enter("grace", "grace")

    def tried(attack: str, refused: bool, note: str = "") -> None:
        done.append(Tried(row, attack, refused, note=note))

    told = json.loads(door.get(mine, "/", Cookie=f"{cookie}; labctl=s; __Host-labctl=s; own=1").said)  # type: ignore[attr-defined]
    seen = " ".join(value for name, value in told["headers"] if name.lower() == "cookie")
    world.must("own=1" in seen, "the app does not get its own cookie")
    tried("the app reads what its visitor is known by", cookie not in seen and "labctl" not in seen)
    status = door.get(theirs, "/", Cookie=cookie).status
    tried("mallory's cookie at grace's app", status == 401, str(status))
    status, _ = door.ask("mallory", "grace")
    tried("mallory asks to enter grace's app", status == 404, note=str(status))
    for origin in (f"http://{mine}", "null", "http://evil.example"):
        status, _ = door.ask("grace", "grace", origin=origin)
        tried(f"a page of {urlsplit(origin).hostname or origin} presses the button with grace's session", status == 403, note=str(status))
    _, address = door.ask("grace", "grace")
    found = urlsplit(address)
    status = door.get(mine, f"{found.path}?{found.query}").status
    tried("grace's ticket at mallory's app", status == 403, note=str(status))
    status = door.get(theirs, f"{found.path}?{found.query}").status
    tried("that ticket again, at its own app", status == 403, note=str(status))
    for origin in (f"http://{mine}", world.url, "null"):
        status = door.upgrade(theirs, other, origin)
        world.must(door.upgrade(theirs, other, f"http://{theirs}") == 101, "a WebSocket of the app's own page is not opened")
        tried(f"a WebSocket to grace's app from a page of {urlsplit(origin).hostname or origin}", status == 403, str(status))
    status = door.get(theirs, "/", Cookie=other, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors").status
    tried("another page's script reads grace's app", status == 403, note=str(status))
    set_ = [
        "labctl=evil; Domain=localhost",
        f"{COOKIE}=evil; Path=/; Secure",
        "__Host-labctl=evil; Path=/; Secure",
        "own=1; Domain=localhost",
    ]
    kept = _hostile(door, mine, cookie, *(f"Set-Cookie:{one}" for one in set_)).get_all("set-cookie") or []
    tried("the app overwrites labctl's cookies, or one for all hosts", kept == ["own=1"], note=str(kept))
    framed = world.stranger().get(f"{world.url}/sign-in", timeout=30).headers["content-security-policy"]
    tried("the app frames labctl", "frame-ancestors 'none'" in framed)
    return done


def _hostile(door: Door, host: str, cookie: str, *headers: str) -> http.client.HTTPMessage:
    return door.get(host, "/?" + "&".join(f"h={quote(one)}" for one in headers), Cookie=cookie).headers


def shared(world: World) -> list[Tried]:
    """Row: what an app says of more than its own host."""
    row, door = rows.APPS_SHARED, Door(world)
    host, cookie = door.enter("mallory", "mallory")
    other, _ = door.enter("grace", "grace")
    said = {
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
        "Clear-Site-Data": '"*"',
        "Alt-Svc": 'h2="evil.example:443"',
        "NEL": '{"report_to":"x","max_age":1,"include_subdomains":true}',
        "X-Own": "kept",
    }
    found = _hostile(door, host, cookie, *(f"{name}:{value}" for name, value in said.items()))
    world.must(found["X-Own"] == "kept", "an app's own header does not arrive")
    done = [Tried(row, f"an app says {name}", found[name] is None) for name in said if name != "X-Own"]
    done.append(Tried(row, "two seats share a host, so that one's service worker serves the other", host != other, note=f"{host} {other}"))
    return done


def ssrf(world: World) -> list[Tried]:
    """Row: a place that is no app of this seat, by Host or path."""
    row, door = rows.APPS_SSRF, Door(world)
    host, cookie = door.enter("mallory", "mallory")
    label, port = host.partition(".")[0], host.partition(":")[2]
    hosts = ["127.0.0.1", "localhost", "169.254.169.254", world.seat("grace").address, "box", "store", "store-22--aaaaaaaaaaaa.localhost"]
    hosts += [f"{label}.evil.example", f"evil.{host}", f"{label}%2e.localhost", f"x@{host}", f"127.0.0.1/{host}", f"[::1]:{port}"]
    done = []
    for one in hosts:
        status = door.get(one, "/", Cookie=cookie).status
        done.append(Tried(row, f"Host: {one}", status in {400, 404}, note=str(status)))
    targets = ["http://169.254.169.254/", "http://127.0.0.1:22/", f"http://{world.seat('grace').address}/", "*", "x"]
    for target in targets:
        status = door.raw(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode())
        done.append(Tried(row, f"GET {target}", status == 400, note=str(status)))
    status = door.raw(f"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode())
    done.append(Tried(row, "CONNECT 127.0.0.1:22", status == 400, note=str(status)))
    two = f"GET /told HTTP/1.1\r\nHost: {host}\r\nHost: box\r\nCookie: {cookie}\r\n\r\n"
    done.append(Tried(row, "two Hosts", door.raw(two.encode()) == 400))
    return done
