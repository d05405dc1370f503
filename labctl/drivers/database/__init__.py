"""The store: classrooms, environments, journal and tokens in one SQL database, by SQLAlchemy.

SQLite (WAL, BEGIN IMMEDIATE) by default, PostgreSQL by URL. Here live rows and transactions; what a step leads to, and who
may ask, does not. `tables` the columns · `connection` the engine and the migrations · one file for each port.
"""

from __future__ import annotations

from pathlib import Path

from labctl import ports
from labctl.drivers import clock as clock_
from labctl.drivers.database import connection, decoded, rows, sealing
from labctl.drivers.database.backlog import BacklogRows
from labctl.drivers.database.classrooms import ClassroomRows
from labctl.drivers.database.codes import CodeRows
from labctl.drivers.database.environments import EnvironmentRows
from labctl.drivers.database.exchanges import ExchangeRows
from labctl.drivers.database.golden_machines import GoldenRows
from labctl.drivers.database.help import HelpRows
from labctl.drivers.database.journal import JournalRows
from labctl.drivers.database.passes import PassRows
from labctl.drivers.database.people_accounts import AccountRows
from labctl.drivers.database.people_links import LinkRows
from labctl.drivers.database.people_sessions import SessionRows
from labctl.drivers.database.sights import SightRows
from labctl.drivers.database.task_rows import TaskRows
from labctl.drivers.database.tickets import TicketRows
from labctl.drivers.database.timings import TimingRows
from labctl.drivers.database.tokens import TokenRows


class Database(
    BacklogRows,
    ExchangeRows,
    ClassroomRows,
    CodeRows,
    EnvironmentRows,
    GoldenRows,
    HelpRows,
    JournalRows,
    PassRows,
    TaskRows,
    TicketRows,
    TimingRows,
    TokenRows,
    AccountRows,
    LinkRows,
    SessionRows,
    SightRows,
):
    """Fills the ports Backlog, Changes, Classrooms, Codes, Environments, Goldens, Helps, Journal, Passes, Progresses, Sights,
    Tickets, Timings and Tokens, of `people_ports` Accounts, Credentials, Invitations, Ceremonies, Sessions and Memberships, of `task_ports`
    Standings and Looks. Threads and forks may share it.

    `url` is SQLAlchemy's; `key_file` holds the key that seals plans and is made (0600) where it is missing.
    """

    def __init__(self, url: str, key_file: Path, clock: ports.Clock | None = None) -> None:
        self._connection = connection.Connection(url)
        self._seal = sealing.Seal(key_file)
        self._clock = clock or clock_.SystemClock()
        self._environments = decoded.Decoded(rows.environment)
        self._bare_environments = decoded.Decoded(rows.environment)
        self._seats = decoded.Decoded(rows.seat, key=2)

    def written(self) -> int | None:
        """See `ports.Changes`."""
        return self._connection.written()

    def migrate(self) -> None:
        """Bring the tables to this version. Every verb does so itself on first use; this is for those who want it now."""
        self._connection.migrate()

    def dispose(self) -> None:
        """Close what is open."""
        self._connection.dispose()
