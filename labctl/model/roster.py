"""A roster: CSV with a header `name,email` and perhaps `login`, as any spreadsheet writes it, to learners.

Order of columns is free, other columns are ignored, the delimiter is `,` or `;` or a tab, a byte order mark is fine. Everything wrong is
said at once, as `file:line:column`. Logins that are not given are made from the address, legal and unique.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labctl import errors
from labctl.model.classroom import Learner

MOST = 500
"""Seats in one class; more than any room holds, and what a slip (the wrong file) does not exceed unnoticed."""

MOST_BYTES = 1024 * 1024
LOGIN = r"[a-z][a-z0-9-]{0,22}[a-z0-9]"
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_COLUMNS = ("name", "email", "login")
_HEADERS = {"e-mail": "email", "mail": "email", "full name": "name", "username": "login"}
_HINT = "a roster is CSV with the header name,email (and login, if you like), saved as UTF-8"


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, str]
    columns: dict[str, int]


def parse(data: bytes, file: str, *, before: int = 0) -> tuple[Learner, ...]:
    """The learners in order of the file. Raises BadInput with every complaint. `before`: how many of its first lines are not its writer's
    own (a header that was put there for them), and are not counted.
    """
    text = _text(data, file)
    rows, found = _rows(text, file, before)
    found += _wrong(rows, file)
    if not rows and not found:
        found.append(errors.Complaint(file, 1, 1, "the roster has no learner"))
    if len(rows) > MOST:
        found.append(errors.Complaint(file, rows[MOST].line, 1, f"the roster has {len(rows)} learners; a class has at most {MOST}"))
    if found:
        raise _refusal(file, found)
    return _learners(rows)


def _refusal(file: str, found: Sequence[errors.Complaint]) -> errors.BadInput:
    number = "1 error" if len(found) == 1 else f"{len(found)} errors"
    return errors.BadInput(f"{file} has {number}", hint=_HINT, complaints=tuple(sorted(found)))


def _text(data: bytes, file: str) -> str:
    if len(data) > MOST_BYTES:
        raise _refusal(file, [errors.Complaint(file, 1, 1, f"the file has {len(data) // 1024} KiB; a roster has at most 1024")])
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise _refusal(file, [errors.Complaint(file, 1, 1, "this is a spreadsheet, not CSV; save it as 'CSV UTF-8'")])
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if encoding == "utf-16":
        raise _refusal(file, [errors.Complaint(file, 1, 1, "the file is UTF-16; save it as UTF-8")])
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = len(data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode(errors="replace")) + 1
        complaint = errors.Complaint(file, line, column, f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8")
        raise _refusal(file, [complaint]) from None
    if (place := text.find("\0")) >= 0:
        raise _refusal(file, [errors.Complaint(file, text.count("\n", 0, place) + 1, 1, "the file holds binary data, not CSV")])
    return text


def _rows(text: str, file: str, before: int) -> tuple[list[_Row], list[errors.Complaint]]:
    lines = text.splitlines(keepends=True)
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[_Row] = []
    columns: dict[str, int] = {}
    line = 1
    try:
        for raw in reader:
            begun, line = line, reader.line_num + 1
            cells = [unicodedata.normalize("NFC", cell.strip()) for cell in raw]
            if not any(cells):
                continue
            if not columns:
                columns, found = _header(cells, begun, file)
                if found:
                    return [], found
                continue
            values = {column: cells[place] if place < len(cells) else "" for column, place in columns.items()}
            rows.append(_Row(begun - before, values, columns))
    except csv.Error as error:
        return [], [errors.Complaint(file, reader.line_num or 1, 1, f"this is not CSV: {error}")]
    if not columns:
        return [], [errors.Complaint(file, 1, 1, "the file is empty")]
    return rows, []


def _header(cells: list[str], line: int, file: str) -> tuple[dict[str, int], list[errors.Complaint]]:
    names = [_HEADERS.get(cell.lower(), cell.lower()) for cell in cells]
    found = [
        errors.Complaint(file, line, 1, f"the column '{column}' is missing; the header has: {', '.join(cells)}")
        for column in ("name", "email")
        if column not in names
    ]
    found += [errors.Complaint(file, line, 1, f"the column '{column}' stands twice") for column in _COLUMNS if names.count(column) > 1]
    return {column: names.index(column) for column in _COLUMNS if column in names}, found


def _wrong(rows: Sequence[_Row], file: str) -> list[errors.Complaint]:
    found: list[errors.Complaint] = []
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        found.extend(errors.Complaint(file, row.line, 1, text) for text in _cells(row))
        for column in ("email", "login"):
            value = row.cells.get(column, "").lower()
            first = seen.setdefault((column, value), row.line)
            if value and first != row.line:
                text = f"{'the address' if column == 'email' else 'the login'} '{value}' is already on line {first}"
                found.append(errors.Complaint(file, row.line, 1, text))
    return found


def _cells(row: _Row) -> Iterator[str]:
    name, email, login = (row.cells.get(column, "") for column in _COLUMNS)
    if not name:
        yield "there is no name"
    elif len(name) > 100 or not name.isprintable():
        yield "the name is longer than 100 or holds signs that cannot be printed"
    if not email:
        yield "there is no mail address"
    elif len(email) > 254 or not _EMAIL.fullmatch(email) or ".." in email or email.partition("@")[0].strip(".") != email.partition("@")[0]:
        yield f"'{email}' is not an email address"
    if login and not re.fullmatch(LOGIN, login):
        yield f"'{login}' is not a login: small letters, digits and '-', beginning with a letter, 2 to 24"


def _learners(rows: Sequence[_Row]) -> tuple[Learner, ...]:
    taken = {row.cells["login"] for row in rows if row.cells.get("login")}
    learners = []
    for row in rows:
        login = row.cells.get("login") or _free(_made(row.cells["email"], row.cells["name"]), taken)
        taken.add(login)
        learners.append(Learner(name=row.cells["name"], email=row.cells["email"], login=login))
    return tuple(learners)


def _made(email: str, name: str) -> str:
    """A legal login from the address's first part, else from the name."""
    for source in (email.partition("@")[0].partition("+")[0], name):
        plain = unicodedata.normalize("NFKD", source).encode("ascii", "ignore").decode().lower()
        login = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
        login = login.lstrip("0123456789-")[:24].rstrip("-")
        if len(login) > 1:
            return login
    return "learner"


def _free(login: str, taken: set[str]) -> str:
    number, candidate = 1, login
    while candidate in taken:
        number += 1
        candidate = f"{login[: 24 - len(str(number)) - 1].rstrip('-')}-{number}"
    return candidate
