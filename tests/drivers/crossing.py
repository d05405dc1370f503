"""Processes that meet at gates and in waves, for tests: each says on its output when it is inside.

python -m tests.drivers.crossing gate FOLDER MOST SECONDS      goes in, says "in", stays for SECONDS, says "out"
python -m tests.drivers.crossing wave FOLDER SECONDS           rides; when it leads it says "leads" and takes SECONDS; then "done RESULT"
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from labctl.drivers import gates, waves


def start(*words: object) -> subprocess.Popen[str]:
    """Such a process; its output is to be read line by line."""
    command = [sys.executable, "-m", "tests.drivers.crossing", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def end(process: subprocess.Popen[str]) -> None:
    """kill -9, and tidy up."""
    process.kill()
    process.wait()
    process.stdout.close()


def _gate(folder: str, most: str, seconds: str) -> None:
    with gates.Gates(Path(folder)).gate("x", most=int(most), start=int(most)):
        print("in", flush=True)
        time.sleep(float(seconds))
    print("out", flush=True)


def _wave(folder: str, seconds: str) -> None:
    def run(wanted: list[int]) -> list[int]:
        print("leads", flush=True)
        time.sleep(float(seconds))
        return sorted(wanted)

    print("done", waves.Waves(Path(folder)).ride("w", os.getpid(), run), flush=True)


if __name__ == "__main__":
    {"gate": _gate, "wave": _wave}[sys.argv[1]](*sys.argv[2:])
