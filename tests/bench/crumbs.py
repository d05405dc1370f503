"""`make crumbs`: rounds of open, kill -9 of a random part at a random moment, restart, close; then a search for anything left.

Kinds of crumbs looked for, each against what was there before the first class: guests, networks and pools on the node (asked as
root of the node's own files and of the kernel: folders, mounts, interfaces, control groups), Pulumi stacks, files of runs and
bundles, rows that are not gone, processes. Golden machines outlive classes by design, so all sets are removed before each look (a
half-made one that cannot be is found as a crumb), and each round bakes its own, which is then killed in the middle like
everything else. A seat that says *ready* is tried for real at that moment: one that does not let its learner in is a false ready.
The last line is JSON: rounds, leftovers, false_ready.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from labctl.sandbox.guests import cgroups, network
from tests.bench.house import House

BLUEPRINTS = ("linux-first-steps", "web-attack-basics")
PARTS = ("worker", "engine", "ansible", "node", "api")
FILES = ("state", "ansible", "bundles")
"""Folders of the home in which an environment has files while it lives; searched to the bottom."""
FOLDERS = ("sandbox/guests/guests", "sandbox/guests/layers", "bundles", "ansible")
"""Folders in which it has folders; whole root filesystems below, so only the first level is listed."""


STAYS = ("state/.pulumi/meta.yaml", "state/turns/", "state/project/")
"""Not an environment's: the state backend's own mark, its Pulumi project, and the lock files by which processes take turns."""


def main() -> None:
    """Print a line a round and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="repeat a run's choices")
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    left: list[str] = []
    false_ready: list[str] = []
    with House("crumbs") as house:
        before = _traces(house)
        for number in range(1, chosen.rounds + 1):
            _round(house, number, chance, false_ready)
            _remove_goldens(house)
            crumbs = sorted(_traces(house) - before)
            left += [f"round {number}: {crumb}" for crumb in crumbs]
            before |= set(crumbs)  # each crumb is counted once
            print(f"         left: {crumbs or 'nothing'}", flush=True)
    for line in left + false_ready:
        print(line)
    print(json.dumps({"rounds": chosen.rounds, "leftovers": len(left), "false_ready": len(false_ready), "seed": seed}))


def _round(house: House, number: int, chance: random.Random, false_ready: list[str]) -> None:
    slug, blueprint, learners = f"round-{number}", chance.choice(BLUEPRINTS), chance.randint(1, 2)
    part, to_the_end = PARTS[number % len(PARTS)], chance.random() < 0.5
    moment = chance.uniform(0.0, 3.0 if part == "ansible" else 15.0)  # later there is seldom an Ansible left to kill
    begun = time.monotonic()
    house.open(slug, blueprint, learners)
    killed = _kill(house, part, moment)
    house.run("up")
    if to_the_end:
        house.wait("all seats ready", lambda: all(seat["status"] == "ready" for seat in house.seats(slug)), 600)
    false_ready += [f"round {number}: {line}" for line in _untrue(house, slug)]
    house.run("class", "close", slug)
    print(
        f"round {number:2d}: {blueprint} x {learners}, kill -9 of {killed}, {'ready, then closed' if to_the_end else 'closed at once'}, "
        f"{time.monotonic() - begun:.1f} s",
        flush=True,
    )


def _remove_goldens(house: House) -> None:
    """Those that a bake had begun, too: it may still be running, and is over only when nothing of it is left."""
    for golden in house.api("/goldens"):
        # Refused only where somebody stands on it, or where it went meanwhile: either way the look says what is left.
        house.run("golden", "remove", golden["name"], check=False, timeout=300)


def _kill(house: House, part: str, moment: float) -> str:
    """Wait for the moment, then for a process of that part if it comes and goes; kill it. Says what was killed."""
    time.sleep(moment)  # the random moment itself, not a wait for a condition
    end = time.monotonic() + 15
    while time.monotonic() < end:
        for pid in _pids(house, part):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            return f"{part} (pid {pid}) after {moment:.1f} s"
        time.sleep(0.05)
    return f"nothing ({part} was not running after {moment:.1f} s)"


def _pids(house: House, part: str) -> list[int]:
    if part in ("worker", "node", "api"):
        note = house.home / "run" / f"{part}.pid"
        return [json.loads(note.read_text())["pid"]] if note.exists() else []
    found = []
    for process in _ours(house):
        words = " ".join(process.info["cmdline"] or [])
        if part == "ansible" and "ansible" in words and "celery" not in words:
            found.append(process.pid)
        # The embedded engine has no process of its own: it runs in one of the worker's children. The real one does.
        if part == "engine" and ("pulumi" in Path((process.info["cmdline"] or [""])[0]).name or _is_pool_child(house, process)):
            found.append(process.pid)
    random.shuffle(found)
    return found


def _is_pool_child(house: House, process: psutil.Process) -> bool:
    return process.ppid() in _pids(house, "worker")


def _ours(house: House) -> list[psutil.Process]:
    """Processes of this home: by the home in their environment, or in their command line (Ansible gets a clean environment)."""
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        try:
            known = process.environ().get("LABCTL_HOME") == str(house.home) or str(house.home) in " ".join(process.info["cmdline"] or [])
            if known and process.pid != os.getpid():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _untrue(house: House, slug: str) -> list[str]:
    """Seats that say ready and do not let their learner in."""
    lies = []
    for seat in house.seats(slug):
        if seat["status"] != "ready":
            continue
        tried = house.run("ssh", slug, str(seat["number"]), "--", "true", check=False, timeout=60)
        if tried.returncode != 0 and any(now["status"] == "ready" for now in house.seats(slug) if now["number"] == seat["number"]):
            lies.append(f"seat {seat['number']} of {slug} says ready, but ssh ended with {tried.returncode}: {tried.stderr.strip()[-200:]}")
    return lies


def _traces(house: House) -> set[str]:
    """Everything on this machine and on the node that an environment may leave behind."""
    name = house.environment["LABCTL_INSTALLATION"]
    files = (path for folder in FILES for path in (house.home / folder).rglob("*") if path.is_file())
    found = {f"file {path}" for path in files if not str(path.relative_to(house.home)).startswith(STAYS)}
    found |= {f"folder {path}" for folder in FOLDERS for path in (house.home / folder).glob("*")}
    mounts = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    found |= {f"mount {path}" for path in mounts if str(house.home) in path}
    found |= {f"control groups of {guest}" for guest in cgroups.guests_of(name)}
    found |= {f"interface {link['ifname']}" for link in _links(network.Network(name).namespace)}
    found |= {f"row {row['id']} ({row['state']})" for row in house.api("/environments") if row["state"] != "gone"}
    found |= {f"{kind} {one}" for kind, ones in _node(house).items() for one in ones}
    services = {pid for part in ("node", "broker", "worker", "beat", "api") for pid in _pids_below(house, part)}
    return found | {f"process {process.pid} {process.info['cmdline']}" for process in _ours(house) if process.pid not in services}


def _pids_below(house: House, part: str) -> set[int]:
    note = house.home / "run" / f"{part}.pid"
    if not note.exists():
        return set()
    try:
        process = psutil.Process(json.loads(note.read_text())["pid"])
        return {process.pid, *(child.pid for child in process.children(recursive=True))}
    except psutil.NoSuchProcess:
        return set()


def _links(namespace: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-n", namespace, "-j", "link"], capture_output=True, text=True, check=True)
    return [link for link in json.loads(done.stdout) if not link["ifname"].startswith("lo")]


def _node(house: House) -> dict[str, list[str]]:
    """Guests, networks and pools as the node's status lists them."""
    done = subprocess.run(
        [sys.executable, "-m", "labctl.sandbox", "status", "--home", str(house.home / "sandbox"), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    status = json.loads(done.stdout)
    return {kind: [str(one) for one in status[kind]] for kind in ("guests", "vnets", "pools")}


if __name__ == "__main__":
    main()
