"""A worker like labctl's own, whose outside world is faked: the same application, store, broker and pool of processes.

While HOME/hold-VERB exists, that verb stands still after writing its process id to HOME/at-VERB.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from labctl import settings, wiring, worker
from tests import fakes
from tests.runner.conftest import fake_outside

LONGEST_HOLD = 180


def make() -> wiring.Wiring:
    chosen = settings.Settings()
    script = fakes.Script()
    for verb in ("build", "configure", "prove", "remove"):
        script.during[verb] = lambda verb=verb: _hold(chosen.home, verb)
    return wiring.Wiring(chosen, **fake_outside(fakes.Cluster(chosen.home / "cluster.json"), script))


def _hold(home: Path, verb: str) -> None:
    hold, at = home / f"hold-{verb}", home / f"at-{verb}"
    if not hold.exists():
        return
    at.write_text(str(os.getpid()))
    deadline = time.monotonic() + LONGEST_HOLD
    while hold.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


door = worker.Door(make)
app = door.app

if __name__ == "__main__":
    door.serve()
