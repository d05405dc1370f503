"""The tables in the database are those the code believes in, whoever comes first."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import autogenerate, script
from alembic.migration import MigrationContext

from labctl import errors
from labctl.drivers.database import Database, connection, tables
from tests import fakes


def test_the_migrations_end_where_the_code_begins():
    assert script.ScriptDirectory.from_config(connection.alembic_config()).get_heads() == [tables.HEAD]


def test_the_migrated_tables_are_those_of_the_code(store, url):
    store.migrate()
    engine = sa.create_engine(url)
    with engine.connect() as opened:
        context = MigrationContext.configure(opened, opts={"compare_type": lambda *_: None})
        assert autogenerate.compare_metadata(context, tables.metadata) == []
        assert {index["name"]: index["unique"] for index in sa.inspect(opened).get_indexes("environments")}["one_environment_per_plot"]
    engine.dispose()


def _first(url: str, key: str) -> None:
    database = Database(url, Path(key))
    database.write("e1", "build", f"from {os.getpid()}")
    database._seal.close(fakes.plan("e1", 1))


def test_many_processes_may_come_first(url, tmp_path):
    key = tmp_path / "secrets" / "database.key"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_first, args=(url, str(key))) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert len(Database(url, key).read()) == 4
    assert [path.name for path in key.parent.iterdir()] == ["database.key"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_whoever_comes_first_while_another_writes_into_the_new_file_waits(tmp_path):
    file = tmp_path / "labctl.sqlite3"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as another, ThreadPoolExecutor(1) as thread:
        another.execute("BEGIN IMMEDIATE")
        store = Database(f"sqlite:///{file}", tmp_path / "key")
        coming = thread.submit(store.migrate)
        with pytest.raises(TimeoutError):
            coming.result(0.3)
        another.execute("COMMIT")
        coming.result(60)
        store.dispose()


def test_a_database_of_a_newer_labctl_is_left_alone(store, url):
    store.migrate()
    engine = sa.create_engine(url)
    with engine.begin() as opened:
        opened.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    store.dispose()
    with pytest.raises(errors.PermanentError, match="newer labctl"):
        store.read()


def test_a_plan_under_another_key_is_refused_in_plain_words(store, tmp_path, url):
    room = fakes.classroom()
    store.open(room, fakes.plans_for(room), range(1, 3))
    other = Database(url, tmp_path / "other.key")
    with pytest.raises(errors.PermanentError, match="sealed with another key"):
        other.plan(room.seats[0].environment)
    other.dispose()


def test_a_key_others_can_read_is_refused(store, tmp_path):
    room = fakes.classroom()
    store.open(room, fakes.plans_for(room), range(1, 3))
    key = tmp_path / "secrets" / "database.key"
    key.chmod(0o644)
    with pytest.raises(errors.PermanentError, match="can be read by others"):
        Database(f"sqlite:///{tmp_path / 'x.sqlite3'}", key)._seal.close(fakes.plan("e1", 1))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("nonsense", "not an SQLAlchemy URL"), ("mysql://x/y", "SQLite or PostgreSQL, not mysql"), ("sqlite://", "must be a file")],
)
def test_a_wrong_url_is_refused_in_plain_words(tmp_path, wrong, words):
    with pytest.raises(errors.BadInput, match=words):
        Database(wrong, tmp_path / "key").migrate()


def test_a_database_that_cannot_be_opened_is_unreachable(tmp_path):
    folder = tmp_path / "taken.sqlite3"
    folder.mkdir()
    with pytest.raises(errors.Unreachable, match="the database does not answer"):
        Database(f"sqlite:///{folder}", tmp_path / "key").migrate()


def test_a_time_without_a_zone_is_never_written(store):
    room = fakes.classroom(now=datetime(2030, 1, 1))  # noqa: DTZ001
    with pytest.raises(Exception, match="without a zone"):
        store.open(room, fakes.plans_for(room), range(1, 3))


def test_a_forked_child_uses_connections_of_its_own(store):
    store.write("e1", "build", "parent")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            store.write("e1", "build", "child")
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    store.write("e1", "build", "parent again")
    assert [line.text for line in store.read()] == ["parent", "child", "parent again"]
