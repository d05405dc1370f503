"""A guide in other languages (`blueprint.md` 16): which there are, which fits somebody, and whether one says what the guide itself does.

A translation has pages of the same names with other words: the same tasks and blocks in the same order, so that whatever a learner presses
means the same in every language. What a page says of itself beside its title stays the guide's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from labctl import errors
from labctl.model import guide
from labctl.model.guide_pieces import Code, Fold, Page, Placed
from labctl.model.guide_reader import Known

_FOLDER = re.compile(r"guide\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*)")


def folder(language: str = "") -> str:
    """Where its files are; of the guide itself without a language."""
    return f"guide.{language}" if language else "guide"


def pages(paths: Iterable[str], language: str = "") -> tuple[str, ...]:
    """The paths of its pages, in order."""
    begin = f"{folder(language)}/"
    return tuple(sorted(path for path in paths if path.startswith(begin) and guide.PAGE.fullmatch(path.removeprefix(begin))))


def languages(paths: Iterable[str]) -> tuple[str, ...]:
    """Those that have a folder of their own."""
    return tuple(sorted({found[1] for path in paths if "/" in path and (found := _FOLDER.fullmatch(path.partition("/")[0]))}))


def best(known: Iterable[str], own: str, spoken: str) -> str:
    """Which translation somebody gets who is spoken to in that language; empty for the guide itself."""
    wanted = spoken.lower()
    if not wanted or _first(own) == _first(wanted):
        return ""
    near = [one for one in sorted(known) if _first(one) == _first(wanted)]
    return next((one for one in near if one.lower() == wanted), near[0] if near else "")


def misnamed(paths: Iterable[str], own: str) -> Iterator[errors.Complaint]:
    """Folders that are no translation, each at the first of its files."""
    first: dict[str, str] = {}
    for path in sorted(paths):
        name = path.partition("/")[0]
        if name.startswith("guide.") and "/" in path:
            first.setdefault(name, path)
    for name, path in first.items():
        found = _FOLDER.fullmatch(name)
        if found is None:
            yield errors.Complaint(
                path, 1, 1, f"'{name}' is no translation: the folder's name ends in a language (BCP 47), as guide.fr does"
            )
        elif _first(found[1]) == _first(own):
            yield errors.Complaint(path, 1, 1, f"the guide itself is in '{own}' (about.language); '{name}' is no translation of it")


def translated(own: Sequence[Page], files: Mapping[str, str], language: str, known: Known) -> tuple[Page, ...]:
    """The guide's pages in that language. `files`: path -> text of the translation's pages. Raises BadInput with all complaints."""
    there = {page.file.partition("/")[2]: page for page in guide.written(files, replace(known, placed={}))[0]}
    found = [] if any(page.file for page in own) or not files else [errors.Complaint(min(files), 1, 1, "there is no guide to translate")]
    made = []
    for page in own:
        name = page.file.partition("/")[2]
        other = there.pop(name, None)
        if other is not None:
            found += _differing(page, other)
            rest = tuple(piece for piece in page.pieces if isinstance(piece, Placed) and not piece.line)
            made.append(replace(page, title=other.title, pieces=(*other.pieces, *rest)))
        elif name:
            found.append(errors.Complaint(f"{folder(language)}/{name}", 1, 1, f"there is no such file; {page.file} is not translated"))
        else:
            made.append(page)
    found += [errors.Complaint(page.file, 1, 1, "the guide itself has no page of this name") for page in there.values()]
    if found:
        raise errors.BadInput("the translation is not what the guide is.", hint="Correct its pages.", complaints=tuple(sorted(found)))
    return tuple(made)


def _differing(page: Page, other: Page) -> Iterator[errors.Complaint]:
    for key in ("minutes", "requires", "tabs"):
        said, own = getattr(other, key), getattr(page, key)
        if said and said != own:
            yield errors.Complaint(other.file, 1, 1, f"'{key}' is not what {page.file} says; leave it out, or say the same")
    mine, theirs = tuple(_pressed(page)), tuple(_pressed(other))
    for place, (what, line) in enumerate(theirs):
        if place >= len(mine) or mine[place][0] != what:
            should = mine[place][0] if place < len(mine) else "nothing more"
            yield errors.Complaint(other.file, line, 1, f"here is {what} where {page.file} has {should}")
            return
    if len(mine) > len(theirs):
        missing, line = mine[len(theirs)]
        yield errors.Complaint(other.file, 1, 1, f"{missing} is missing, which stands at {page.file}:{line}")


def _pressed(page: Page) -> Iterator[tuple[str, int]]:
    """What learners press on a page, in words, with its line; what the author placed nowhere stands on no page."""
    every = (one for piece in page.pieces for one in (piece.pieces if isinstance(piece, Fold) else (piece,)))
    for one in every:
        if isinstance(one, Placed) and one.line:
            yield f":::task {one.task}", one.line
        elif isinstance(one, Code) and one.kind in {"run", "file"}:
            yield " ".join(("```" + one.kind, one.machine, *(["once"] if one.once else []), one.path)).rstrip(), one.line


def _first(language: str) -> str:
    return language.lower().partition("-")[0]
