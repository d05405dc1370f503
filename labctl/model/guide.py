"""A guide's pages (`blueprint.md` 16): Markdown with blocks of its own, read into pieces. Values are put in by `guide_values`.

Pieces are text, code that can be typed into a machine (`run`), written as a file (`file`) or copied, folds (`:::hint`, `note`,
`warning`) and the places of tasks' boxes. Every complaint is said, each with its line and column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from labctl import errors
from labctl.model.guide_pieces import Code, Fold, Page, Piece, Placed, Text
from labctl.model.guide_reader import FOLDS, MOST_BYTES, Beside, Known, Reader

__all__ = ["FILE", "FOLDS", "MOST_BYTES", "PAGE", "Beside", "Code", "Fold", "Page", "Piece", "Placed", "Text", "checked", "read", "written"]

PAGE = re.compile(r"[0-9]{2}-[A-Za-z0-9._-]+\.md")
"""Pages are read in the order of their names."""
FILE = re.compile(rf"guide/{PAGE.pattern}")


def read(files: Mapping[str, str], machines: Sequence[str], tasks: Sequence[str] = (), beside: Beside | None = None) -> tuple[Page, ...]:
    """The pages of a guide in order. `files`: path -> text; `machines`: those with terminal access; `tasks`: all of the blueprint's. Tasks
    that are placed nowhere follow on the last page. Raises BadInput with all complaints.
    """
    return checked(files, machines, tasks, beside)[0]


def checked(
    files: Mapping[str, str], machines: Sequence[str], tasks: Sequence[str] = (), beside: Beside | None = None
) -> tuple[tuple[Page, ...], tuple[errors.Complaint, ...]]:
    """The same, and what is to be warned of."""
    known = Known(machines, tasks, beside or Beside())
    pages, warnings = written({name: text for name, text in files.items() if FILE.fullmatch(name)}, known)
    rest = tuple(Placed(task) for task in tasks if task not in known.placed)
    if not rest:
        return pages, warnings
    said = "task '{}' stands on no page; its box follows on the last one"
    last = pages[-1] if pages else Page("", "", None, ())
    lost = tuple(errors.Complaint(last.file, 1, 1, said.format(one.task), warning=True) for one in rest if last.file)
    return (*pages[:-1], replace(last, pieces=(*last.pieces, *rest))), (*warnings, *lost)


def written(files: Mapping[str, str], known: Known) -> tuple[tuple[Page, ...], tuple[errors.Complaint, ...]]:
    """These pages as they were written, and what is to be warned of. Raises BadInput with all complaints."""
    found: list[errors.Complaint] = []
    pages = tuple(Reader(name, text, known, found).page() for name, text in sorted(files.items()))
    if any(not one.warning for one in found):
        raise errors.BadInput("the guide has mistakes.", hint="Correct its pages.", complaints=tuple(sorted(found)))
    return pages, tuple(sorted(found))
