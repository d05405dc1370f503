"""`make bench-launch`: seconds from *open* to *all seats proven*, for 1, 5 and 10 learners of the two-machine course, over the
floor.

The course's golden machines are baked before (`labctl blueprint bake`), as they are for every class of a course but the first;
what that takes is told apart. The floor is the very same guests cloned, started and reached by SSH in the same run with nothing
around them (`tests.bench.floor`). Where the time went comes from the journal (for each step the sum over seats, and the span from
its first begin to its last end) and from the kernel (CPU seconds by part, `tests.bench.costs`, of the launch and of its floor:
where both saturate the machine, their ratio is what the ratio of times comes to, also beside other work).

Then the same course for 30 learners over 1 learner, each with its bake: how much dearer configuring is for thirty. Seats go through
all their steps one after another, so there is no time in which a class is only configured: what is counted is the share of the whole
span that the seats' own configuring has in all their steps, from the moment at which SSH answers.

Where the real CLI is (`LABCTL_PULUMI`, PATH), ten learners are launched once more by the engine that was not measured already. The
last line is JSON: ratio, seconds, floor_seconds, cpu_ratio (10 learners), configure_ratio, engine, engines (ratio by engine), sizes.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.engines import choice
from tests.bench import costs, floor
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
    """Everything that configures: the bake once, and each seat's own; for MANY over for one."""
    _, baked = _bake(house, CONFIGURED)
    shares = {learners: _share(_launch(house, learners, CONFIGURED).journal) for learners in (1, MANY)}
    ratio = (baked + shares[MANY]) / (baked + shares[1])
    print(f"configuring: bake {baked:.1f} s, 1 learner {shares[1]:.1f} s, {MANY} learners {shares[MANY]:.1f} s, ratio {ratio:.2f}")
    return {"configure_ratio": round(ratio, 3), "bake": round(baked, 2), "one": round(shares[1], 2), "many": round(shares[MANY], 2)}


@dataclass(frozen=True)
class _Launched:
    seconds: float
    cpu: dict[str, float]
    journal: list[dict[str, Any]]


def _launch(house: House, learners: int, blueprint: str = BLUEPRINT) -> _Launched:
    slug = f"{blueprint}-{learners}"
    counted = costs.Costs(house)
    begun = time.monotonic()
    house.open(slug, blueprint, learners)
    house.wait(f"{learners} seats ready", lambda: all(seat["status"] == "ready" for seat in house.seats(slug)), 1800)
    took = time.monotonic() - begun
    launched = _Launched(took, counted.so_far(), house.journal(slug))
    house.run("class", "close", slug)
    return launched


def _share(journal: list[dict[str, Any]]) -> float:
    """Seconds of a launch that went into configuring: its span, divided as the steps' own seconds are. Waiting for SSH is a boot's."""
    parts = _parts(journal)
    waits: dict[str, float] = defaultdict(float)
    for line in journal:
        if line["step"] == "configure" and (found := re.search(r"SSH answers after ([0-9.]+) s", line["text"])):
            waits[line["environment"]] = max(waits[line["environment"]], float(found[1]))
    steps = [line for line in journal if line["step"] in parts]
    span = (datetime.fromisoformat(steps[-1]["at"]) - datetime.fromisoformat(steps[0]["at"])).total_seconds()
    return span * (parts["configure"][0] - sum(waits.values())) / sum(total for total, _ in parts.values())


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


def _size(house: House, learners: int) -> dict[str, Any]:
    """One launch and its floor, told and as figures."""
    launched = _launch(house, learners)
    counted = costs.Costs(house)
    under: dict[str, float] = {}
    bare = floor.of(house, BLUEPRINT, learners, lambda: under.update(counted.so_far()))
    ratio = launched.seconds / bare
    burnt, least = sum(launched.cpu.values()), sum(under.values())
    print(f"{learners:3d} learners: {launched.seconds:7.1f} s, floor {bare:6.1f} s, ratio {ratio:.2f}")
    print(f"      CPU        {burnt:7.1f} s, floor {least:6.1f} s, ratio {burnt / least:.2f}")
    print(f"                 {_told(launched.cpu)}; floor: {_told(under)}")
    parts = _parts(launched.journal)
    for step, (total, span) in sorted(parts.items(), key=lambda item: -item[1][1]):
        print(f"      {step:<10} {span:7.1f} s from first begin to last end, {total:7.1f} s summed over seats")
    return {
        "seconds": round(launched.seconds, 2),
        "floor_seconds": round(bare, 2),
        "ratio": round(ratio, 3),
        "cpu_ratio": round(burnt / least, 3),
        "cpu": launched.cpu,
        "floor_cpu": under,
        "parts": {step: {"span": round(span, 2), "sum": round(total, 2)} for step, (total, span) in parts.items()},
    }


def _told(cpu: dict[str, float]) -> str:
    return ", ".join(f"{part} {seconds:.1f}" for part, seconds in sorted(cpu.items(), key=lambda item: -item[1]) if seconds >= 0.05)


def _other_engine(measured: str) -> dict[str, float]:
    """Ten learners by the engine that was not measured already, in a house of its own; nothing where there is no CLI."""
    found = choice.find()
    if found is None or not found.supported:
        return {}
    other = "embedded" if measured == "pulumi" else "pulumi"
    with House("bench", LABCTL_ENGINE=other) as house:
        _bake(house, BLUEPRINT)
        _launch(house, 1)
        print(f"by the engine {other}:")
        return {other: _size(house, SIZES[-1])["ratio"]}


def main() -> None:
    """Print the table and the JSON line."""
    with House("bench") as house:
        engine = house.json("engine", "show")["engine"].split()[0]
        baked, _ = _bake(house, BLUEPRINT)
        print(f"engine {engine}; golden machines of {BLUEPRINT}: {baked:.1f} s, once")
        figures = {str(learners): _size(house, learners) for learners in SIZES}
        configured = _configure_ratio(house)
    most = figures[str(SIZES[-1])]
    engines = {engine: most["ratio"]} | ({} if os.environ.get("LABCTL_ENGINE") else _other_engine(engine))
    whole = {name: most[name] for name in ("ratio", "seconds", "floor_seconds", "cpu_ratio")}
    print(json.dumps(whole | configured | {"bake_seconds": round(baked, 2), "engine": engine, "engines": engines, "sizes": figures}))


if __name__ == "__main__":
    main()
