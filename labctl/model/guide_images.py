"""Images of a guide (`blueprint.md` 16): where a line shows one, how they are named, and whether a file is what its name says.

SVG is allowed, for maps of networks are best drawn, compared and kept as text. It is a document that could run scripts where it is opened
by itself, so pages show it as an image, its own answer is sandboxed (`api.pages.images`), and what would only work outside is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FOLDER = "img"
"""Below the guide's."""

MOST_BYTES = 2 * 1024 * 1024
"""A whole class loads it in the same minute."""

TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
}
"""Suffix -> content type."""

NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,99}}\.({'|'.join(TYPES)})")
_SHOWN = re.compile(r"(?<!\\)!\[(?P<alt>(?:[^\]\\]|\\.)*)\](?P<target>\(\s*<?(?P<address>[^\s)>]*)[^)]*\)|\[[^\]]*\])?")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)")
_SIGNS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "image/svg+xml": re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)*<svg[\s>]", re.DOTALL),
}
_RUNS = re.compile(rb"<\s*(script|foreignObject|iframe)\b|<[^>]*[\s\"']on[a-z]+\s*=|javascript:|<!(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True)
class Shown:
    """An image in a line, counted from 1. `address` empty where it is not written beside the text."""

    column: int
    alt: str
    address: str

    @property
    def name(self) -> str:
        """Of its file; empty where it is none of the guide's."""
        name = self.address.removeprefix(f"{FOLDER}/")
        return name if name != self.address and NAME.fullmatch(name) else ""


def shown(line: str) -> Iterator[Shown]:
    """The images of a line of Markdown, without what only looks like one within code."""
    bare = _SPAN.sub(lambda found: " " * len(found[0]), line)
    for found in _SHOWN.finditer(bare):
        if found["target"]:
            yield Shown(found.start() + 1, found["alt"], found["address"] or "")


def content_type(name: str) -> str:
    """Of a file with that name."""
    return TYPES[name.rpartition(".")[2]]


def mistake(name: str, data: bytes) -> str:
    """Why this file is no image of a guide; empty when it is one."""
    if len(data) > MOST_BYTES:
        return f"the image has {len(data) // 1024} KiB; at most {MOST_BYTES // 1024} KiB. A smaller picture loads sooner, too"
    kind = content_type(name)
    if not _SIGNS[kind].match(data):
        return f"the file is not {kind}, which its name says"
    if kind == "image/svg+xml" and (found := _RUNS.search(data)):
        return f"'{found[0].strip().decode(errors='replace')}' is not possible in an image of a guide: nothing runs in it; take it out"
    return ""
