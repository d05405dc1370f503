"""At a desktop in the browser, by WebSocket with other people's sessions: tickets, and what somebody who only watches sends."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.attacks import Tried, rows
from tests.attacks.terminal import handshake
from tests.attacks.world import World
from tests.desktop_here import Page

HEARD = "/var/lib/screen/heard"


@contextlib.contextmanager
def _page(world: World, ticket: str | None) -> Iterator[Page]:
    page = Page(world.url, ticket)
    try:
        yield page
    finally:
        page.close()


def _ticket(world: World, who: str, login: str, **wanted: Any) -> str:
    return world.ticket(who, login, kind="desktop", **wanted)


ACTS: dict[str, Callable[[Page], None]] = {
    "keys": lambda page: page.keys("x"),
    "keys by QEMU's numbers": lambda page: page.keys("x", qemu=True),
    "the pointer": lambda page: page.point(1, 1, 1),
    "the pointer with more buttons": lambda page: page.point(1, 1, 1, more=1),
    "cut text": lambda page: page.cut("owned"),
    "the extended clipboard": lambda page: page.cut("\1\0\0\1owned", extended=True),
    "another size": lambda page: page.resize(640, 480),
    "keys in pieces of one byte": lambda page: [page.socket.send(bytes([one])) for one in b"\4\1\0\0\0\0\0\x61"] and None,
    "keys behind a picture's request": lambda page: page.socket.send(b"\3\0\0\0\0\0\0\x08\0\x08" + b"\4\1\0\0\0\0\0\x61"),
}


def viewers(world: World) -> list[Tried]:
    """Row: view-only viewer sends keys, cut text, QEMU keys; the control is the learner, whose arrive."""
    address = world.seat("grace").address

    def heard() -> int:
        return len(world.root(address, f"cat {HEARD} 2>/dev/null; true").splitlines())

    done = []
    with _page(world, _ticket(world, "grace", "grace")) as owner, _page(world, _ticket(world, "trainer", "grace", mode="join")) as joiner:
        for page in (owner.greet(), joiner.greet()):
            world.must(len(page.picture()) > 0, "the desktop shows no picture")
        for what, act in ACTS.items():
            # Each with a connection of its own, for one of them might end it. What is asked for afterwards came: so all before was read.
            with _page(world, _ticket(world, "trainer", "grace", mode="watch")) as watcher:
                watcher.greet()
                before = heard()
                watcher.socket.send('{"stop": true}')
                act(watcher)
                watcher.picture()
                act(joiner)
                joiner.picture()
                refused = heard() == before
            act(owner)
            owner.picture()
            done.append(Tried(rows.DESKTOP_VIEWERS, f"who watches, or is not allowed yet, sends {what}", refused, heard() > before))
        for what, message in (("asks to switch the machine off", b"\xfa\0\1\2"),):
            before = heard()
            owner.socket.send(message)
            owner.picture()
            done.append(Tried(rows.DESKTOP_VIEWERS, f"the learner {what}", heard() == before))
    for what, message in (
        ("a message that nobody knows", b"\x07"),
        ("QEMU's audio", b"\xff\1\0\0"),
        ("a clipboard of 2 GiB", b"\6\0\0\0\x7f\xff\xff\xff"),
    ):
        with _page(world, _ticket(world, "trainer", "grace")) as watcher:
            watcher.greet().socket.send(message)
            done.append(Tried(rows.DESKTOP_VIEWERS, f"who watches sends {what}", watcher.closed(10) == 1007))
    return done


def tickets(world: World) -> list[Tried]:
    """Row: reuse of ticket; learner asks for another vmid; nothing of Proxmox in any answer."""
    row = rows.DESKTOP_TICKETS
    done = []
    for origin in ("http://evil.example", "null", None):
        status = handshake(world, origin, "/ws/desktop")
        done.append(Tried(row, f"a desktop's WebSocket from origin {origin!r}", status == 403, note="" if status == 403 else str(status)))
    ticket = _ticket(world, "ada", "ada")
    with _page(world, ticket) as page:
        page.greet()
    shown = {
        "a ticket a second time": ticket,
        "an invented ticket": "x" * 43,
        "a terminal's ticket": world.ticket("ada", "ada"),
    }
    for what, text in shown.items():
        with _page(world, text) as page:
            code = page.closed(10)
        done.append(Tried(row, f"{what} at a desktop", code == 4401, note="" if code == 4401 else str(code)))
    with world.showing(_ticket(world, "ada", "ada")) as tab:
        done.append(Tried(row, "a desktop's ticket at a terminal", tab.closed(10) == 4401))
    asked: list[tuple[str, str, dict[str, Any], str]] = [
        ("mallory", "grace", {}, "grace's desktop"),
        ("mallory", "grace", {"mode": "watch"}, "watching grace's desktop"),
        ("mallory", "mallory", {"machine": "store"}, "a machine without a desktop"),
        ("mallory", "mallory", {"machine": "100"}, "a machine by its vmid"),
        ("mallory", "mallory", {"vmid": 100, "node": "sandbox", "port": 5900}, "another vmid, node and port beside the machine"),
        ("mallory", "mallory", {"kind": "console", "machine": "store"}, "the own screen of a machine that its learner may not enter"),
        ("mallory", "mallory", {"kind": "console", "mode": "join"}, "typing at a machine's own screen as those who help do"),
        ("mallory", "grace", {"kind": "console"}, "the own screen of grace's machine"),
        ("author", "grace", {}, "an author's desktop of a learner"),
        ("trainer", "grace", {"mode": "own"}, "a trainer's own desktop in a learner's seat"),
    ]
    for who, login, wanted, what in asked:
        status = world.ask_ticket(who, login, **{"kind": "desktop", **wanted}).status_code
        done.append(Tried(row, f"asking for {what}", status in (403, 404, 422), note="" if status >= 400 else str(status)))
    text = world.ask_ticket("mallory", "mallory", kind="desktop").text
    done.append(
        Tried(row, "looking for a port, host, vmid or Proxmox ticket in the answer", not re.search(r"PVE|vnc|vmid|port|590\d|node", text))
    )
    return done
