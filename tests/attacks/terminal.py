"""At a terminal in the browser, by HTTP and WebSocket with other people's sessions: tickets, watchers, and by numbers."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time

import psutil
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync import client as sockets

from tests.api.terminals.conftest import Tab
from tests.attacks import Tried, rows
from tests.attacks.world import World

PROMPT = rb"\$ "
FLOOD = 60 * 2**20
SOCKETS = 10_000
MEMORY = 256 * 2**20
"""Bytes that the API may grow by under any of this."""


def handshake(world: World, origin: str | None, path: str = "/ws/terminal") -> int:
    """The status of a WebSocket's beginning: 101 where the connection was made."""
    try:
        with sockets.connect(world.url.replace("http", "ws") + path, origin=origin, compression=None):  # type: ignore[arg-type]
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def tickets(world: World) -> list[Tried]:
    """Row: ticket reuse, invented, wrong or no Origin; a ticket for another seat."""
    row, port = rows.TERMINAL_TICKETS, world.url.rpartition(":")[2]
    world.must(handshake(world, world.url) == 101, "a page of labctl's own gets no WebSocket")
    done = []
    origins = (
        "http://evil.example",
        "null",
        None,
        "http://127.0.0.1",
        f"https://127.0.0.1:{port}",
        f"http://127.0.0.1:{port}.evil.example",
    )
    origins += (f"http://127.0.0.1:{port}@evil.example", f"http://evil.example/{world.url}", "file://", f"http://localhost:{port}", "")
    for origin in origins:
        status = handshake(world, origin)
        done.append(Tried(row, f"a WebSocket from origin {origin!r}", status == 403, note="" if status == 403 else str(status)))
    ticket = world.ticket("ada", "ada")
    with world.showing(ticket) as tab:
        tab.until(PROMPT)
    shown = {"a ticket a second time": ticket, "an invented ticket": "x" * 43, "an empty ticket": "", "a session's cookie as a ticket": ""}
    shown["a session's cookie as a ticket"] = next(iter(world.session("ada").cookies)).value or ""
    for what, text in shown.items():
        with world.showing(text) as tab:
            code = tab.closed(10)
        done.append(Tried(row, what, code == 4401, note="" if code == 4401 else str(code)))
    with world.showing(None) as tab:
        code = tab.closed(10)
    done.append(Tried(row, "a connection that shows nothing", code == 4401))
    address = f"/ws/terminal?ticket={world.ticket('ada', 'ada')}"
    with sockets.connect(world.url.replace("http", "ws") + address, origin=world.url, compression=None) as socket:  # type: ignore[arg-type]
        done.append(Tried(row, "a ticket in the address", _silent(socket)))
    return [*done, *_asked(world)]


def _silent(socket: sockets.ClientConnection) -> bool:
    """Whether it is closed without a word."""
    try:
        socket.recv(timeout=10)
    except ConnectionClosed as closed:
        return closed.rcvd is not None and closed.rcvd.code == 4401
    except TimeoutError:
        return False
    return False


def _asked(world: World) -> list[Tried]:
    """Tickets that somebody has no right to."""
    tried = [
        ("mallory", "grace", {}, "grace's terminal"),
        ("mallory", "grace", {"mode": "watch"}, "watching grace"),
        ("mallory", "grace", {"mode": "join"}, "joining grace"),
        ("mallory", "bert", {}, "a terminal in another class"),
        ("mallory", "mallory", {"mode": "watch"}, "watching oneself as staff does"),
        ("mallory", "mallory", {"machine": "store"}, "a machine without access"),
        ("mallory", "mallory", {"machine": "../box"}, "a machine by a path"),
        ("mallory", "mallory", {"machine": "box", "environment": "x", "user": "root"}, "a ticket as root"),
        ("author", "grace", {}, "an author's terminal of a learner"),
        ("trainer", "grace", {"mode": "own"}, "a trainer's own terminal in a learner's seat"),
    ]
    done = []
    for who, login, wanted, what in tried:
        status = world.ask_ticket(who, login, **wanted).status_code
        done.append(
            Tried(rows.TERMINAL_TICKETS, f"asking for {what}", status in (403, 404, 422), note="" if status >= 400 else str(status))
        )
    with contextlib.closing(world.stranger()) as nobody:
        seat = world.seat("grace")
        answer = nobody.post(f"{world.url}/api/v1/classrooms/{seat.slug}/seats/{seat.number}/tickets", json={"machine": "box"}, timeout=30)
    return [*done, Tried(rows.TERMINAL_TICKETS, "asking without a session", answer.status_code == 401)]


def watchers(world: World) -> list[Tried]:
    """Row: watcher types, resizes; what a guest prints reaches for whoever watches."""
    # Not on grace's seat: her yes to typing along holds for her desktop too, which is attacked later.
    row = rows.TERMINAL_WATCHERS
    done = []
    with world.tab("ada", "ada") as learner:
        learner.until(PROMPT)
        with world.tab("trainer", "ada", mode="watch") as watcher, world.tab("trainer", "ada", mode="join") as joiner:
            watcher.until(PROMPT)
            joiner.until(PROMPT)
            for what, tab in (("a watcher types", watcher), ("who joins types before the learner allowed it", joiner)):
                tab.type("echo typed-$((40+2))\r")
                learner.quiet(1)
                done.append(Tried(row, what, b"typed" not in learner.seen))
            watcher.say(size=[33, 11])
            world.allow("trainer", "ada")
            for tab in (watcher, joiner):
                tab.say(allow=True)
                tab.say(stop=True)
            joiner.type("echo typed-$((40+3))\r")
            learner.quiet(1)
            done.append(Tried(row, "a joiner allows themselves to type", b"typed" not in learner.seen))
            learner.type("stty size\r")
            learner.until(rb"24 80")
            done.append(Tried(row, "a watcher changes the size", refused=True))
            # The control: the learner allows it, and then it is typed.
            joiner.told = []
            world.must(world.allow("ada", "ada") == 303, "the learner cannot allow it")
            joiner.until_told("with")
            joiner.type("echo typed-$((40+4))\r")
            learner.until(rb"typed-44")
            watcher.quiet(0.5)
            learner.type("printf '\\033]52;c;b3duZWQ=\\007'\r")
            watcher.quiet(1)
            done.append(Tried(row, "a program writes the clipboard (OSC 52) past tmux", b"\x1b]52" not in watcher.seen))
    return done


def flood(world: World) -> list[Tried]:
    """Row: flood, no ack, huge frames."""
    row, api = rows.TERMINAL_LOAD, world.process("api")
    before = api.memory_info().rss
    done = []
    with world.tab("mallory", "mallory", acks=False) as tab:
        tab.until(PROMPT)
        tab.say(ack=len(tab.seen))
        tab.seen = b""
        tab.type(f"head -c {FLOOD} /dev/zero | tr '\\0' x\r")
        tab.quiet(2)
        taken, grown = len(tab.seen), api.memory_info().rss - before
        with world.tab("grace", "grace") as other:
            begun = time.monotonic()
            other.until(PROMPT)
            took = time.monotonic() - begun
        small = taken < 2 * 2**20 and grown < 64 * 2**20
        note = f"{taken / 1024:.0f} KiB of {FLOOD / 2**20:.0f} MiB sent, API +{grown / 2**20:.0f} MiB, others wait {took:.2f} s"
        done.append(Tried(row, "a flood into a page that acknowledges nothing", small, note=note))
    for what, data in (("a frame of 1 MiB", b"x" * 2**20), ("a text frame of 70 kB", '{"size":[80,24]}' + " " * 70_000)):
        with world.tab("mallory", "mallory") as tab:
            tab.quiet(1)
            tab.socket.send(data)
            code = tab.closed(10)
        done.append(Tried(row, what, code == 1009, note=str(code)))
    with world.tab("mallory", "mallory") as tab:
        tab.quiet(1)
        tab.say(ack=-(10**9))
        tab.say(size=[10**9, -5])
        clamped = _typed_until(tab, "stty size\r", rb"\b2 500")
        done.append(Tried(row, "a screen of a thousand million columns", clamped, note="2 x 500" if clamped else ""))
    return [*done, _frames(world)]


def _typed_until(tab: Tab, text: str, answer: bytes) -> bool:
    """Again and again: the new size takes its way through tmux."""
    for _ in range(10):
        tab.type(text)
        tab.quiet(0.3)
        if re.search(answer, tab._plain()):
            return True
    return False


def _frames(world: World) -> Tried:
    """A thousand small frames that mean nothing do no harm to others; what is not understood ends."""
    with world.tab("mallory", "mallory") as tab:
        tab.quiet(0.5)
        tab.socket.send("[" * 60_000)
        code = tab.closed(10)
    return Tried(rows.TERMINAL_LOAD, "a frame of 60,000 brackets", code == 1007, note=str(code))


def _works(world: World) -> bool:
    """A page that is refused asks for another ticket and tries again."""
    for wait in (0.3, 0.6, 1.2, 2.4, 4.8, 4.8):
        try:
            with world.tab("grace", "grace") as tab:
                tab.until(PROMPT, 20)
        except (AssertionError, OSError, InvalidStatus, InvalidMessage, ConnectionClosed, TimeoutError):
            time.sleep(wait)
        else:
            return True
    return False


FILES = 4096
"""Open files that the API may have meanwhile: fewer than come."""


def _crowded(world: World, lacking: str) -> Tried:
    """Ten thousand who lack a ticket, or the end of a request, from a process of their own, and a learner who comes meanwhile."""
    api = world.process("api")
    before, limits = api.memory_info().rss, api.rlimit(psutil.RLIMIT_NOFILE)
    api.rlimit(psutil.RLIMIT_NOFILE, (min(FILES, limits[1]), limits[1]))
    words = [sys.executable, "-m", "tests.attacks.crowd", world.url, str(SOCKETS), lacking]
    crowd = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert crowd.stdout is not None
    try:
        world.must(crowd.stdout.readline() == "there\n", "the crowd does not come")
        begun = time.monotonic()
        works = _works(world)
        took = time.monotonic() - begun
        said = crowd.stdout.readline().strip()
        late = time.monotonic()
        works = works and _works(world)
        after = time.monotonic() - late
    finally:
        crowd.kill()
        crowd.wait(20)
        api.rlimit(psutil.RLIMIT_NOFILE, limits)
    grown = api.memory_info().rss - before
    note = (
        f"{said}; grace's terminal {'opens' if works else 'does NOT open'} after {took:.1f} s, then {after:.1f} s, +{grown / 2**20:.0f} MiB"
    )
    return Tried(rows.TERMINAL_LOAD, f"{SOCKETS} sockets that lack {lacking} keep others out", works and grown < MEMORY, note=note)


def many(world: World) -> list[Tried]:
    """Row: 10,000 sockets; sockets of one seat."""
    done = [_crowded(world, "requests"), _crowded(world, "tickets")]
    with contextlib.ExitStack() as stack:
        tabs = [stack.enter_context(world.tab("mallory", "mallory")) for _ in range(40)]
        codes = [tab.code for tab in tabs if not tab.take(10) or tab.closed(0.1)]
    crowded = sum(code == 4429 for code in codes)
    return [*done, Tried(rows.TERMINAL_LOAD, "40 terminals of one seat", crowded >= 16, note=f"{crowded} refused")]
