"""The front matter of a guide's page (`blueprint.md` 16): title, minutes, requires, tabs. Strict, and every mistake has its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labctl import errors
from labctl.model import marked, references

KEYS = ("title", "minutes", "requires", "tabs")
DESKTOP = "desktop:"
"""Before a machine's name: its desktop instead of its terminal."""

Wrong = Callable[[int, str, int], None]
"""Takes a complaint: line, text, column."""


@dataclass(frozen=True)
class Front:
    """What a page says of itself. `minutes` None and the rest empty where it says nothing."""

    title: str = ""
    minutes: int | None = None
    requires: tuple[str, ...] = ()
    tabs: tuple[str, ...] = ()


def read(lines: Sequence[str], file: str, tasks: Sequence[str], tabs: Sequence[str], wrong: Wrong) -> Front:
    """Of the lines between the two `---`. `tasks` and `tabs` are those that may be named."""
    try:
        # The first `---` is a line too.
        tree = marked.read("\n".join(["", *lines]), file)
    except errors.BadInput as error:
        for one in error.complaints:
            wrong(one.line, one.text, one.column)
        return Front()
    if not isinstance(tree.root, dict):
        wrong(2, "the front matter is a block of keys, such as title: Files", 1)
        return Front()
    for key in tree.root:
        if key not in KEYS:
            mark = tree.key_mark((key,))
            wrong(mark.line, f"there is no key '{key}' here; there are: {', '.join(KEYS)}", mark.column)
    return Front(
        title=str(tree.root.get("title") or ""),
        minutes=_minutes(tree, wrong),
        requires=_names(tree, "requires", "task", tasks, wrong),
        tabs=_names(tree, "tabs", "tab", tabs, wrong),
    )


def _minutes(tree: marked.Tree, wrong: Wrong) -> int | None:
    value = tree.root.get("minutes")
    if "minutes" not in tree.root:
        return None
    if str(value).isdecimal() and 1 <= int(value) <= 1000:
        return int(value)
    mark = tree.key_mark(("minutes",))
    wrong(mark.line, "minutes is a whole number from 1 to 1000", mark.column)
    return None


def _names(tree: marked.Tree, key: str, what: str, known: Sequence[str], wrong: Wrong) -> tuple[str, ...]:
    if key not in tree.root:
        return ()
    value: Any = tree.root[key]
    if not isinstance(value, list) or (key == "tabs" and not value) or not all(isinstance(one, str) for one in value):
        mark = tree.key_mark((key,))
        wrong(mark.line, f"{key} is a list of {what}s; write {key}: [{(*known, 'find')[0]}]", mark.column)
        return ()
    for number, one in enumerate(value):
        mark = tree.value_mark((key, number))
        if one in value[:number]:
            wrong(mark.line, f"'{one}' is named twice", mark.column)
        elif one not in known:
            wrong(mark.line, references.absent(what, one, known), mark.column)
    return tuple(str(one) for one in value)
