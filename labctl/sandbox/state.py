"""What the node must not forget: one SQLite file, written through at each change, so that a kill at any moment loses nothing
that was answered.

The content lives in memory as `kind -> key -> JSON value` (kinds: users, tokens, groups, roles, acl, pools, storage,
volumes, guests, sdn, firewall, tasks, ha, meta). `change()` is the only way to alter it: what differs when the block ends is
written in one transaction; when the block fails, memory goes back to what was written. What was altered is known (`tracked`), so a
change costs the same among three guests and among three thousand.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labctl.sandbox import tracked

Content = dict[str, dict[str, Any]]
KINDS = (
    "users", "tokens", "groups", "roles", "acl", "pools", "storage", "volumes", "guests", "sdn", "firewall", "tasks", "ha", "meta",
)  # fmt: skip


class State:
    """Open with a path; `content` may be read anywhere (copy what you keep), changed only inside `change()`."""

    def __init__(self, path: Path) -> None:
        self._mutex = threading.RLock()
        self._depth = 0
        self.replaced = 0
        """How often the content was replaced as a whole."""
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute("pragma synchronous=normal")  # survives the end of the process, not of the machine's power
        self._database.execute("create table if not exists thing (kind text, key text, body text, primary key (kind, key)) without rowid")
        self._written: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        for kind, key, body in self._database.execute("select kind, key, body from thing"):
            self._written.setdefault(kind, {})[key] = body
        self._touched: set[tuple[str, str]] = set()
        self._followers: dict[str, list[set[str]]] = {}
        self.generation = dict.fromkeys(KINDS, 0)
        """How often anything of a kind was altered: what was worked out from it holds while this stays."""
        self.things: dict[str, tracked.Things] = {
            kind: tracked.Things(self._marker(kind), {key: json.loads(body) for key, body in rows.items()})
            for kind, rows in self._written.items()
        }
        self.content: Content = {**self.things}

    def _marker(self, kind: str) -> Callable[[str], None]:
        def changed(key: str) -> None:
            self._touched.add((kind, key))
            self.generation[kind] += 1
            for follower in self._followers.get(kind, ()):
                follower.add(key)

        return changed

    def follow(self, kind: str, read: Callable[[str], None]) -> Callable[[], None]:
        """A way to keep up with a kind: when called, `read` gets each key that was altered since the last time; at first all of them."""
        pending = set(self.content[kind])
        self._followers.setdefault(kind, []).append(pending)

        def catch_up() -> None:
            if pending:
                with self._mutex:
                    for key in list(pending):
                        read(key)
                    pending.clear()  # not before all are read: who finds nothing pending relies on that

        return catch_up

    @contextlib.contextmanager
    def change(self) -> Iterator[Content]:
        """Alter the content; nested blocks are one change."""
        with self._mutex:
            self._depth += 1
            try:
                yield self.content
            except BaseException:
                if self._depth == 1:
                    self._restore()
                raise
            else:
                if self._depth == 1:
                    self._write()
            finally:
                self._depth -= 1

    @contextlib.contextmanager
    def reading(self) -> Iterator[Content]:
        """A look at the content that no change interrupts."""
        with self._mutex:
            yield self.content

    def replace(self, content: Content) -> None:
        """Other content altogether (replay of recorded states)."""
        with self.change() as own:
            self.replaced += 1
            for kind in KINDS:
                own[kind].clear()
                own[kind].update(content.get(kind, {}))

    def close(self) -> None:
        """Nothing is buffered; closes the file."""
        self._database.close()

    def _write(self) -> None:
        rows: list[tuple[str, str, str]] = []
        gone: list[tuple[str, str]] = []
        touched, self._touched = self._touched, set()
        for kind, key in touched:
            written = self._written.setdefault(kind, {})
            if key not in self.content[kind]:
                if written.pop(key, None) is not None:
                    gone.append((kind, key))
                continue
            body = json.dumps(self.content[kind][key], sort_keys=False)
            if written.get(key) != body:
                rows.append((kind, key, body))
                written[key] = body
        if rows or gone:
            self._database.execute("begin immediate")
            self._database.executemany("insert or replace into thing (kind, key, body) values (?, ?, ?)", rows)
            self._database.executemany("delete from thing where kind = ? and key = ?", gone)
            self._database.execute("commit")

    def _restore(self) -> None:
        touched, self._touched = self._touched, set()
        for kind, key in touched:
            body = self._written.get(kind, {}).get(key)
            if body is None:
                self.things[kind].forget(key)
            else:
                self.things[kind].restore(key, json.loads(body))
            self._marker(kind)(key)  # what was worked out meanwhile no longer holds
        self._touched.clear()
