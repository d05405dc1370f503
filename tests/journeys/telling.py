"""What is said of the journeys: each step with its seconds and a picture, and how many journeys went to their end."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = "tests/journeys"
PICTURES = Path(__file__).resolve().parents[2] / "build" / "journeys"


class Telling:
    """See the module. `picture` is called with a file to make one; it may fail where nobody has a page yet."""

    def __init__(self, picture: Callable[[Path], None]) -> None:
        self.passed: list[str] = []
        self.failed: list[str] = []
        self._picture = picture
        self._number = 0
        shutil.rmtree(PICTURES, ignore_errors=True)
        PICTURES.mkdir(parents=True)

    @contextlib.contextmanager
    def journey(self, title: str) -> Iterator[None]:
        """One journey: a step that fails ends it, and the next one begins."""
        print(f"\n{title}", flush=True)
        begun = time.monotonic()
        try:
            yield
        except Exception as error:
            self.failed.append(title)
            place = next(
                (
                    f"{Path(one.filename).name}:{one.lineno}"
                    for one in reversed(traceback.extract_tb(error.__traceback__))
                    if HERE in one.filename
                ),
                "",
            )
            print(f"  FAILED after {time.monotonic() - begun:.1f} s, {place}: {str(error)[:600] or repr(error)}", flush=True)
        else:
            self.passed.append(title)

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """One step, with a picture at its end."""
        begun = time.monotonic()
        mark = "✕"
        try:
            yield
            mark = "✓"
        finally:
            print(f"  {mark} {time.monotonic() - begun:6.1f} s  {text}", flush=True)
            self._number += 1
            name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]
            # A picture is for people to look at; that there is none must not change what happened.
            with contextlib.suppress(Exception):
                self._picture(PICTURES / f"{self._number:02}-{name}.png")
