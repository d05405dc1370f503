"""`make bench-board`: a board of SEATS (1,000) seats that changes RATE (50) times a second, with WATCHING (5) people watching.

The API is the real process on a database whose rows were written through the stores. Another process changes them, also through the
stores: a step settles with a trouble, a learner reaches the next page of the guide; each change leaves a number that is seen in the row.
A third process watches (server-sent events) and loads the page.

*page*: from sending the request for the board's page to its last byte. *update*: from the return of the store's verb, that is from the
commit, to the last byte of the event with the row at a watcher; every watcher counts. All that measures is there and warm before the
first change, and what it takes of the machine meanwhile is told beside what the API takes. The last line is JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from pathlib import Path

from labctl import settings, wiring
from labctl.model.environment import Step, Trouble
from tests.bench import standing

SEATS = int(os.environ.get("SEATS", "1000"))
RATE = float(os.environ.get("RATE", "50"))
WATCHING = int(os.environ.get("WATCHING", "5"))
SECONDS = float(os.environ.get("SECONDS", "30"))
SLUG = "monday"
_MARK = re.compile(rb"change-([0-9]+)|>([0-9]+)/1000000<")


def change(home: Path, found: Queue, ready: Queue, begin: object) -> None:
    """Change the class RATE times a second for SECONDS; (number, when it was committed, how long the verb took) for each."""
    store = wiring.Wiring(settings.Settings(home=home)).database
    seats = [(seat.number, seat.environment) for seat in store.classroom(SLUG).seats]
    store.environment(seats[0][1])
    ready.put(True)
    begin.wait()  # type: ignore[attr-defined]
    begun, made, spent = time.monotonic(), [], time.process_time()
    for number in range(1, int(SECONDS * RATE) + 1):
        time.sleep(max(0.0, begun + number / RATE - time.monotonic()))
        seat, environment = seats[number * 7919 % len(seats)]
        before = time.monotonic()
        if number % 2:
            store.reach(SLUG, seat, number, 1_000_000)
        else:
            now = datetime.now(UTC)
            claim = store.claim(environment, "bench", timedelta(minutes=1))
            assert claim is not None
            trouble = Trouble(Step.PROVE, f"change-{number}", 1, now, now + timedelta(minutes=5), round=0)
            store.settle(claim, replace(store.environment(environment).facts, trouble=trouble))
            # Letting go is one more write of the same turn; the row changed with the one before.
            at = time.monotonic()
            store.release(claim)
            made.append((number, at, at - before))
            continue
        made.append((number, time.monotonic(), time.monotonic() - before))
    found.put((made, time.process_time() - spent))


def watch(port: int, token: str, found: Queue, ready: Queue, over: object) -> None:
    """One who watches; the moment at which each change's row was there, bytes, and CPU seconds."""
    seen: dict[int, float] = {}
    size, spent = 0, 0.0
    with _asked(port, token, f"/class/{SLUG}/events", "text/event-stream") as stream:
        stream.settimeout(0.5)
        kept, first = b"", True
        while not over.is_set():  # type: ignore[attr-defined]
            try:
                piece = stream.recv(1 << 20)
            except TimeoutError:
                continue
            if not piece:
                break
            size += len(piece)
            kept += piece
            event, end, kept = kept.rpartition(b"\n\n") if b"\n\n" in kept else (b"", b"", kept)
            if not end:
                continue
            at = time.monotonic()
            for mark in _MARK.finditer(event):
                seen.setdefault(int(mark[1] or mark[2]), at)
            if first:
                first, size, spent = False, 0, time.process_time()
                ready.put(True)
    found.put((seen, size, time.process_time() - spent))


def load(port: int, token: str, found: Queue, ready: Queue, begin: object, over: object) -> None:
    """The page, again 0.3 s after it was there; seconds of each, bytes of the last, and CPU seconds."""
    took, size = [], 0
    ready.put(True)
    begin.wait()  # type: ignore[attr-defined]
    spent = time.process_time()
    while not over.is_set():  # type: ignore[attr-defined]
        begun = time.monotonic()
        with _asked(port, token, f"/class/{SLUG}", "text/html", close=True) as page:
            text = b"".join(iter(lambda page=page: page.recv(1 << 20), b""))
        took.append(time.monotonic() - begun)
        size = len(text)
        if b" 200 " not in text[:20]:
            raise RuntimeError(text[:500])
        over.wait(0.3)  # type: ignore[attr-defined]
    found.put((took, size, time.process_time() - spent))


def _asked(port: int, token: str, path: str, wanted: str, *, close: bool = False) -> socket.socket:
    """A bare connection: what a client library costs is not the board's."""
    stream = socket.create_connection(("127.0.0.1", port), timeout=60)
    words = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}", f"Authorization: Bearer {token}", f"Accept: {wanted}"]
    stream.sendall("\r\n".join([*words, *(["Connection: close"] if close else []), "", ""]).encode())
    return stream


def measure(house: standing.Standing) -> dict[str, float]:
    """The figures, in milliseconds where not said otherwise."""
    process = house.begin()
    token = house.token("eva", "trainer")
    context = multiprocessing.get_context("spawn")
    begin, over, ready, changes, pages = context.Event(), context.Event(), context.Queue(), context.Queue(), context.Queue()
    sights = [context.Queue() for _ in range(WATCHING)]
    watchers = [context.Process(target=watch, args=(house.port, token, sight, ready, over)) for sight in sights]
    loader = context.Process(target=load, args=(house.port, token, pages, ready, begin, over))
    changer = context.Process(target=change, args=(house.home, changes, ready, begin))
    for one in (*watchers, loader, changer):
        one.start()
    for _ in (*watchers, loader, changer):
        ready.get(timeout=120)
    before, begun = standing.cpu(process), time.monotonic()
    begin.set()
    made, writing = changes.get(timeout=SECONDS * 20 + 120)
    time.sleep(5)  # the last changes' way to those who watch; what is not there by then is missed and told
    over.set()
    spent, span = standing.cpu(process) - before, time.monotonic() - begun
    took, size, loading = pages.get(timeout=60)
    seen = [sight.get(timeout=60) for sight in sights]
    for one in (*watchers, loader, changer):
        one.join(30)
    delays = [1000 * max(0.0, there[number] - at) for there, *_ in seen for number, at, _ in made if number in there]
    missed = sum(number not in there for there, *_ in seen for number, *_ in made)
    rate = len(made) / (made[-1][1] - made[0][1])
    return {
        "page_p50_ms": round(1000 * standing.percentile(took, 0.5), 1),
        "page_p99_ms": round(1000 * standing.percentile(took, 0.99), 1),
        "update_p50_ms": round(standing.percentile(delays, 0.5), 1),
        "update_p99_ms": round(standing.percentile(delays, 0.99), 1),
        "updates": len(delays),
        "missed": missed,
        "rate": round(rate, 1),
        "write_ms": round(1000 * standing.percentile([one[2] for one in made], 0.5), 1),
        "pages": len(took),
        "page_kb": round(size / 1000),
        "stream_kb_a_second": round(seen[0][1] / span / 1000),
        "api_cpu_share": round(spent / span, 2),
        "changer_cpu_share": round(writing / SECONDS, 2),
        "watchers_cpu_share": round((loading + sum(one[2] for one in seen)) / span, 2),
        "seats": SEATS,
    }


def main() -> None:
    """Print the table and the JSON line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with standing.Standing("board") as house:
        begun = time.monotonic()
        house.seats(SLUG, SEATS)
        print(f"{SEATS} seats written in {time.monotonic() - begun:.1f} s; {standing.load()}", flush=True)
        found = measure(house)
    print(f"{found['rate']:.0f} changes a second (one takes its writer {found['write_ms']} ms), {WATCHING} watch; {standing.load()}")
    print(f"  {'':8}{'p50':>10}{'p99':>10}   aim at most 50 ms")
    print(f"  {'page':8}{found['page_p50_ms']:>7} ms{found['page_p99_ms']:>7} ms   {found['pages']} loads of {found['page_kb']} kB")
    told = f"{found['updates']} rows seen, {found['missed']} passed over for newer ones"
    print(f"  {'update':8}{found['update_p50_ms']:>7} ms{found['update_p99_ms']:>7} ms   {told}")
    print(f"  the API used {found['api_cpu_share']} of one core, {found['stream_kb_a_second']} kB/s to each who watches;", end=" ")
    print(f"whoever changes {found['changer_cpu_share']}, all who watch and load {found['watchers_cpu_share']}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
