"""`make refusals`, or `python -m tests.attacks [GROUP...]`: a house is started, every row of the table of threats is tried on it, and
each attack is printed: refused or OPEN, what was seen, and whether it succeeds without its wall where the table names such a control.

The last line is JSON: tried, refused, controls (those that succeeded without the wall, as they must). Exit status 0 says that
all could be measured, whatever was open; 1 that something could not.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence

from tests.attacks import Tried, apps, browser, codes, desktop, door, door_load, guest, network, pages, papers, rows, terminal
from tests.attacks.world import World, made

Attacks = Callable[[World], Sequence[Tried]]

GROUPS: dict[str, tuple[Attacks, ...]] = {
    "guest": (guest.kernel, guest.sshd, guest.client),
    "door": (door.elsewhere, papers.identity, codes.codes, door_load.channels, door_load.half_open),
    "terminal": (terminal.tickets, terminal.watchers, terminal.flood),
    "apps": (apps.steal, apps.shared, apps.ssrf),
    "desktop": (desktop.viewers, desktop.tickets),
    "pages": (pages.csrf, pages.frames, pages.ids, pages.script),
    "browser": (browser.watchers, browser.script),
    "relay": (codes.paths,),
    "network": (network.management,),
    "crowd": (terminal.many,),
    "lease": (papers.after_the_lease,),
}
"""In this order: what may disturb others comes late, and the end of a class last."""


def _play(world: World, groups: Sequence[str]) -> tuple[list[Tried], list[str]]:
    """What was tried, and what could not be."""
    found: list[Tried] = []
    failed = []
    slow = None
    for name in groups:
        for attacks in GROUPS[name]:
            begun = time.monotonic()
            what = f"{attacks.__module__.rpartition('.')[2]}.{attacks.__name__}"
            try:
                found += attacks(world)
            except Exception:  # one that cannot be measured must not hide the others
                traceback.print_exc()
                failed.append(what)
            print(f"  {what}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        if name == "door":
            slow = door_load.Slow(world)
    if slow is not None:
        found += slow.ended()
    return found, failed


def _told(found: Sequence[Tried]) -> None:
    for row in rows.ROWS:
        mine = [one for one in found if one.row == row]
        if not mine:
            continue
        print(f"\n{row}: {sum(one.refused for one in mine)} of {len(mine)} refused")
        for one in mine:
            control = {None: "", True: "  [control: succeeds without the wall]", False: "  [CONTROL FAILED]"}[one.control]
            print(f"  {'refused' if one.refused else 'OPEN   '}  {one.attack}{control}{'  (' + one.note + ')' if one.note else ''}")


def summary(found: Sequence[Tried]) -> dict[str, int]:
    """The last line."""
    return {"tried": len(found), "refused": sum(one.refused for one in found), "controls": sum(one.control is True for one in found)}


def main(chosen: Sequence[str]) -> int:
    """See the module."""
    begun = time.monotonic()
    with made() as house:
        world = World(house)
        world.furnish()
        print(f"  the house stands: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        found, failed = _play(world, chosen or list(GROUPS))
    _told(found)
    lost = [one.attack for one in found if one.control is False]
    missing = [] if chosen else [row for row in rows.ROWS if row not in {one.row for one in found}]
    for what, which in (("could not be measured", failed), ("no control", lost), ("nothing was tried", missing)):
        if which:
            print(f"\n{what}: {', '.join(which)}")
    print(f"\n{time.monotonic() - begun:.0f} s")
    print(json.dumps(summary(found)))
    return 1 if failed or lost or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
