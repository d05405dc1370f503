"""`make bench-launch`: seconds from *open* to *all seats proven*, for 1, 5 and 10 learners of the two-machine course, over the
floor.

The course's golden machines are baked before (`labctl blueprint bake`), as they are for every class of a course but the first;
what that takes is told apart. The floor is the very same guests cloned, started and reached by SSH in the same run with nothing
around them (`tests.bench.floor`). Where the time went comes from the journal: for each step the sum over seats, and the span from
its first begin to its last end. Then the same course for 30 learners over 1 learner, each with its bake: how much dearer
configuring (bake, then each seat's personal part) is for thirty. The last line is JSON: ratio, seconds, floor_seconds (10
learners), configure_ratio, engine, and each size.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from datetime import datetime
from typing import Any

from tests.bench import floor
from tests.bench.house import House

BLUEPRINT = "web-attack-basics"
SIZES = (1, 5, 10)
CONFIGURED = "linux-first-steps"
"""One machine for each learner, so that thirty fit a laptop."""
MANY = 30


def _bake(house: House, blueprint: str) -> tuple[float, float]:
    """Seconds until golden machines are ready, and how many of them configuring took."""
    begun = time.monotonic()
    house.run("blueprint", "bake", blueprint, "--wait")
    took = time.monotonic() - begun
    (golden,) = [one for one in house.api("/goldens") if one["blueprint"] == blueprint]
    return took, _parts(house.journal(golden["name"]))["configure"][0]


def _configure_ratio(house: House) -> dict[str, float]:
    """Everything that configures: the bake once, and the span of all seats' own configuring; for MANY over for one."""
    _, baked = _bake(house, CONFIGURED)
    spans = {learners: _launch(house, learners, CONFIGURED)[1]["configure"][1] for learners in (1, MANY)}
    ratio = (baked + spans[MANY]) / (baked + spans[1])
    print(f"configuring: bake {baked:.1f} s, 1 learner {spans[1]:.1f} s, {MANY} learners {spans[MANY]:.1f} s, ratio {ratio:.2f}")
    return {"configure_ratio": round(ratio, 3), "bake": round(baked, 2), "one": round(spans[1], 2), "many": round(spans[MANY], 2)}


def _launch(house: House, learners: int, blueprint: str = BLUEPRINT) -> tuple[float, dict[str, tuple[float, float]]]:
    slug = f"{blueprint}-{learners}"
    begun = time.monotonic()
    house.open(slug, blueprint, learners)
    house.wait(f"{learners} seats ready", lambda: all(seat["status"] == "ready" for seat in house.seats(slug)), 1800)
    took = time.monotonic() - begun
    parts = _parts(house.journal(slug))
    house.run("class", "close", slug)
    return took, parts


def _parts(journal: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Step -> (sum over seats, span over the class), from the lines a runner writes when a step begins and when it settled."""
    begun: dict[tuple[str, str], datetime] = {}
    spans: dict[str, list[datetime]] = defaultdict(list)
    sums: dict[str, float] = defaultdict(float)
    for line in journal:
        at, key = datetime.fromisoformat(line["at"]), (line["environment"], line["step"])
        if line["text"].startswith("begins"):
            begun[key] = at
            spans[line["step"]].append(at)
        elif key in begun and line["text"].startswith(("done after", "failed:")):
            sums[line["step"]] += (at - begun.pop(key)).total_seconds()
            spans[line["step"]].append(at)
    return {step: (sums[step], (max(times) - min(times)).total_seconds()) for step, times in spans.items()}


def main() -> None:
    """Print the table and the JSON line."""
    figures: dict[str, Any] = {}
    with House("bench") as house:
        engine = house.json("engine", "show")["engine"].split()[0]
        baked, _ = _bake(house, BLUEPRINT)
        print(f"golden machines of {BLUEPRINT}: {baked:.1f} s, once")
        for learners in SIZES:
            seconds, parts = _launch(house, learners)
            bare = floor.of(house, BLUEPRINT, learners)
            print(f"{learners:3d} learners: {seconds:7.1f} s, floor {bare:6.1f} s, ratio {seconds / bare:.2f}")
            for step, (total, span) in sorted(parts.items(), key=lambda item: -item[1][1]):
                print(f"      {step:<10} {span:7.1f} s from first begin to last end, {total:7.1f} s summed over seats")
            figures[str(learners)] = {
                "seconds": round(seconds, 2),
                "floor_seconds": round(bare, 2),
                "ratio": round(seconds / bare, 3),
                "parts": {step: {"span": round(span, 2), "sum": round(total, 2)} for step, (total, span) in parts.items()},
            }
        configured = _configure_ratio(house)
    most = figures[str(SIZES[-1])]
    whole = {name: most[name] for name in ("ratio", "seconds", "floor_seconds")}
    print(json.dumps(whole | configured | {"bake_seconds": round(baked, 2), "engine": engine, "sizes": figures}))


if __name__ == "__main__":
    main()
