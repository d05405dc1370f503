"""What paper guests are, for all nodes together: disks, what runs where since when, bridges of each node. Written through as it changes.

One row a guest and one a node in a SQLite file, so that an act costs what it changes and not what there is. `path` None keeps
everything in memory (recorded situations, tests).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

Facts = dict[str, Any]


class Ledger:
    """Guests by VMID, bridges by node. Hold `mutex` while changing; sets that are handed out are never changed afterwards."""

    def __init__(self, path: Path | None = None) -> None:
        self.mutex = threading.RLock()
        self.disks: dict[int, Facts] = {}
        self.runs: dict[int, Facts] = {}
        self.running: frozenset[int] = frozenset()
        self.memory: Counter[tuple[str, str]] = Counter()
        """(node, vm or container) -> MiB of the guests of that kind that run there."""
        self._bridges: dict[str, set[str]] = {}
        self._shown: dict[str, frozenset[str]] = {}
        self._file: sqlite3.Connection | None = None
        if path:
            self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._file.execute("pragma journal_mode=wal")
            self._file.execute("pragma synchronous=normal")
            self._file.execute("create table if not exists thing (kind text, key text, body text, primary key (kind, key)) without rowid")
            self._read(self._file)

    def _read(self, file: sqlite3.Connection) -> None:
        for kind, key, body in file.execute("select kind, key, body from thing"):
            facts = json.loads(body)
            if kind == "disk":
                self.disks[int(key)] = facts
            elif kind == "run":
                self.runs[int(key)] = facts
            else:
                self._bridges.setdefault(facts["node"], set()).add(facts["name"])
        self.running = frozenset(self.runs)
        for facts in self.runs.values():
            self._weigh(facts, 1)

    def disk(self, vmid: int, facts: Facts | None) -> None:
        """Its disk is this now; None: it has none."""
        with self.mutex:
            if facts is None:
                self.disks.pop(vmid, None)
            else:
                self.disks[vmid] = facts
            self._keep("disk", vmid, facts)

    def run(self, vmid: int, facts: Facts | None) -> None:
        """It runs like this now; None: it is off."""
        with self.mutex:
            self._weigh(self.runs.pop(vmid, None), -1)
            if facts is not None:
                self.runs[vmid] = facts
                self._weigh(facts, 1)
            self.running = frozenset(self.runs)
            self._keep("run", vmid, facts)

    def _weigh(self, facts: Facts | None, sign: int) -> None:
        if facts:
            self.memory[str(facts.get("node", "")), str(facts.get("kind", ""))] += sign * int(facts["memory"])

    def bridges(self, node: str) -> frozenset[str]:
        """Those of a node."""
        with self.mutex:
            if node not in self._shown:
                self._shown[node] = frozenset(self._bridges.get(node, ()))
            return self._shown[node]

    def bridge(self, node: str, name: str, *, there: bool) -> None:
        """A node has this bridge now, or has it no more."""
        with self.mutex:
            known = self._bridges.setdefault(node, set())
            if (name in known) == there:
                return
            (known.add if there else known.discard)(name)
            self._shown.pop(node, None)
            self._keep("bridge", f"{node}/{name}", {"node": node, "name": name} if there else None)

    def assume(self, disks: dict[int, Facts], runs: dict[int, Facts]) -> None:
        """Be in this state; for a ledger without a file."""
        with self.mutex:
            self.disks, self.runs, self.running = disks, runs, frozenset(runs)

    def _keep(self, kind: str, key: int | str, facts: Any) -> None:
        if self._file is None:
            return
        if facts is None:
            self._file.execute("delete from thing where kind = ? and key = ?", (kind, str(key)))
        else:
            self._file.execute("insert or replace into thing values (?, ?, ?)", (kind, str(key), json.dumps(facts)))
