"""`make bench-door`: labctl's SSH door beside OpenSSH as a jump host (`access.md` 2.2), in the same run, into the same guest's sshd.

The door is the real process, as its own account, asking the real API about each login and channel. Learners are plain OpenSSH clients with
their certificates. *straight* is the same guest with nothing between: what clients and guest cost, who share this machine's cores.

`cpu_ratio` is the CPU seconds that one login costs the door, together with what its questions cost the API, over what one costs the OpenSSH
jump host with all its children; a login is `ssh WAY true`, from the first packet to the exit status. `door_alone` is without the API.
Logins come one after another (seconds of one) and eight at once (logins a second). Memory is PSS for each of SESSIONS (50) sessions that
are open. Copies go by scp: 200 MB by one learner, whom the door lets have 40 MB/s after the first 80 MB (`door.limits`); and by four
learners 50 MB each at once, where that does not bind. The last line is JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass

import psutil

from labctl import wiring
from labctl.services import door as door_
from tests.bench import guest_here, jumping, standing

SEATS = 10
ADDRESS = "127.81.0.9"
LOGINS = int(os.environ.get("LOGINS", "60"))
SESSIONS = int(os.environ.get("SESSIONS", "50"))
AT_ONCE = 8
MEGABYTES, COPIERS = 200, 4


@dataclass
class Bench:
    """What stands while it is measured."""

    clients: jumping.Clients
    door: psutil.Process
    api: psutil.Process
    openssh: psutil.Process

    def spent(self) -> dict[str, float]:
        """CPU seconds so far of what is between, also by processes that ended."""
        return {"door": _family(self.door), "api": _family(self.api), "openssh": _family(self.openssh)}

    def held(self, way: str) -> float:
        """MiB."""
        return 0.0 if way == "straight" else standing.memory(self.door if way == "door" else self.openssh)

    def cost(self, way: str, before: dict[str, float]) -> tuple[float, float]:
        """CPU seconds since then: of what is between, and of the door alone."""
        # The last one's processes are done a moment after its client.
        time.sleep(1)
        now = self.spent()
        if way == "door":
            own = now["door"] - before["door"]
            return own + now["api"] - before["api"], own
        return (now["openssh"] - before["openssh"], 0.0) if way == "openssh" else (0.0, 0.0)


def _family(process: psutil.Process) -> float:
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _run(words: list[str]) -> float:
    begun = time.monotonic()
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[:4])} ended with {done.returncode}: {done.stderr[-400:]}")
    return time.monotonic() - begun


def logins(bench: Bench, way: str) -> dict[str, float]:
    """One after another, then AT_ONCE at once."""
    for number in range(3):
        _run(bench.clients.ssh(way, number, "true"))
    before = bench.spent()
    alone = [_run(bench.clients.ssh(way, number, "true")) for number in range(LOGINS)]
    begun = time.monotonic()
    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: _run(bench.clients.ssh(way, number, "true")), range(LOGINS)))
    took = time.monotonic() - begun
    whole, own = bench.cost(way, before)
    return {
        "login_ms": round(1000 * standing.percentile(alone, 0.5), 1),
        "logins_per_second": round(LOGINS / took, 2),
        "cpu_ms_per_login": round(1000 * whole / (2 * LOGINS), 2),
        "own_cpu_ms_per_login": round(1000 * own / (2 * LOGINS), 2),
    }


def sessions(bench: Bench, way: str) -> dict[str, float]:
    """Memory of each that is open."""
    before = bench.held(way)
    with contextlib.ExitStack() as stack:
        open_ = [stack.enter_context(_session(bench.clients.ssh(way, number, "echo up; cat"))) for number in range(SESSIONS)]
        for one in open_:
            assert one.stdout is not None
            if one.stdout.readline() != b"up\n":
                raise RuntimeError("a session did not open")
        return {"memory_mib_per_session": round((bench.held(way) - before) / SESSIONS, 3)}


@contextlib.contextmanager
def _session(words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield child
    finally:
        child.terminate()
        child.communicate()


def copies(bench: Bench, way: str) -> dict[str, float]:
    """MB/s both ways: one learner, and some at once; and what a copy of 200 MB costs what is between."""
    large, small = bench.clients.folder / "large", bench.clients.folder / "small"
    for path, size in ((large, MEGABYTES), (small, MEGABYTES // COPIERS)):
        if not path.exists():
            path.write_bytes(os.urandom(1_000_000) * size)
    found: dict[str, float] = {}
    before = bench.spent()
    for name, words in (("up", (str(large), f"{way}:large")), ("down", (f"{way}:large", os.devnull))):
        found[f"scp_{name}_mb_s"] = round(MEGABYTES / _run(bench.clients.scp(0, *words)), 1)
    found["cpu_s_per_200_mb"] = round(bench.cost(way, before)[0] / 2, 2)
    found["together_up_mb_s"] = _together(lambda number: bench.clients.scp(number, str(small), f"{way}:small{number}"))
    time.sleep(5)  # the learners' allowances fill again
    found["together_down_mb_s"] = _together(lambda number: bench.clients.scp(number, f"{way}:small{number}", os.devnull))
    return found


def _together(words: Callable[[int], list[str]]) -> float:
    begun = time.monotonic()
    with futures.ThreadPoolExecutor(COPIERS) as pool:
        # Others than the one who has just copied: each has an allowance of their own.
        list(pool.map(lambda number: _run(words(number)), range(1, COPIERS + 1)))
    return round(MEGABYTES / (time.monotonic() - begun), 1)


def measure(bench: Bench) -> dict[str, dict[str, float]]:
    """All of it, told line by line."""
    found: dict[str, dict[str, float]] = {way: {} for way in jumping.WAYS}
    for part in (logins, sessions, copies):
        for way in jumping.WAYS:
            found[way] |= part(bench, way)
        print(f"({part.__name__} measured; {standing.load()})", flush=True)
    print(f"{'':26}" + "".join(f"{way:>12}" for way in jumping.WAYS))
    for name in found["door"]:
        print(f"{name:26}" + "".join(f"{found[way][name]:12.2f}" for way in jumping.WAYS))
    return found


def main() -> None:
    """Print the table and the JSON line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with standing.Standing("door") as house, contextlib.ExitStack() as stack:
        seats = house.seats("monday", SEATS, addresses=(ADDRESS,))
        stack.enter_context(guest_here.Guest(house.wired.authority, ADDRESS, seats))
        jump = stack.enter_context(jumping.Jump(house, ADDRESS, [seat.principal for seat in seats]))
        api = house.begin()
        door_.furnish(house.wired.settings, house.wired)
        port = house.wired.settings.door_port
        words = ("--home", str(door_.home(house.wired.settings)), "--listen", f"127.0.0.1:{port}", "--api", house.url)
        door = house.start("labctl.door", *words, "--account", wiring.DOOR_ACCOUNT, ready=port)
        found = measure(Bench(jumping.Clients(house, seats, port, jump.port), door, api, jump.process))
    ours, theirs = found["door"], found["openssh"]
    ratio = ours["cpu_ms_per_login"] / theirs["cpu_ms_per_login"]
    whole = {"cpu_ratio": round(ratio, 3), "cpu_ratio_door_alone": round(ours["own_cpu_ms_per_login"] / theirs["cpu_ms_per_login"], 3)}
    print(f"one login costs the door and its questions {ratio:.2f} of what it costs OpenSSH; {standing.load()}")
    print(json.dumps(whole | found))


if __name__ == "__main__":
    main()
