"""The tree of errors. Nothing else lives here, and nothing here does I/O.

    LabctlError
    |-- BadInput            what a person wrote is wrong; nothing was changed        exit 1, HTTP 400 (422 for files)
    |-- NotFound            there is no such thing (or it is not yours to see)       exit 1, HTTP 404
    |-- Unauthenticated     no token, or a wrong one                                 exit 1, HTTP 401
    |-- Forbidden           known, but not allowed                                   exit 1, HTTP 403
    |-- Conflict            the thing is in a state in which that is not possible    exit 1, HTTP 409
    |-- TemporaryError      trying the same again later may work                     exit 3, HTTP 503
    |   |-- Unreachable     a node, guest, broker or database does not answer
    |   |-- Full            a storage has no room left (`node`: where)
    |   `-- Busy            a lock is held, a limit reached, a task still running
    |-- PermanentError      trying the same again is pointless: a person must look   exit 1, HTTP 500
    |   |-- CheckFailed     a readiness check said no
    |   `-- PlayFailed      an Ansible task said no
    `-- ClaimLost           another worker holds the environment now: write nothing

Only `labctl.runner` turns TemporaryError and PermanentError into retries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


class LabctlError(Exception):
    """Root of the tree. `str(error)` is a plain sentence; `hint` says what to do next (may be empty)."""

    machine: str = ""
    """The machine of the lab that is to blame, where it is one of them (whoever works on several sets it)."""
    node: str = ""
    """The node of the cluster that is to blame, where it is one: what is built there may be built elsewhere."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def told(self) -> str:
        """What is wrong and what to do next, for one line: each a sentence of its own. Messages may end without a full stop."""
        stop = "." if self.message and self.hint and self.message[-1] not in ".!?:…" else ""
        return f"{self.message}{stop} {self.hint}".strip()


@dataclass(frozen=True, order=True)
class Complaint:
    """One thing wrong in a file somebody wrote: `FILE:LINE:COL: text` (lines and columns count from 1)."""

    file: str
    line: int
    column: int
    text: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {'warning: ' if self.warning else ''}{self.text}"


class BadInput(LabctlError):
    """What a person wrote is wrong. `complaints` says where, when it was a file."""

    def __init__(self, message: str, *, hint: str = "", complaints: tuple[Complaint, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.complaints = complaints


class NotFound(LabctlError):
    """There is no such thing, or it is not the asker's to see."""


class Unauthenticated(LabctlError):
    """No token, or a wrong one."""


class Forbidden(LabctlError):
    """Known, but not allowed to do this."""


class Conflict(LabctlError):
    """The thing is in a state in which that is not possible."""


class TemporaryError(LabctlError):
    """Trying the same again later may work; `retry_after` is the least wait that makes sense."""

    def __init__(self, message: str, *, hint: str = "", retry_after: timedelta = timedelta(seconds=5)) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unreachable(TemporaryError):
    """A node, guest, broker or database does not answer."""


class Busy(TemporaryError):
    """A lock is held, a limit is reached, or a task is still running."""


class Full(TemporaryError):
    """A storage has no room left: trying again helps when something goes, and elsewhere at once."""


class PermanentError(LabctlError):
    """Trying the same again is pointless: a person must look."""


class CheckFailed(PermanentError):
    """A readiness check said no: which check, on which machine, and what it printed."""


class PlayFailed(PermanentError):
    """An Ansible task said no: host, task and message."""


class ClaimLost(LabctlError):
    """Another worker holds the environment now; the loser writes nothing."""
