"""What the node must not forget: one SQLite file, written through at each change, so that a kill at any moment loses nothing
that was answered.

The content lives in memory as `kind -> key -> JSON value` (kinds: users, tokens, groups, roles, acl, pools, storage,
volumes, guests, sdn, firewall, tasks, ha, meta). `change()` is the only way to alter it: what differs when the block ends is
written in one transaction; when the block fails, memory goes back to what was written. Only what the thread has touched since its
work began (`begin`) is looked at, so that a change costs the same however many guests there are.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labctl.sandbox import things

Content = dict[str, dict[str, Any]]
Touched = dict[str, set[str]]
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
        self._notice = things.Notice()
        self.content: Content = {
            kind: things.Things(kind, self._notice, {key: json.loads(body) for key, body in rows.items()})
            for kind, rows in self._written.items()
        }

    def begin(self, touched: Touched | None = None) -> None:
        """This thread's next piece of work begins: it has been handed nothing yet, or only what another thread gave it."""
        self._notice.touched = {kind: set(keys) for kind, keys in (touched or {}).items()}

    def touched(self) -> Touched:
        """What this thread has in its hands, for a thread that it starts."""
        return {kind: set(keys) for kind, keys in self._notice.touched.items()}

    @contextlib.contextmanager
    def change(self) -> Iterator[Content]:
        """Alter the content; nested blocks are one change."""
        with self._mutex:
            self._depth += 1
            self._notice.depth += 1
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
                self._notice.depth -= 1

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
        for kind, keys in self._notice.touched.items():
            written, here = self._written.setdefault(kind, {}), self.content[kind]
            for key in keys:
                if key not in here:
                    if written.pop(key, None) is not None:
                        gone.append((kind, key))
                    continue
                body = json.dumps(dict.__getitem__(here, key), sort_keys=False)
                if written.get(key) != body:
                    rows.append((kind, key, body))
                    written[key] = body
        if rows or gone:
            self._database.execute("begin immediate")
            self._database.executemany("insert or replace into thing (kind, key, body) values (?, ?, ?)", rows)
            self._database.executemany("delete from thing where kind = ? and key = ?", gone)
            self._database.execute("commit")

    def _restore(self) -> None:
        for kind, keys in self._notice.touched.items():
            written, here = self._written.get(kind, {}), self.content[kind]
            for key in keys:
                if key in written:
                    dict.__setitem__(here, key, json.loads(written[key]))
                else:
                    dict.pop(here, key, None)
