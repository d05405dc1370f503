"""`make bench-terminal`: what labctl's terminals in the browser add to the echo of a key over plain SSH; at 1, 50, 200 and 1,000 terminals.

The API is the real process, guests are real OpenSSH servers on loopback with a tmux for each seat, and people type in a third process
(`tests.bench.typing_people`): a key every 0.2 to 0.8 s at each terminal. For each number of terminals the same people sit down twice in the
same run: with plain SSH (asyncssh) into the same machines and the same shells, and with labctl's WebSocket. *Added* is the difference of
the two's percentile. All of it shares this machine's cores, so what a thousand shells and their sshd need is in both.

*memory*: the API's PSS once all terminals are open, less before, for each. *flood*: 200 MB of output in one terminal, once in a guest
with tmux, which draws what can be seen, and once without, where all of it goes to the page; the most that the API's memory grew meanwhile.
The last line is JSON. SIZES and SECONDS (30) change what is measured.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncssh
import psutil

from tests.bench import flooding, guest_here, standing
from tests.bench.house import REPOSITORY

SIZES = tuple(int(word) for word in os.environ.get("SIZES", "1,50,200,1000").split(","))
SECONDS = float(os.environ.get("SECONDS", "30"))
SLUG, FLOODED = "monday", "tuesday"
ADDRESSES = tuple(f"127.81.0.{number}" for number in range(1, 5))
FLOODED_ADDRESS = "127.81.0.5"
CERTIFIED = timedelta(hours=6)


def _people(by: str, house: standing.Standing, seats: Sequence[standing.Seat]) -> dict[str, Any]:
    """What the typing process is told."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    public = " ".join(key.export_public_key().decode().split()[:2])
    until = datetime.now(UTC) + CERTIFIED
    listed = [
        {
            "number": seat.number,
            "secret": seat.secret,
            "address": seat.address,
            "certificate": house.wired.authority.certify(public, "learner", seat.principal, until) if by == "ssh" else "",
        }
        for seat in seats
    ]
    return {
        "by": by,
        "url": house.url,
        "slug": SLUG,
        "seconds": SECONDS,
        "key": key.export_private_key().decode(),
        "seats": listed,
    }


def typed(by: str, house: standing.Standing, seats: Sequence[standing.Seat], process: psutil.Process | None) -> dict[str, Any]:
    """These people type; percentiles in milliseconds, and what it cost the API."""
    before = standing.memory(process) if process else 0.0
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.typing_people"], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(_people(by, house, seats)) + "\n")
        child.stdin.flush()
        _line(child, "ready")
        spent, grown = standing.cpu(process) if process else 0.0, (standing.memory(process) if process else 0.0) - before
        busy, begun = psutil.cpu_times(), time.monotonic()
        _line(child, "typed")
        spent = (standing.cpu(process) if process else 0.0) - spent
        now = psutil.cpu_times()
        used = (now.user + now.system - busy.user - busy.system) / (time.monotonic() - begun)
        child.stdin.write("\n")
        child.stdin.flush()
        found = json.loads(child.stdout.readline())
        child.wait(60)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    echoes = found["echoes"]
    return {
        "p50": 1000 * standing.percentile(echoes, 0.5),
        "p99": 1000 * standing.percentile(echoes, 0.99),
        "keys": len(echoes),
        "lost": found["lost"],
        "opened": found["opened"],
        "cpu_ms": 1000 * spent / max(1, len(echoes)),
        "memory": grown,
        "busy": used,
    }


def _line(child: subprocess.Popen[str], wanted: str) -> None:
    assert child.stdout is not None
    if (said := child.stdout.readline().strip()) != wanted:
        raise RuntimeError(f"the people who type said {said!r} for {wanted!r}")


def sized(size: int, house: standing.Standing, seats: Sequence[standing.Seat], guests: Sequence[guest_here.Guest]) -> dict[str, float]:
    """One number of terminals, told and as figures. A new API each time, for memory that was used once is used again."""
    for guest in guests:
        guest.stop_tmux()
    plain = typed("ssh", house, seats[:size], None)
    for guest in guests:
        guest.stop_tmux()
    process = house.begin()
    ours = typed("labctl", house, seats[:size], process)
    house.stop(process)
    added = {share: ours[share] - plain[share] for share in ("p50", "p99")}
    told = "".join(f"{one['p50']:8.2f} /{one['p99']:8.2f}" for one in (plain, ours, added))
    kib = 1024 * ours["memory"] / size
    rest = f"{kib:9.0f} KiB{ours['cpu_ms']:8.2f} ms{ours['opened']:8.1f} s{ours['busy']:6.2f} of {os.cpu_count()}"
    lost = f"; {plain['lost']} and {ours['lost']} keys lost" if plain["lost"] or ours["lost"] else ""
    print(f"{size:6d}{told}{rest}   {standing.load()}{lost}", flush=True)
    return {
        "ssh_p50_ms": round(plain["p50"], 2),
        "ssh_p99_ms": round(plain["p99"], 2),
        "p50_ms": round(ours["p50"], 2),
        "p99_ms": round(ours["p99"], 2),
        "added_p50_ms": round(added["p50"], 2),
        "added_p99_ms": round(added["p99"], 2),
        "memory_kib": round(kib, 1),
        "api_cpu_ms_per_key": round(ours["cpu_ms"], 3),
        "open_seconds": round(ours["opened"], 1),
        "cores_busy": round(ours["busy"], 2),
        "keys": ours["keys"],
        "lost": ours["lost"],
    }


def flooded(house: standing.Standing, seat: standing.Seat, what: str) -> dict[str, float]:
    """200 MB in one terminal."""
    process = house.begin()
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    before = most = standing.memory(process)
    child = context.Process(target=flooding.flood, args=(house.url, FLOODED, seat.number, seat.secret, found))
    child.start()
    while child.is_alive():
        most = max(most, standing.memory(process))
        child.join(0.1)
    if child.exitcode != 0:
        raise RuntimeError("the flooded terminal ended before its time")
    took, sent = found.get(timeout=10)
    house.stop(process)
    print(
        f"flood {what}: 200 MB in {took:.1f} s, {sent / 1e6:.1f} MB to the page, API +{most - before:.1f} MiB   {standing.load()}",
        flush=True,
    )
    return {"seconds": round(took, 1), "sent_mb": round(sent / 1e6, 1), "memory_mib": round(most - before, 1)}


def main() -> None:
    """Print the table and the JSON line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with standing.Standing("term") as house, contextlib.ExitStack() as stack:
        seats = house.seats(SLUG, max(SIZES), addresses=ADDRESSES, sitting=True)
        drowned = house.seats(FLOODED, 2, addresses=(FLOODED_ADDRESS,), sitting=True)
        authority = house.wired.authority
        guests = [
            stack.enter_context(guest_here.Guest(authority, address, mine))
            for address in ADDRESSES
            if (mine := [seat for seat in seats if seat.address == address])
        ]
        stack.enter_context(guest_here.Guest(authority, FLOODED_ADDRESS, drowned, bare=(2,)))
        print(f"echo in ms, p50 / p99; {SECONDS:.0f} s of typing each; aim: added p99 at most 3 ms at 200")
        print(f"{'':6}{'plain SSH':>18}{'labctl':>18}{'added':>18}{'memory':>13}{'CPU a key':>11}{'open':>10}  cores busy")
        sizes = {size: sized(size, house, seats, guests) for size in SIZES}
        floods = {"tmux": flooded(house, drowned[0], "with tmux"), "plain": flooded(house, drowned[1], "without tmux")}
    aims = {f"added_p99_ms_{size}": sizes[size]["added_p99_ms"] for size in (200, 1000) if size in sizes}
    whole = {"memory_kib": sizes[max(SIZES)]["memory_kib"], "flood_memory_mib": max(one["memory_mib"] for one in floods.values())}
    print(json.dumps(aims | whole | {"flood": floods, "sizes": {str(size): one for size, one in sizes.items()}}))


if __name__ == "__main__":
    main()
