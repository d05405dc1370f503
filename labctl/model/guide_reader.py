"""Reads one page of a guide, line by line, and says every mistake with its line and column. Part of `labctl.model.guide`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from labctl import errors
from labctl.model import guide_front, guide_images, references
from labctl.model.guide_pieces import Code, Fold, Page, Piece, Placed, Text

FOLDS = ("hint", "note", "warning")
MOST_BYTES = 256 * 1024
_FENCE = re.compile(r"(?P<indent> {0,3})(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)")
_COLONS = re.compile(r":::\s*(?P<kind>[a-z]+)?\s*(?P<rest>.*)")
_HEADING = re.compile(r"#\s+(?P<title>.+?)\s*#*\s*")


def _nothing(_path: tuple[str, ...]) -> str:
    return ""


@dataclass(frozen=True)
class Beside:
    """What else a guide may name, beside machines with a terminal and tasks: machines with a desktop, apps, and `images` (names of
    files; None: nobody looks). `refused` says why a reference may not stand where learners read; nothing where it may.
    """

    desktops: Sequence[str] = ()
    apps: Sequence[str] = ()
    images: Collection[str] | None = None
    refused: Callable[[tuple[str, ...]], str] = _nothing


@dataclass(frozen=True)
class Known:
    """What a guide may name: machines with terminal access, tasks, and what stands beside it."""

    machines: Sequence[str]
    tasks: Sequence[str] = ()
    beside: Beside = Beside()
    placed: dict[str, str] = field(default_factory=dict)
    """Task -> the place of its box, as far as was read."""

    @property
    def tabs(self) -> tuple[str, ...]:
        """All tabs there can be, in the order in which they are shown where a page says nothing (`blueprint.md` 10)."""
        return (*self.machines, *(guide_front.DESKTOP + one for one in self.beside.desktops), *self.beside.apps)


class Reader:
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
        title = front.title or self._heading(first) or self._file.rpartition("/")[2].removesuffix(".md")
        return Page(self._file, title, front.minutes, tuple(pieces), front.requires, front.tabs)

    def _wrong(self, line: int, text: str, column: int = 1) -> None:
        self._found.append(errors.Complaint(self._file, line, column, text))

    def _front(self) -> guide_front.Front:
        if not self._lines or self._lines[0].rstrip() != "---":
            return guide_front.Front()
        end = next((number for number, line in enumerate(self._lines[1:], 1) if line.rstrip() == "---"), None)
        if end is None:
            self._wrong(1, "the front matter does not end; it ends with a line ---")
            return guide_front.Front()
        self._at = end + 1
        return guide_front.read(self._lines[1:end], self._file, self._known.tasks, self._known.tabs, self._wrong)

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
            self._images(self._at + 1, line)
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
            return Code("run", text, machine=self._machine(line, rest), once=rest[1:] == ["once"], line=line)
        if word == "file":
            if len(rest) != 2:
                self._wrong(line, "a file block names its machine and its path: ```file web /home/learner/notes.txt")
            return Code("file", text, machine=self._machine(line, rest), path=rest[1] if len(rest) == 2 else "", line=line)
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
        return Placed(task, line)

    def _references(self, line: int, text: str) -> None:
        try:
            paths = references.paths(text)
        except references.Unclosed as error:
            self._wrong(line, str(error), text.find("${lab.") + 1)
            return
        for path in paths:
            if why := self._known.beside.refused(path):
                self._wrong(line, why, text.find("${lab." + ".".join(path)) + 1)

    def _images(self, line: int, text: str) -> None:
        names = self._known.beside.images
        for one in guide_images.shown(text) if names is not None else ():
            if not one.name:
                kinds = ", ".join(guide_images.TYPES)
                self._wrong(line, f"an image is a file of guide/img: ![what it shows](img/NAME), NAME ending in one of {kinds}", one.column)
            elif names is not None and one.name not in names:
                self._wrong(line, references.absent("image", f"img/{one.name}", [f"img/{name}" for name in sorted(names)]), one.column)
            elif not one.alt.strip():
                text_ = "this image says nothing to those who cannot see it; write what it shows: ![text](img/…)"
                self._found.append(errors.Complaint(self._file, line, one.column, text_, warning=True))


def _text(lines: Sequence[str]) -> list[Piece]:
    joined = "\n".join(lines).strip("\n")
    return [Text(joined)] if joined.strip() else []
