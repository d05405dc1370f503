"""YAML text to a marked tree: plain values in which every part knows its line and column.

The tree holds dict (keys: str), tuple, `Scalar` and None, nothing else: what a scalar means is decided by the type of its key
(`labctl.model.scalars`), never guessed here. Everything the language does not use (anchors, tags, repeated keys, a second
document ...) is refused with its place. Nothing here knows a key of the language.

Read from the events of PyYAML's C parser, which carry marks and styles and never construct objects; there, a scalar is plain when
its event says `implicit[0]` (the C parser reports a plain style as "", the Python one as None).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import yaml

from labctl import errors

Loc = tuple[str | int, ...]
"""The way from the root to a value: keys and list positions."""

MOST_BYTES = 256 * 1024
DEEPEST = 32
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_REFERENCE_IN_FLOW = re.compile(r"[{\[,:]\s*\$\{lab\.|[{\[][^\"']*\$\{lab\.")
_COLON_IN_VALUE = re.compile(r"^[^\"'#]*?:\s+[^\"'{\[\s#][^\"'#]*:(\s|$)")


class Scalar(str):
    """A scalar as written. `plain` is false when it stood in quotes or in a block (`|`, `>`)."""

    __slots__ = ("plain",)
    plain: bool

    def __new__(cls, text: str, *, plain: bool = True) -> Self:
        """The text, and whether it was plain."""
        scalar = super().__new__(cls, text)
        scalar.plain = plain
        return scalar


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass
class Tree:
    """What a file says, and where. `values` has a mark for each value, `keys` one for each key of a block."""

    file: str
    root: Any = None
    values: dict[Loc, Mark] = field(default_factory=dict)
    keys: dict[Loc, Mark] = field(default_factory=dict)
    warnings: list[errors.Complaint] = field(default_factory=list)

    def value_mark(self, loc: Loc) -> Mark:
        """Where the value stands; where there is none, the nearest thing around it."""
        while loc and loc not in self.values:
            loc = loc[:-1]
        return self.values.get(loc, Mark(1, 1))

    def key_mark(self, loc: Loc) -> Mark:
        """Where the value's key stands; for an item of a list, where the item begins."""
        return self.keys.get(loc) or self.value_mark(loc)

    def complaint(self, mark: Mark, text: str, *, warning: bool = False) -> errors.Complaint:
        """A complaint at that place of this file."""
        return errors.Complaint(self.file, mark.line, mark.column, text, warning)


def decode(data: bytes, file: str) -> str:
    """The bytes of a blueprint as text. Raises BadInput when they are too many or not UTF-8."""
    if len(data) > MOST_BYTES:
        raise refusal(file, [errors.Complaint(file, 1, 1, f"the file has {len(data) // 1024} KiB; a blueprint has at most 256 KiB")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        text = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise refusal(file, [errors.Complaint(file, before.count(b"\n") + 1, column, text)]) from None


def refusal(file: str, complaints: list[errors.Complaint]) -> errors.BadInput:
    """One error out of many complaints, sorted by place, each said once."""
    ordered = tuple(sorted(set(complaints)))
    wrong = sum(not complaint.warning for complaint in ordered)
    number = "1 error" if wrong == 1 else f"{wrong} errors"
    return errors.BadInput(f"{file} has {number}", hint="correct the file and run `labctl blueprint check` again", complaints=ordered)


def read(text: str, file: str) -> Tree:
    """The marked tree of one YAML document. Raises BadInput with everything that is wrong with the YAML itself."""
    tree = Tree(file)
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise refusal(file, [errors.Complaint(file, 1, 1, "a blueprint has at most 256 KiB")])
    if complaints := list(_characters(tree, text)):
        raise refusal(file, complaints)
    builder = _Builder(tree)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
            if len(builder.open) > DEEPEST:  # libyaml's time grows with the square of the depth: go no further
                break
    except yaml.MarkedYAMLError as error:
        builder.complaints.extend(_broken(tree, text, error))
    builder.complaints.extend(_tabs(tree, text, builder.block_lines))
    if builder.complaints:
        raise refusal(file, builder.complaints)
    return tree


def _characters(tree: Tree, text: str) -> Iterator[errors.Complaint]:
    if (place := text.find("\r")) >= 0:
        yield tree.complaint(_at(text, place), "lines end with a carriage return (CRLF); save the file with LF line ends")
    elif match := _CONTROL.search(text):
        yield tree.complaint(_at(text, match.start()), f"the control character U+{ord(match[0]):04X} is not allowed")


def _at(text: str, place: int) -> Mark:
    return Mark(text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place))


def _tabs(tree: Tree, text: str, block_lines: set[int]) -> Iterator[errors.Complaint]:
    for number, line in enumerate(text.split("\n"), 1):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indent and line.strip() and number not in block_lines:
            yield tree.complaint(Mark(number, indent.index("\t") + 1), "a tab is used for indentation; use spaces")


def _broken(tree: Tree, text: str, error: yaml.MarkedYAMLError) -> Iterator[errors.Complaint]:
    lines = text.split("\n")
    problem = error.problem_mark or error.context_mark
    mark = Mark(problem.line + 1, problem.column + 1) if problem else Mark(1, 1)
    number = min(mark.line, len(lines)) - 1
    hint = ""
    for line in lines[number : None if number == 0 else number - 2 : -1]:
        if _REFERENCE_IN_FLOW.search(line):
            hint = ' (a reference inside { } or [ ] must be quoted: "${lab.name}")'
        elif _COLON_IN_VALUE.search(line):
            hint = " (a value that contains ': ' must be quoted)"
        if hint:
            break
    if lines[number][: mark.column].strip(" ") == "\t":
        return  # the tab itself is complained about
    yield tree.complaint(mark, f"this is not YAML: {error.problem}{hint}")


@dataclass
class _Open:
    """A block or list whose end has not come yet; `waiting` while a block expects a key next; `flow` inside { } or [ ]."""

    loc: Loc
    items: list[Any] | None = None
    pairs: dict[str, Any] | None = None
    key: str | None = None
    waiting: bool = True
    flow: bool = False


class _Builder:
    """Takes events one by one and fills the tree; complaints are collected, not raised."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.complaints: list[errors.Complaint] = []
        self.block_lines: set[int] = set()
        self.open: list[_Open] = []
        self.documents = 0

    def take(self, event: yaml.Event) -> None:
        assert event.start_mark is not None, "every event of a parser has marks"
        mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents == 2:
                self._say(mark, "a second '---': a blueprint is one document")
        elif isinstance(event, yaml.AliasEvent):
            self._say(mark, _ANCHORS)
            self._value(None, mark)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, mark)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._begin(event, mark)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.open.pop()

    def _say(self, mark: Mark, text: str) -> None:
        self.complaints.append(self.tree.complaint(mark, text))

    def _decorations(self, event: Any, mark: Mark) -> None:
        if event.anchor:
            self._say(mark, _ANCHORS)
        if event.tag:
            self._say(mark, "tags (!) are not used in blueprints; the type of a value is decided by its key")

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        if event.style and event.end_mark is not None:
            self.block_lines.update(range(mark.line + 1, event.end_mark.line + 2))
        plain = bool(event.implicit[0])
        if plain and "?" in event.value and self.open and self.open[-1].flow:
            text = "a '?' without quotes inside { } or [ ] is read here, but editors and other YAML readers refuse it; use quotes"
            self.tree.warnings.append(self.tree.complaint(mark, text, warning=True))
        if self.open and self.open[-1].pairs is not None and self.open[-1].waiting:
            self._decorations(event, mark)
            self._key(event.value, mark, plain=plain)
            return
        self._decorations(event, mark)
        self._value(None if plain and event.value in {"", "~", "null"} else Scalar(event.value, plain=plain), mark)

    def _key(self, text: str, mark: Mark, *, plain: bool) -> None:
        top = self.open[-1]
        top.waiting = False
        loc = (*top.loc, text)
        if text == "<<":
            self._say(mark, "merge keys (<<) are not used in blueprints: write it out, or put it under 'defaults'")
        elif not plain or not text or text == "~" or re.search(r"\s", text):
            self._say(mark, f"a key must be a plain word without quotes, not {text!r}")
        elif top.pairs is not None and text in top.pairs:
            first = self.tree.keys[loc]
            self._say(mark, f"'{text}' is written twice (first on line {first.line}); only the last would count")
        self.tree.keys.setdefault(loc, mark)
        top.key = text

    def _value(self, value: Any, mark: Mark) -> Loc:
        if not self.open:
            if self.documents == 1:
                self.tree.root = value
                self.tree.values[()] = mark
            return ()
        top = self.open[-1]
        if top.pairs is not None and top.waiting:
            self._say(mark, "a key must be a plain word")
            top.waiting, top.key = False, None
            return (*top.loc, "?")
        if top.pairs is not None:
            top.waiting = True
            loc = (*top.loc, top.key or "?")
            if top.key is not None:
                top.pairs[top.key] = value
        else:
            items = top.items if top.items is not None else []
            loc = (*top.loc, len(items))
            items.append(value)
        self.tree.values[loc] = mark
        return loc

    def _begin(self, event: Any, mark: Mark) -> None:
        self._decorations(event, mark)
        if len(self.open) == DEEPEST:
            self._say(mark, f"blocks are nested deeper than {DEEPEST} levels")
        block: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        loc = self._value(block, mark)
        flow = bool(event.flow_style)
        self.open.append(_Open(loc, pairs=block, flow=flow) if isinstance(block, dict) else _Open(loc, items=block, flow=flow))


_ANCHORS = "anchors and aliases (& and *) are not used in blueprints: write it out, or put it under 'defaults'"
