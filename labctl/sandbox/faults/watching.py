"""A serving node's faults: those of `faults.yaml` in its home, read again when the file changes. Strikes go to `faults.log`.

`python -m labctl.sandbox faults` writes the file after reading it, so a mistake is seen by whoever makes it; a file that was written
by hand and is wrong is said in the node's log, and what was in force stays so.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from labctl.sandbox.faults import reading, rules, striking

FILE, LOG = "faults.yaml", "faults.log"
_log = logging.getLogger(__name__)


class Watched(striking.Faults):
    """Faults that follow a file."""

    def __init__(self, home: Path) -> None:
        self._file = home / FILE
        self._seen: tuple[int, int, int] | None = None
        self._looking = threading.Lock()
        super().__init__(rules.NONE, log=home / LOG)
        self._look()

    def strike(self, call: striking.Call) -> striking.Struck | None:
        """See `striking.Faults`."""
        self._look()
        return super().strike(call)

    def _look(self) -> None:
        with self._looking:
            seen = _stamp(self._file)
            if seen == self._seen:
                return
            self._seen = seen
            self._read(seen is not None)

    def _read(self, there: bool) -> None:
        try:
            known = reading.read(self._file.read_text("utf-8"), str(self._file)) if there else rules.NONE
        except (reading.Mistakes, OSError, UnicodeDecodeError) as error:
            _log.error("the faults stay as they were: %s", error)
            return
        with self._lock:
            self._follow(known)
        _log.warning("%d faults are in force", len(known.rules))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        facts = file.stat()
    except FileNotFoundError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def put(home: Path, text: str, name: str) -> rules.Rules:
    """Let the node of this home follow these faults from now on. Raises `reading.Mistakes` and changes nothing then."""
    known = reading.read(text, name)
    draft = home / f"{FILE}.draft"
    draft.write_text(text, "utf-8")
    draft.replace(home / FILE)
    return known


def clear(home: Path) -> None:
    """No faults from now on; what lasts already ends at its own time."""
    (home / FILE).unlink(missing_ok=True)


def shown(home: Path) -> str:
    """The file as it is, "" for none."""
    try:
        return (home / FILE).read_text("utf-8")
    except FileNotFoundError:
        return ""
