"""How the command line says things: plain sentences, tables, JSON, errors. Nothing is decided here."""

from __future__ import annotations

import json
import os
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pydantic
import typer
from pydantic_settings import SettingsError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from labctl import errors
from labctl.model import moments

Json = Annotated[bool, typer.Option("--json", help="Print data as JSON, for programs.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
if not out.is_terminal and "COLUMNS" not in os.environ:
    # A pipe has no width: 80 columns would fold what a program reads by line.
    out.width = 200

SYMBOLS = {
    "waiting": ("·", "dim"),
    "building": ("◐", "cyan"),
    "configuring": ("◑", "cyan"),
    "proving": ("◒", "cyan"),
    "baking": ("◓", "cyan"),
    "ready": ("●", "green"),
    "resetting": ("◐", "yellow"),
    "starting": ("◐", "yellow"),
    "suspended": ("○", "dim"),
    "removing": ("◌", "yellow"),
    "gone": ("∅", "dim"),
    "failed": ("✕", "bold red"),
    "stuck": ("✕", "bold red"),
}
"""Status word -> symbol and colour: colour is never alone (`access.md` 6.4)."""


def say(text: str) -> None:
    """One plain line."""
    out.print(escape(text))


def data(value: Any) -> None:
    """JSON on standard output, nothing else."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table; cells may not hold markup."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        grid.add_column(head, overflow="fold")
    for row in rows:
        grid.add_row(*(escape(cell) for cell in row))
    out.print(grid, soft_wrap=False)


def complain(error: errors.LabctlError) -> None:
    """What is wrong, where, and what to do next; on standard error."""
    complaints = error.complaints if isinstance(error, errors.BadInput) else ()
    err.print(f"[bold red]error:[/] {escape(error.message)}")
    for complaint in complaints:
        err.print(f"  {escape(str(complaint))}")
    if error.hint:
        err.print(f"  [bold]next:[/] {escape(error.hint)}")


_CORRECT = "Correct the LABCTL_ variables, or labctl.toml in labctl's home."


def plain(error: Exception) -> errors.LabctlError | None:
    """The error as a plain sentence, where it is one that a person can do something about; None: it is a fault of labctl."""
    if isinstance(error, errors.LabctlError):
        return error
    if isinstance(error, pydantic.ValidationError) and error.title == "Settings":
        first = error.errors()[0]
        name = "LABCTL_" + "_".join(str(part) for part in first["loc"]).upper()
        return errors.BadInput(
            f"the setting {name} is wrong: {first['msg']}.", hint="Correct the variable, or labctl.toml in labctl's home."
        )
    if isinstance(error, tomllib.TOMLDecodeError | SettingsError):
        return errors.BadInput(
            f"the settings cannot be read: {error}.", hint="Correct the LABCTL_ variables, or labctl.toml in labctl's home."
        )
    if isinstance(error, PermissionError):
        return errors.Forbidden(f"you may not use {error.filename}: {error.strerror}.", hint="labctl is run by root here: use sudo.")
    return None


def exit_code(error: errors.LabctlError) -> int:
    """3 when trying again may help, else 1."""
    return 3 if isinstance(error, errors.TemporaryError | errors.ClaimLost) else 1


@contextmanager
def timed(title: str) -> Iterator[list[str]]:
    """Say what is being done, then how long it took. What is put into the list is said beside it."""
    begin = time.monotonic()
    notes: list[str] = []
    if out.is_terminal:
        out.print(f"  … {escape(title)}", end="\r")
    try:
        yield notes
    except BaseException:
        out.print(f"  [red]✕[/] {escape(title)} [dim]{time.monotonic() - begin:.1f} s[/]")
        raise
    note = f" ({'; '.join(notes)})" if notes else ""
    out.print(f"  [green]✓[/] {escape(title + note)} [dim]{time.monotonic() - begin:.1f} s[/]")


def span(seconds: float) -> str:
    """`0:21`, `7:48`, `2:03:10`, `3 d 4:00`."""
    whole = int(max(0, seconds))
    days, whole = divmod(whole, 86_400)
    hours, whole = divmod(whole, 3600)
    minutes, rest = divmod(whole, 60)
    if days:
        return f"{days} d {hours}:{minutes:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: float) -> str:
    """Bytes in MiB or GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def moment(text: str, now: datetime | None = None) -> datetime:
    """A moment as people write it: `+2h30m` from now, `17:00` (today, or tomorrow when past), `2026-11-24 17:00`, or with an
    offset (`2026-11-24T17:00+01:00`); without one, this machine's local time. Raises BadInput.
    """
    here = now or datetime.now(UTC)
    plain = text.strip()
    try:
        if plain.startswith("+"):
            return moments.plain(here + _duration(plain[1:], text))
        if len(plain) <= 5 and ":" in plain:
            clock = datetime.strptime(plain, "%H:%M")  # noqa: DTZ007  (the zone comes with `astimezone`)
            # Without a zone until the day is known: on a day when the clocks change, now has another offset than then.
            today = here.astimezone().replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0, tzinfo=None, fold=0)
            coming = (day.astimezone(UTC) for day in (today, today.replace(fold=1), today + timedelta(days=1)))
            return next(moment for moment in coming if moment > here)
        return moments.plain(datetime.fromisoformat(plain))
    except (ValueError, OverflowError):
        raise _not_a_moment(text) from None


def _duration(plain: str, text: str) -> timedelta:
    units = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
    total, digits = timedelta(), ""
    for sign in plain:
        if sign.isdigit():
            digits += sign
        elif sign in units and digits and len(digits) < 6:
            total += timedelta(**{units[sign]: int(digits)})
            digits = ""
        else:
            raise _not_a_moment(text)
    if digits or not total:
        raise _not_a_moment(text)
    return total


def _not_a_moment(text: str) -> errors.BadInput:
    return errors.BadInput(
        f"`{text}` is no moment labctl can read.", hint="Write +2h30m, 17:00, 2026-11-24 17:00 or 2026-11-24T17:00+01:00."
    )
