"""`make bench-peers`: a class of ten seats by the ways people use today, over ours; the same seats on the same machine in one run.

    serial      a loop over all guests: clone, describe, start, pause of 5 s; then one run of Ansible after the other, one for each seat
    two at once two seats at a time, each cloned, started and configured by its own run of Ansible, without a pause

Both are in `byhand`, and end with the last run of Ansible. Ours is measured from the command to the last seat's proof, once with the golden
machines already baked, as they are for every class of a course but the first, and once with the bake. `ratio` is the quicker of their
ways over ours with golden machines; `ratio_with_bake` the same over ours with the bake in it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.bench import byhand
from tests.bench.house import House
from tests.bench.launch import BLUEPRINT

LEARNERS = 10
PAUSE = 5.0
"""What scripts wait after each clone, so that the storage's lock is free again."""


def _serial(made: byhand.Class) -> None:
    for plan in made.plans:
        for machine in plan.machines:
            made.clone(machine, plan)
            time.sleep(PAUSE)  # the very thing that is measured
    for plan in made.plans:
        made.configure(plan)


def _two_at_once(made: byhand.Class) -> None:
    def seat(number: int) -> None:
        for machine in made.plans[number].machines:
            made.clone(machine, made.plans[number])
        made.configure(made.plans[number])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(seat, range(len(made.plans))))


def _theirs(house: House, learners: int, way: Callable[[byhand.Class], None]) -> float:
    made = byhand.Class(house, BLUEPRINT, learners)
    with made.prepared():
        begun = time.monotonic()
        way(made)
        return time.monotonic() - begun


def _ours(house: House, slug: str, learners: int) -> float:
    begun = time.monotonic()
    house.open(slug, BLUEPRINT, learners)
    house.wait(f"{learners} seats ready", lambda: all(seat["status"] == "ready" for seat in house.seats(slug)), 1800)
    took = time.monotonic() - begun
    house.run("class", "close", slug)
    house.wait("the class is gone", lambda: slug not in {env["classroom"] for env in house.api("/environments")}, 300)
    return took


def main() -> None:
    """Print a line for each way and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", type=int, default=LEARNERS)
    learners = parser.parse_args().learners
    with House("peers") as house:
        engine = house.json("engine", "show")["engine"].split()[0]
        figures = {"with_bake": _ours(house, "first", learners)}
        figures["seconds"] = _ours(house, "second", learners)
        figures["two_at_once"] = _theirs(house, learners, _two_at_once)
        figures["serial"] = _theirs(house, learners, _serial)
    print(f"ours, golden machines there: {figures['seconds']:7.1f} s ({figures['with_bake']:.1f} s with the bake)")
    print(f"serial, {PAUSE:.0f} s pauses:         {figures['serial']:7.1f} s")
    print(f"two at once:                 {figures['two_at_once']:7.1f} s")
    theirs = min(figures["serial"], figures["two_at_once"])
    ratios = {"ratio": theirs / figures["seconds"], "ratio_with_bake": theirs / figures["with_bake"]}
    ratios["ratio_serial"] = figures["serial"] / figures["seconds"]
    rounded = {name: round(value, 2) for name, value in (ratios | figures).items()}
    print(json.dumps(rounded | {"learners": learners, "engine": engine}))


if __name__ == "__main__":
    main()
