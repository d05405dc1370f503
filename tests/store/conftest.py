"""The store's contract is held on SQLite, and on PostgreSQL where its programs and psycopg are here (skipped visibly where not)."""

from __future__ import annotations

import getpass
import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from labctl.drivers.database import Database
from tests import fakes


def _program(name: str) -> str | None:
    found = shutil.which(name)
    if found:
        return found
    return next((str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)


def _as_owner(argv: list[str]) -> list[str]:
    # PostgreSQL refuses to be started by root. Not runuser, which waits beside its program and stands still with it.
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *argv] if getpass.getuser() == "root" else argv


@pytest.fixture(scope="session")
def postgresql():
    """URL of a server of our own on a unix socket, or a skip that says what is missing."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("PostgreSQL: the Python package psycopg is not installed")
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL: initdb and pg_ctl are not installed")
    # Not below pytest's own folder, which any other pytest that begins on this machine closes to everybody but its owner.
    folder = Path(tempfile.mkdtemp(prefix="labctl-pg-"))
    folder.chmod(0o755)
    if getpass.getuser() == "root":
        shutil.chown(folder, "postgres")
    try:
        yield from _served(initdb, pg_ctl, folder)
    finally:
        shutil.rmtree(folder)


def _served(initdb: str, pg_ctl: str, folder: Path):
    data = folder / "data"
    _run([initdb, "-D", str(data), "-A", "trust", "-U", "labctl"])
    # No autovacuum: CREATE DATABASE is refused while anybody, be it a worker of its, looks into the template.
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c autovacuum=off"
    _run([pg_ctl, "-D", str(data), "-w", "-t", "600", "-l", str(folder / "log"), "-o", options, "start"])
    try:
        yield f"postgresql+psycopg://labctl@/postgres?host={folder}"
    finally:
        _run([pg_ctl, "-D", str(data), "-w", "-t", "600", "-m", "immediate", "stop"])


def _run(words: list[str]) -> None:
    # Its words go to a file: a server that is started keeps what it was given, and a pipe would never end.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(_as_owner(words), check=False, stdout=said, stderr=said, cwd="/")
        said.seek(0)
        assert done.returncode == 0, said.read()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labctl.sqlite3'}"
    server = request.getfixturevalue("postgresql")
    name = f"t{os.getpid()}_{secrets.token_hex(4)}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def clock():
    return fakes.SetClock()


@pytest.fixture
def store(url, tmp_path, clock):
    database = Database(url, tmp_path / "secrets" / "database.key", clock)
    yield database
    database.dispose()
