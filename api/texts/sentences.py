"""Which row of the catalogue an English sentence of labctl's is, and what was put into it. Knows no language but English.

Thousands of rows of a board ask, so a sentence is compared only with those rows that share a word with it that few rows have.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LONGEST = 4000
"""Characters. What is longer is somebody's output."""

_NAME, _WHOLE = r"[\w.@-]+?", r"\d+"
_OURS = r"[^:;]+?"
SHAPES = {"machine": _NAME, "node": _NAME, "number": _WHOLE, "vmid": _WHOLE, "seconds": r"[\d.]+", "amount": r"\d+(?: MiB)?"} | {
    "what": _OURS,
    "where": _OURS,
    "place": r"[a-z]+ \d+",
}
"""What these placeholders hold in rows of notes; any other holds anything. A machine's own words may stand in a note, so nothing is tried
in more ways than needed.
"""


@dataclass(frozen=True)
class Row:
    """`weight`: how many characters of it are fixed. Those that weigh most say most."""

    key: str
    english: str
    pattern: re.Pattern[str]
    weight: int


class Index:
    """Built once, from keys and their English. `shaped`: the family whose placeholders are as in `SHAPES`."""

    def __init__(self, rows: Iterable[tuple[str, str]], shaped: str) -> None:
        made = [_row(key, english, shaped) for key, english in rows]
        common = Counter(word for row in made for word in _words(row.english))
        self._by_word: dict[str, list[Row]] = {}
        for row in sorted(made, key=lambda one: -one.weight):
            rarest = min(sorted(_words(row.english)), key=lambda word: (common[word], -len(word)), default="")
            self._by_word.setdefault(rarest, []).append(row)
        self.endings = tuple(row for row in made if row.weight == len(row.english) and row.english.count(" ") > 2)
        """Those with nothing put in: what to do next follows what happened."""

    def find(self, said: str) -> tuple[str, Mapping[str, str]] | None:
        """The row's key and its values; None for what nobody wrote down."""
        if len(said) > LONGEST:
            return None
        near = [row for word in {"", *said.split()} for row in self._by_word.get(word, ())]
        for row in sorted(near, key=lambda one: -one.weight) if len(near) > 1 else near:
            if found := row.pattern.fullmatch(said):
                return row.key, found.groupdict()
        return None


def _row(key: str, english: str, shaped: str) -> Row:
    parts = [(text, name) for text, name, _, _ in string.Formatter().parse(english)]
    shapes = SHAPES if key.startswith(shaped) else {}
    pattern = "".join(re.escape(text) + (f"(?P<{name}>{shapes.get(name, '.+?')})" if name else "") for text, name in parts)
    return Row(key, english, re.compile(pattern, re.DOTALL), sum(len(text) for text, _ in parts))


def _words(english: str) -> set[str]:
    """Those that stand in every such sentence as they are."""
    return {word for word in english.split() if "{" not in word}
