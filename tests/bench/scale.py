"""`make bench-scale`: a thousand seats of three machines on a paper cluster of sixteen nodes, and a hundred of them before.

The control plane is the real one: API, queue, workers, database, engine, every call to the cluster. Guests are paper, so what SSH and
Ansible would cost labctl is not in it; what time they would take is (`labctl.drivers.paper`). Two ratios come out. The makespan, in the
cluster's seconds from opening to the last proof, over what list scheduling makes of the very same modelled times and limits
(`tests.bench.listing`). And the CPU seconds of labctl's own processes for one environment among a thousand, over one among a hundred.

SPEED is how much faster than ours the cluster's clock runs. All guests' disks are clones under one shared storage's lock, half a second
each, so a thousand seats take the cluster half an hour whatever labctl does. At 5 that is six minutes of ours, in which labctl and the node
need about as much CPU as two cores have to spare. Our own delays count that many times: of containers one clone of a template goes at
once, and each waits until we have seen the end of the one before. On a machine busy with other work, a slower clock tells more.
The course is the catalogue's of two machines, with a colleague's desk as the third. The last line is JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

from labctl.drivers import paper, shelf
from labctl.sandbox.paper import description
from tests.bench import house as house_
from tests.bench import listing

BLUEPRINT = "web-attack-basics"
NODES = int(os.environ.get("NODES", "16"))
SPEED = float(os.environ.get("SPEED", "5"))
SIZES = tuple(int(word) for word in os.environ.get("SIZES", "100,1000").split(","))
LARGEST_CLASS = 500
"""As many learners as one roster may have."""
PARTS = ("worker", "beat", "api", "broker")
"""labctl's own processes; the node is the cluster."""
LOOK_EVERY = 4.0


def main() -> None:
    """Print the table and the JSON line."""
    # Told to end, it takes its house away as it does at every end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    house = house_.House("scale")
    house.environment |= {"LABCTL_PAPER_NODES": str(NODES), "LABCTL_PAPER_SPEED": f"{SPEED:g}"}
    house.environment["LABCTL_BLUEPRINTS"] = json.dumps([str(_course(house.home / "blueprints"))])
    with house:
        house.run("blueprint", "bake", BLUEPRINT, "--wait")
        found = {size: _open(house, size) for size in SIZES}
        sizes = _records(house)
    small, large = found[SIZES[0]], found[SIZES[-1]]
    whole = {
        "makespan_ratio": large["makespan_ratio"],
        "cpu_ratio": round(large["cpu_per_environment"] / small["cpu_per_environment"], 3),
        "peak_memory_mib": large["peak_memory_mib"],
        **sizes,
        "speed": SPEED,
        "nodes": NODES,
    }
    print(json.dumps(whole | {"sizes": {str(size): one for size, one in found.items()}}))


def _course(folder: Path) -> Path:
    """The catalogue's course with a third machine on its network; the folder of blueprints."""
    made = folder / BLUEPRINT
    shutil.copytree(house_.REPOSITORY / "blueprints" / BLUEPRINT, made)
    shutil.copytree(house_.REPOSITORY / "playbooks", folder.parent / "playbooks")
    file = made / "blueprint.yaml"
    course = yaml.safe_load(file.read_text())
    course["machines"]["desk"] = {"image": "debian-12", "kind": "container", "memory": "256M", "nics": {"lan": "10.10.10.30"}}
    file.write_text(yaml.safe_dump(course, sort_keys=False, allow_unicode=True))
    return folder


def _open(house: house_.House, size: int) -> dict[str, Any]:
    """One campus of that many seats, in classes as large as they may be; it stays."""
    slugs = [f"s{size}-{number}" for number in range(1, -(-size // LARGEST_CLASS) + 1)]
    before, busy, begun = _cpu(house), _busy(), time.monotonic()
    with _watched(house) as peak:
        for number, slug in enumerate(slugs):
            house.open(slug, BLUEPRINT, min(LARGEST_CLASS, size - number * LARGEST_CLASS))
        house.wait(f"{size} seats ready", lambda: _ready(house, slugs) == size, 3600, pause=LOOK_EVERY)
    wall = time.monotonic() - begun
    cpu = {name: after - before.get(name, 0.0) for name, after in _cpu(house).items()}
    took, troubles = _makespan(house, slugs)
    bound = listing.seconds(_described(house), _seats(house, slugs))
    own = sum(cpu[name] for name in PARTS)
    spent = {name: round(seconds, 1) for name, seconds in cpu.items()}
    ratio, busier = took * SPEED / bound, 100 * (_busy() - busy) / wall / (os.cpu_count() or 1)
    print(f"{size:5d} seats: {took * SPEED:.0f} s of the cluster's clock, list scheduling {bound:.0f} s, ratio {ratio:.2f}")
    print(f"      {wall:.0f} s of ours, this machine {busier:.0f} % busy; {troubles} failed steps; at most {peak.mib:.0f} MiB")
    print(f"      CPU seconds {spent}; labctl's own {1000 * own / size:.0f} ms an environment", flush=True)
    return {
        "makespan": round(took * SPEED, 1),
        "bound": round(bound, 1),
        "makespan_ratio": round(took * SPEED / bound, 3),
        "cpu": spent,
        "cpu_per_environment": round(own / size, 4),
        "peak_memory_mib": round(peak.mib),
        "troubles": troubles,
        "seconds": round(wall, 1),
    }


def _ready(house: house_.House, slugs: list[str]) -> int:
    """By the list of classes, which is what a person looks at who has many."""
    return sum(room["counts"]["ready"] for room in house.api("/classrooms") if room["slug"] in slugs)


def _makespan(house: house_.House, slugs: list[str]) -> tuple[float, int]:
    """Seconds of ours from the first class's opening to the last proof, and how often a step failed on the way: by the journal."""
    begins, ends, troubles = [], [], 0
    for slug in slugs:
        begins.append(datetime.fromisoformat(house.api(f"/classrooms/{slug}")["classroom"]["opened"]))
        for line in house.journal(slug):
            troubles += line["text"].startswith("failed:")
            if line["step"] == "prove" and line["text"].startswith("done after"):
                ends.append(datetime.fromisoformat(line["at"]))
    return (max(ends) - min(begins)).total_seconds(), troubles


def _described(house: house_.House) -> description.Cluster:
    cluster = description.kept(house.home / "sandbox")
    assert cluster is not None
    return cluster


def _seats(house: house_.House, slugs: list[str]) -> list[listing.Seat]:
    """What list scheduling schedules: the seats' machines on the nodes where labctl put them, and their own steps' modelled times."""
    course = shelf.Shelf((house.home / "blueprints",), house.home / "shelf").blueprint(BLUEPRINT)
    times = paper.TIMES
    own = [step for step in course.configure if not step.bake]
    configure = times.enrol + sum(times.step("write" if step.write else "script" if step.script else "playbook") for step in own)
    checks: dict[str, int] = {}
    for check in course.ready:
        name = check.machine or next(iter(course.machines))
        checks[name] = checks.get(name, 0) + 1
    prove = 2 * times.login + max(checks.values()) * times.check
    rows = [seat for slug in slugs for seat in house.seats(slug)]
    return [
        listing.Seat(
            tuple(listing.Guest(machine["kind"], machine["name"], machine["node"]) for machine in row["machines"]), configure, prove
        )
        for row in rows
    ]


def _family(house: house_.House, name: str) -> list[psutil.Process]:
    noted = house.home / "run" / f"{name}.pid"
    process = psutil.Process(json.loads(noted.read_text())["pid"])
    return [process, *process.children(recursive=True)]


def _cpu(house: house_.House) -> dict[str, float]:
    """CPU seconds so far of each part, with its children, also those that ended."""
    return {name: _spent(_family(house, name)) for name in (*PARTS, "node")}


def _spent(family: list[psutil.Process]) -> float:
    total = 0.0
    for one in family:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _busy() -> float:
    """CPU seconds of this whole machine."""
    times = psutil.cpu_times()
    return float(times.user + times.system)


@dataclass
class _Peak:
    """The most memory that labctl's processes took together."""

    mib: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def _watched(house: house_.House) -> Iterator[_Peak]:
    """Look at the memory (PSS) of labctl's own processes every now and then."""
    peak = _Peak()

    def look() -> None:
        while not peak.over.wait(LOOK_EVERY):
            total = 0
            for name in PARTS:
                for one in _family(house, name):
                    try:
                        total += one.memory_full_info().pss
                    except psutil.NoSuchProcess:
                        continue
            peak.mib = max(peak.mib, total / 2**20)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.over.set()
        thread.join()


def _records(house: house_.House) -> dict[str, float]:
    """What the database and the broker came to, in MiB."""
    database = sum(file.stat().st_size for file in house.home.glob("labctl.sqlite3*"))
    broker = sum(file.stat().st_size for file in (house.home / "run" / "broker").rglob("*") if file.is_file())
    return {"database_mib": round(database / 2**20, 1), "broker_mib": round(broker / 2**20, 1)}


if __name__ == "__main__":
    main()
