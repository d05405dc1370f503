"""`make crumbs`: rounds of a class to which things happen (`rounds`), each followed by a search for anything left (`traces`).

Every part of labctl is killed -9 at random moments, Ansible and the engine in the middle of their work too; the node gets random
fault files; people press buttons meanwhile. Golden machines outlive classes by design: they are removed after some rounds, so that the
next one bakes under the same fire, and kept after others, so that the next one begins at the clones. What is left is looked for against
the empty house when there are no golden machines, and against the end of the round before when the very same ones stand. A trace counts
when it is still there after 15 s. Every choice comes from the seed. With `--paper NODES` guests have no substance and a ready seat's
must merely run: many more rounds for the control plane, with seats on several nodes. SIGTERM: no round after this one.

The last line is JSON: rounds, leftovers, false_ready, seats_lost (a seat that neither became ready nor said why nor was removed, or that
said why and could not be made ready in the calm), kills, faults.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import requests

from tests.bench import traces
from tests.bench.house import House
from tests.bench.rounds import RESTS, Found, Round

SPEED = 10
"""How many times faster than ours the clock of a paper cluster runs."""
LINGERS = 15.0
"""Seconds that the kernel and ending processes may take to let go."""


def main() -> None:
    """Print a line a round and the JSON line; 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="repeat a run's choices")
    parser.add_argument("--keep", type=Path, help="copy the house's logs and rows here after each round that found something")
    parser.add_argument("--paper", type=int, default=0, metavar="NODES", help="on a paper cluster of so many nodes")
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    found, left, done = Found(), [], 0
    enough: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: enough.append(number))
    paper = {"LABCTL_PAPER_NODES": str(chosen.paper), "LABCTL_PAPER_SPEED": str(SPEED)} if chosen.paper else {}
    with House("crumbs", **paper) as house:
        search = _Search(house)
        try:
            for number in itertools.takewhile(lambda _: not enough, range(1, chosen.rounds + 1)):
                seen = _count(found)
                one = Round(house, number, random.Random(f"{seed}/{number}"), found)
                try:
                    one.run()
                finally:
                    print(one.line(), flush=True)
                crumbs = search.after(number, remove_goldens=one.chance.random() < 0.3)
                left += crumbs
                done = number
                for line in [*crumbs, *(*found.false_ready, *found.lost)[seen:]]:
                    print(f"    FOUND {line}", flush=True)
                if chosen.keep and (crumbs or _count(found) > seen):
                    _keep(house, chosen.keep / f"{seed}-{number}")
            left += search.at_the_end(done)
        except BaseException:
            traceback.print_exc()
            if chosen.keep:
                _keep(house, chosen.keep / f"{seed}-broke")
    for line in [*left, *found.false_ready, *found.lost]:
        print(line)
    figures = {"rounds": done, "leftovers": len(left), "false_ready": len(found.false_ready), "seats_lost": len(found.lost)}
    print(json.dumps(figures | {"kills": found.kills, "faults": found.struck, "paper_nodes": chosen.paper, "seed": seed}))
    sys.exit(0 if done == chosen.rounds and not (left or found.false_ready or found.lost) else 1)


def _count(found: Found) -> int:
    return len(found.false_ready) + len(found.lost)


class _Search:
    """What was there before, with and without golden machines."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._clean = self._now = traces.of(house)
        self._golden: frozenset[str] = frozenset()

    def after(self, number: int, *, remove_goldens: bool) -> list[str]:
        """Crumbs of a round, each counted once."""
        if remove_goldens:
            self._remove_goldens()
        golden = frozenset(f"{one['name']} {one['status']}" for one in self._house.api("/goldens"))
        settled = all(one.endswith(" ready") for one in golden)
        before = self._clean if not golden else self._now if golden == self._golden and settled else None
        crumbs = sorted(self._left(before)) if before is not None else []
        self._clean |= set(crumbs)
        self._golden, self._now = golden if settled else frozenset({"unsettled"}), traces.of(self._house)
        return [f"round {number}: {crumb}" for crumb in crumbs]

    def at_the_end(self, number: int) -> list[str]:
        """After the last round, without golden machines."""
        return self.after(number, remove_goldens=True)

    def _left(self, before: set[str]) -> set[str]:
        end = time.monotonic() + LINGERS
        while (left := traces.of(self._house) - before) and time.monotonic() < end:
            time.sleep(0.5)
        return left

    def _remove_goldens(self) -> None:
        """Those that a bake had begun, too: it may still be running, and is over only when nothing of it is left."""
        for golden in self._house.api("/goldens"):
            # Refused only where somebody stands on it, or where it went meanwhile: either way the look says what is left.
            with contextlib.suppress(requests.HTTPError):
                self._house.delete(f"/goldens/{golden['name']}")
        with contextlib.suppress(TimeoutError):
            self._house.wait("golden machines are gone", lambda: not self._house.api("/goldens"), RESTS)


def _keep(house: House, folder: Path) -> None:
    """What tells how it came to be, without secrets: logs, and the rows of all environments."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(house.home / "log", folder / "log", dirs_exist_ok=True)
    shutil.copy(house.home / "labctl.sqlite3", folder)
    for name in ("-wal", "-shm"):
        if (path := house.home / f"labctl.sqlite3{name}").exists():
            shutil.copy(path, folder)


if __name__ == "__main__":
    main()
