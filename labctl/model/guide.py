"""A guide's pages (`blueprint.md` 16): Markdown with blocks of its own, read into pieces. Values are put in by `guide_values`.

Pieces are text, code that can be typed into a machine (`run`), written as a file (`file`) or copied, folds (`:::hint`, `note`,
`warning`) and the places of tasks' boxes. Every complaint is said, each with its line and column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labctl import errors
from labctl.model import marked, references

FILE = re.compile(r"guide/[0-9]{2}-[A-Za-z0-9._-]+\.md")
"""Pages are read in the order of their names."""

FOLDS = ("hint", "note", "warning")
MOST_BYTES = 256 * 1024
_KEYS = ("title", "minutes", "requires", "tabs")
_FENCE = re.compile(r"(?P<indent> {0,3})(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)")
_COLONS = re.compile(r":::\s*(?P<kind>[a-z]+)?\s*(?P<rest>.*)")
_HEADING = re.compile(r"#\s+(?P<title>.+?)\s*#*\s*")


@dataclass(frozen=True)
class Text:
    """CommonMark with tables."""

    markdown: str


@dataclass(frozen=True)
class Code:
    """A block of code. `kind` is `run` (typed on `machine`, `once` only if so), `file` (written to `path` there), `copy` or `code`."""

    kind: str
    text: str
    language: str = ""
    machine: str = ""
    path: str = ""
    once: bool = False


@dataclass(frozen=True)
class Fold:
    """A `hint` is folded until somebody opens it; `note` and `warning` are boxes."""

    kind: str
    title: str
    pieces: tuple[Text | Code, ...]


@dataclass(frozen=True)
class Placed:
    """Where the box of that task stands."""

    task: str


Piece = Text | Code | Fold | Placed


@dataclass(frozen=True)
class Page:
    """One page. `file` is its path in the blueprint, `minutes` None where the author said nothing."""

    file: str
    title: str
    minutes: int | None
    pieces: tuple[Piece, ...]
    requires: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks whose boxes stand here."""
        return tuple(piece.task for piece in self.pieces if isinstance(piece, Placed))


@dataclass(frozen=True)
class Known:
    """What a guide may name: machines with terminal access, and tasks."""

    machines: Sequence[str]
    tasks: Sequence[str] = ()
    placed: dict[str, str] = field(default_factory=dict)
    """Task -> the place of its box, as far as was read."""


def read(files: Mapping[str, str], machines: Sequence[str], tasks: Sequence[str] = ()) -> tuple[Page, ...]:
    """The pages of a guide in order. `files`: path -> text; `machines`: those with terminal access; `tasks`: all of the blueprint's. Tasks
    that are placed nowhere follow on the last page. Raises BadInput with all complaints.
    """
    found: list[errors.Complaint] = []
    known = Known(machines, tasks)
    pages = [_Reader(name, text, known, found).page() for name, text in sorted(files.items()) if FILE.fullmatch(name)]
    if found:
        raise errors.BadInput("the guide has mistakes.", hint="Correct its pages.", complaints=tuple(sorted(found)))
    rest = tuple(Placed(task) for task in tasks if task not in known.placed)
    if not rest:
        return tuple(pages)
    last = pages.pop() if pages else Page("", "", None, ())
    return (*pages, replace(last, pieces=(*last.pieces, *rest)))


def unplaced(pages: Sequence[Page], files: Mapping[str, str], tasks: Sequence[str]) -> tuple[errors.Complaint, ...]:
    """Warnings for tasks whose box the author placed nowhere."""
    text = "\n".join(files[page.file] for page in pages if page.file)
    written = set(re.findall(r"^:::\s*task\s+(\S+)", text, re.MULTILINE))
    where = pages[-1].file if pages else ""
    said = "task '{}' stands on no page; its box follows on the last one"
    return tuple(errors.Complaint(where, 1, 1, said.format(task), warning=True) for task in tasks if where and task not in written)


class _Reader:
    """One file, line by line."""

    def __init__(self, file: str, text: str, known: Known, found: list[errors.Complaint]) -> None:
        self._file, self._known, self._found = file, known, found
        self._lines = text.replace("\r\n", "\n").split("\n")
        self._at = 0
        if len(text.encode(errors="replace")) > MOST_BYTES:
            self._wrong(1, "a page of a guide has at most 256 KiB")
            self._lines = []

    def page(self) -> Page:
        """All of it."""
        front = self._front()
        first = self._at
        pieces = self._pieces(inside=False)
        title = front.get("title") or self._heading(first) or self._file.rpartition("/")[2].removesuffix(".md")
        minutes = front.get("minutes")
        return Page(
            self._file, str(title), minutes if isinstance(minutes, int) else None, tuple(pieces), tuple(front.get("requires") or ())
        )

    def _wrong(self, line: int, text: str, column: int = 1) -> None:
        self._found.append(errors.Complaint(self._file, line, column, text))

    def _front(self) -> dict[str, Any]:
        if not self._lines or self._lines[0].rstrip() != "---":
            return {}
        end = next((number for number, line in enumerate(self._lines[1:], 1) if line.rstrip() == "---"), None)
        if end is None:
            self._wrong(1, "the front matter does not end; it ends with a line ---")
            return {}
        self._at = end + 1
        try:
            tree = marked.read("\n".join(["", *self._lines[1:end]]), self._file)
        except errors.BadInput as error:
            self._found.extend(error.complaints)
            return {}
        if not isinstance(tree.root, dict):
            self._wrong(2, "the front matter is a block of keys, such as title: Files")
            return {}
        return {key: self._key(tree, key, value) for key, value in tree.root.items()}

    def _key(self, tree: marked.Tree, key: str, value: Any) -> Any:
        mark = tree.key_mark((key,))
        if key not in _KEYS:
            self._wrong(mark.line, f"there is no key '{key}' here; there are: {', '.join(_KEYS)}", mark.column)
        if key == "minutes":
            if str(value).isdecimal() and 1 <= int(value) <= 1000:
                return int(value)
            self._wrong(mark.line, "minutes is a whole number from 1 to 1000", mark.column)
            return None
        if key == "requires":
            return self._requires(tree, value)
        return str(value) if key == "title" else value

    def _requires(self, tree: marked.Tree, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            mark = tree.key_mark(("requires",))
            self._wrong(mark.line, "requires is a list of tasks; write requires: [find]", mark.column)
            return ()
        for number, one in enumerate(value):
            if one not in self._known.tasks:
                mark = tree.value_mark(("requires", number))
                self._wrong(mark.line, references.absent("task", one, self._known.tasks), mark.column)
        return tuple(str(one) for one in value)

    def _heading(self, start: int) -> str:
        for line in self._lines[start:]:
            if found := _HEADING.fullmatch(line):
                return found["title"]
        return ""

    def _pieces(self, *, inside: bool) -> list[Piece]:
        pieces: list[Piece] = []
        text: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            fence, colons = _FENCE.fullmatch(line), _COLONS.fullmatch(line.strip()) if line.startswith(":::") else None
            if inside and colons and not colons["kind"]:
                break
            if fence or colons:
                pieces += _text(text)
                text = []
                made = self._code(fence) if fence else self._fold(colons, inside=inside)
                pieces += [made] if made else []
                continue
            self._references(self._at + 1, line)
            text.append(line)
            self._at += 1
        return pieces + _text(text)

    def _code(self, fence: re.Match[str]) -> Code:
        begun, marks = self._at, fence["marks"]
        self._at += 1
        lines: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if re.fullmatch(rf" {{0,3}}{re.escape(marks[0])}{{{len(marks)},}}\s*", line):
                return self._kind(begun + 1, fence["info"].split(), "\n".join(lines))
            self._references(self._at, line)
            lines.append(line)
        self._wrong(begun + 1, "this block of code does not end")
        return Code("code", "\n".join(lines))

    def _kind(self, line: int, info: list[str], text: str) -> Code:
        word, rest = (info[0], info[1:]) if info else ("", [])
        if word == "copy":
            return Code("copy", text)
        if word == "run":
            if not rest or rest[1:] not in ([], ["once"]):
                self._wrong(line, "a run block names its machine, and perhaps once: ```run web once")
            return Code("run", text, machine=self._machine(line, rest), once=rest[1:] == ["once"])
        if word == "file":
            if len(rest) != 2:
                self._wrong(line, "a file block names its machine and its path: ```file web /home/learner/notes.txt")
            return Code("file", text, machine=self._machine(line, rest), path=rest[1] if len(rest) == 2 else "")
        return Code("code", text, language=word)

    def _machine(self, line: int, rest: list[str]) -> str:
        name = rest[0] if rest else ""
        if name and name not in self._known.machines:
            self._wrong(line, references.absent("machine with a terminal", name, self._known.machines))
        return name

    def _fold(self, colons: re.Match[str] | None, *, inside: bool) -> Fold | Placed | None:
        begun = self._at + 1
        self._at += 1
        kind, rest = (colons["kind"] or "", colons["rest"].strip()) if colons else ("", "")
        if kind not in (*FOLDS, "task"):
            self._wrong(begun, f"there is no block ':::{kind}'; there are: hint, note, warning, task" if kind else "this ::: ends nothing")
            if not kind:
                return None
        elif inside:
            self._wrong(begun, "blocks with ::: do not stand in one another")
        self._references(begun, rest)
        pieces = self._pieces(inside=True)
        if self._at >= len(self._lines):
            self._wrong(begun, f"this :::{kind} does not end; it ends with a line :::")
        self._at += 1
        if kind == "task":
            return self._placed(begun, rest, pieces)
        return Fold(kind, rest, tuple(one for one in pieces if not isinstance(one, Fold | Placed)))

    def _placed(self, line: int, task: str, pieces: Sequence[Piece]) -> Placed:
        if pieces:
            self._wrong(line, "a task's box has no text of its own; its words stand in the blueprint")
        if task not in self._known.tasks:
            self._wrong(line, references.absent("task", task, self._known.tasks) if task else "a task's box names its task: :::task find")
        elif (before := self._known.placed.setdefault(task, f"{self._file}:{line}")) != f"{self._file}:{line}":
            self._wrong(line, f"task '{task}' stands here again; its box is at {before} already")
        return Placed(task)

    def _references(self, line: int, text: str) -> None:
        try:
            tuple(references.parts(text))
        except references.Unclosed as error:
            self._wrong(line, str(error), text.find("${lab.") + 1)


def _text(lines: Sequence[str]) -> list[Piece]:
    joined = "\n".join(lines).strip("\n")
    return [Text(joined)] if joined.strip() else []
