"""One thing wrong in a valid tree, by its place in the blueprint instead of in the file."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.model import marked


@dataclass(frozen=True)
class Finding:
    """`at_key` points at the key of `loc` instead of its value."""

    loc: marked.Loc
    text: str
    warning: bool = False
    at_key: bool = False
