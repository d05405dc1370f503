"""What a page of a guide is made of, once it is read (`labctl.model.guide`)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """CommonMark with tables."""

    markdown: str


@dataclass(frozen=True)
class Code:
    """A block of code. `kind` is `run` (typed on `machine`, `once` only if so), `file` (written to `path` there), `copy` or `code`;
    `line` is where it begins.
    """

    kind: str
    text: str
    language: str = ""
    machine: str = ""
    path: str = ""
    once: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Fold:
    """A `hint` is folded until somebody opens it; `note` and `warning` are boxes."""

    kind: str
    title: str
    pieces: tuple[Text | Code, ...]


@dataclass(frozen=True)
class Placed:
    """Where the box of that task stands; `line` 0 where its author placed it nowhere."""

    task: str
    line: int = field(default=0, compare=False)


Piece = Text | Code | Fold | Placed


@dataclass(frozen=True)
class Page:
    """One page. `file` is its path in the blueprint, `minutes` None where the author said nothing. `tabs`: what is to be shown beside it,
    in that order (a machine's name: its terminal; `desktop:` and its name; an app's name); empty for all there is.
    """

    file: str
    title: str
    minutes: int | None
    pieces: tuple[Piece, ...]
    requires: tuple[str, ...] = ()
    tabs: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose boxes stand here."""
        return tuple(piece.task for piece in self.pieces if isinstance(piece, Placed))
