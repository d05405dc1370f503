"""The engine: how labctl talks to SQLite and PostgreSQL, and how the tables come to this version.

Every write is one transaction that takes the write lock when it begins, so two writers wait for each other instead of
failing half-way.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc, pool

from labctl import errors
from labctl.drivers.database import tables, writers

BUSY_SECONDS = 30
"""How long a writer waits for SQLite's one write lock."""

KEPT = 4
"""Connections kept open by a process; more are opened when more are needed at once."""

_MIGRATION_LOCK = 0x6C616263
"""Any number that is always the same: PostgreSQL's advisory lock while tables change."""


class Connection:
    """Transactions on one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._pid = 0
        self._inherited: list[object] = []
        self._writers: writers.Writers | None = None
        self._glance: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view; takes no write lock."""
        with self._translated(), self._ready().connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction: all of it is written, or nothing."""
        with self._translated():
            engine = self._ready()
            turn = self._writers.turn() if self._writers else nullcontext()
            with turn, engine.connect().execution_options(writes=True) as connection, connection.begin():
                yield connection

    def written(self) -> int | None:
        """SQLite's `data_version` (sqlite.org/pragma.html): on one connection it is another number once another one has committed, so this
        connection is kept and does nothing else. None for PostgreSQL.
        """
        with self._translated():
            file = self._ready().url.database if self._ready().dialect.name == "sqlite" else None
        if file is None:
            return None
        try:
            with self._lock:
                if self._glance is None:
                    self._glance = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
                return int(self._glance.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.OperationalError as problem:
            raise errors.Unreachable(f"the database does not answer: {problem}.", hint="Look whether its disk has room.") from None

    def migrate(self) -> None:
        """Bring the tables to `tables.HEAD`. Several processes may do this at once; one works, the others wait."""
        with self._translated():
            self._ready()

    def dispose(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._glance is not None:
            self._glance.close()
            self._glance = None

    def _ready(self) -> sa.Engine:
        with self._lock:
            if self._engine is None or self._pid != os.getpid():
                if self._engine is not None:
                    # A forked child must not use its parent's connections, nor close them, which forgetting them would do.
                    self._inherited += [self._engine, self._glance]
                    self._glance = None
                engine = _engine(self._url)
                file = engine.url.database if engine.dialect.name == "sqlite" else None
                self._writers = writers.Writers(Path(file), BUSY_SECONDS) if file else None
                _bring_up_to_date(engine, self._writers)
                self._engine, self._pid = engine, os.getpid()
            return self._engine

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.OperationalError as problem:
            # Only the database's own words: SQLAlchemy's text carries the statement and its values.
            raise errors.Unreachable(
                f"the database does not answer: {problem.orig}.", hint="Look whether it runs and its disk has room."
            ) from None


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise errors.BadInput(
            "the database setting is not an SQLAlchemy URL.", hint="LABCTL_DATABASE=postgresql+psycopg://USER@HOST/NAME, or leave it out."
        ) from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed)
    raise errors.BadInput(f"labctl keeps its state in SQLite or PostgreSQL, not {parsed.get_backend_name()}.")


def _sqlite(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise errors.BadInput("labctl's database must be a file: worker and API share it.")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    # Kept open: opening one and setting it up costs more than most of what is asked of it. One thread at a time uses each.
    driver = {"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
    engine = sa.create_engine(url, poolclass=pool.QueuePool, pool_size=KEPT, max_overflow=-1, connect_args=driver, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        _keep_a_log(cursor)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # IMMEDIATE takes the write lock now, where waiting works; upgrading a read lock later may fail at once instead.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _keep_a_log(cursor: sqlite3.Cursor) -> None:
    """Write-ahead log. The one statement for which SQLite does not wait itself: where others come first at the same moment, or write, it
    is refused at once (sqlite.org/pragma.html: "database is locked").
    """
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as problem:
            if problem.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def _postgresql(url: sa.URL) -> sa.Engine:
    try:
        driver = {"connect_timeout": 10}
        return sa.create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=20, connect_args=driver, hide_parameters=True)
    except ModuleNotFoundError as problem:
        raise errors.BadInput(f"the database needs the Python package {problem.name}.", hint=f"pip install {problem.name}") from None


def _bring_up_to_date(engine: sa.Engine, line: writers.Writers | None) -> None:
    with engine.connect() as connection:
        if _revision(connection) == tables.HEAD:
            return
    # In line: on a slow machine this may take longer than SQLite's own waiting lasts, and whoever comes meanwhile waits for all of it.
    turn = line.turn() if line else nullcontext()
    with turn, engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        if _revision(connection) != tables.HEAD:
            _upgrade(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: sa.Connection) -> None:
    # Alembic costs a third of a second to import and is needed once in the life of a database.
    from alembic import command
    from alembic.util import CommandError

    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise errors.PermanentError(
            "the database was written by a newer labctl than this one.", hint="Update labctl, or give it a database of its own."
        ) from None


def alembic_config() -> Any:
    """Alembic's configuration, without a file: the migrations are shipped inside the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "labctl.drivers:migrations")
    return config
