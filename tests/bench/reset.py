"""`make bench-reset`: resetting one seat until it is proven again, over a bare rollback, boot and login of the same guests.

One learner of the two-machine course. In turns, so that both meet the same machine: a reset as the board asks for it (one POST to
the API, until the seat says ready again), and the bare way on the very same guests with nothing of labctl around them (both machines
at once: rollback to the same snapshot with `start=1`, then `ssh ... true` with plain OpenSSH). The ratio is that of the medians. Both
begin from running guests. A reset also keeps what was there (for `undo`) and runs the course's checks; the bare way does neither.
Where the time went comes from the journal. The last line is JSON: ratio, seconds, floor_seconds, rounds, engine, parts.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from labctl.drivers import shelf
from tests.bench import bare
from tests.bench.house import House
from tests.bench.launch import BLUEPRINT, _parts

CLASS = "resets"


def _reset(house: House) -> tuple[float, dict[str, float]]:
    """Seconds until it says ready again, and those of each step."""
    before = len(house.journal(CLASS))
    begun = time.monotonic()
    house.post(f"/classrooms/{CLASS}/seats/1/reset")
    house.wait("the seat is ready again", lambda: house.seats(CLASS)[0]["status"] == "ready", 300, pause=0.05)
    took = time.monotonic() - begun
    return took, {step: span for step, (_, span) in _parts(house.journal(CLASS)[before:]).items()}


def _bare(api: bare.Api, machines: list[dict[str, Any]], key: Path, known_hosts: Path) -> float:
    def one(machine: dict[str, Any]) -> None:
        base = f"/nodes/{machine['node']}/{'qemu' if machine['kind'] == 'vm' else 'lxc'}/{machine['vmid']}"
        api.finish(api.call("POST", f"{base}/snapshot/ready/rollback", start=1))
        bare.login(machine["address"], key, known_hosts)

    begun = time.monotonic()
    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(one, machines))
    return time.monotonic() - begun


def main() -> None:
    """Print a line a round and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    ours: list[float] = []
    theirs: list[float] = []
    parts: dict[str, list[float]] = defaultdict(list)
    with House("reset") as house:
        engine = house.json("engine", "show")["engine"].split()[0]
        house.open(CLASS, BLUEPRINT, 1)
        house.wait("the seat is ready", lambda: house.seats(CLASS)[0]["status"] == "ready", 900)
        machines = house.seats(CLASS)[0]["machines"]
        known_hosts = house.home / "bench-known-hosts"
        bare.know([machine["address"] for machine in machines], known_hosts)
        floor = functools.partial(
            _bare, bare.Api(shelf.read_site(house.home / "site.yaml")), machines, house.home / "secrets" / "deploy_key", known_hosts
        )
        for number in range(1, chosen.rounds + 1):
            took, steps = _reset(house)
            theirs.append(floor())
            ours.append(took)
            for step, seconds in steps.items():
                parts[step].append(seconds)
            print(f"round {number}: {took:5.2f} s, bare {theirs[-1]:5.2f} s", flush=True)
        house.run("class", "close", CLASS)
    seconds, below = statistics.median(ours), statistics.median(theirs)
    medians = {step: round(statistics.median(spans), 2) for step, spans in parts.items()}
    print(f"median of {chosen.rounds}: {seconds:.2f} s over {below:.2f} s; steps: {medians}")
    figures = {"ratio": round(seconds / below, 3), "seconds": round(seconds, 2), "floor_seconds": round(below, 2)}
    print(json.dumps(figures | {"rounds": chosen.rounds, "engine": engine, "parts": medians}))


if __name__ == "__main__":
    main()
