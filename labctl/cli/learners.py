"""Who a class is for, as the command line is told: a roster file, names or addresses one by one, or seats for whoever has the code.

All of it becomes the CSV that the API reads, and is complained of here, before anybody is asked and anything is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from labctl import errors

Roster = Annotated[
    Path | None, typer.Option("--roster", "-r", help="CSV in UTF-8 with the columns name and email (and login, if you like).")
]
Learner = Annotated[
    list[str] | None,
    typer.Option("--learner", "-l", help="Instead of a roster, once for each: a name, a mail address, or 'Ada Lovelace, ada@example.org'."),
]
ByCode = Annotated[
    int | None,
    typer.Option("--by-code", help="Instead of a roster: so many seats for whoever has the class's code.", metavar="SEATS", min=1),
]


@dataclass(frozen=True)
class Learners:
    """`roster` is CSV; `by_code`: nobody on it can be told by an address, so they come in by the class's code."""

    roster: str
    number: int
    by_code: bool


def wanted(roster: Path | None, named: Sequence[str], by_code: int | None, seats: int | None) -> Learners:
    """What exactly one of the three says. Raises BadInput with every complaint."""
    if (roster is not None) + bool(named) + (by_code is not None) != 1:
        raise errors.BadInput(
            "say once who the class is for.", hint="Give one of --roster FILE, --learner NAME (once for each), --by-code SEATS."
        )
    if by_code is not None and seats is not None:
        raise errors.BadInput("--by-code says how many seats there are; --seats does, too.", hint="Leave one of them out.")
    if roster is not None:
        return read(roster)
    return _listed([f"{by_code} seats"] if by_code is not None else named)


def _listed(lines: Sequence[str]) -> Learners:
    from labctl.model import pasted

    text = "\n".join(line.replace("\n", " ") for line in lines)
    number = len(pasted.parse(text, "--learner"))
    return Learners(pasted.to_csv(text)[0], number, pasted.by_code(text))


def read(path: Path) -> Learners:
    """A roster file. Checked here so that complaints name the file as the person knows it."""
    from labctl.model import roster

    try:
        content = path.read_bytes()
    except OSError as problem:
        raise errors.BadInput(f"the roster {path} cannot be read: {problem.strerror}.", hint="Give a CSV file with name,email.") from None
    found = roster.parse(content, str(path))
    return Learners(content.decode("utf-8-sig"), len(found), by_code=False)
