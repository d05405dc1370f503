"""The guide of a blueprint's folder, in all its languages: read as authors need it, with every mistake and its line (`blueprint.md` 16),
and as learners do, in their language where there is one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from labctl import errors
from labctl.drivers import shelf
from labctl.model import guide, guide_images, guide_languages, guide_reader, inventory, marked, references, task_words
from labctl.model.blueprint_tasks import Task
from labctl.model.plan import Plan, PlannedTask
from labctl.model.task_words import Spoken, Words

_log = logging.getLogger(__name__)
_TASKS = "tasks.yaml"


@dataclass(frozen=True)
class Told:
    """A guide in one language. `wrong`: it cannot be read, and what is here are the tasks' boxes alone."""

    pages: tuple[guide.Page, ...]
    language: str
    wrong: bool = False


def read(book: shelf.Book) -> tuple[tuple[guide.Page, ...], tuple[errors.Complaint, ...]]:
    """Its pages and what is to be warned of. Raises BadInput with all complaints of all languages, each with its file's whole path."""
    known = _known(book)
    found = [*guide_languages.misnamed(book.files, book.blueprint.about.language), *_images(book)]
    pages: tuple[guide.Page, ...] = ()
    try:
        pages, warnings = guide.checked(_texts(book), known.machines, known.tasks, known.beside)
        found += warnings
    except errors.BadInput as error:
        found += error.complaints
    for language in guide_languages.languages(book.files):
        # Where the guide itself has mistakes, its translations have most of them too.
        found += _wrong(book, pages, language, known) if pages else ()
    said = tuple(sorted(replace(one, file=str(book.folder / one.file)) for one in set(found)))
    if any(not one.warning for one in said):
        raise errors.BadInput("the guide has mistakes.", hint="correct the file and run `labctl blueprint check` again", complaints=said)
    return pages, said


def told(book: shelf.Book, plan: Plan, spoken: str) -> Told:
    """The guide as somebody reads it who is spoken to in that language. A mistake in it takes nothing else away: a translation that has one
    is not shown.
    """

    def having(access: str) -> list[str]:
        return [one.name for one in plan.machines if access in one.access]

    own = book.blueprint.about.language
    beside = guide.Beside(having("desktop"), [one.name for one in plan.apps])
    known = guide_reader.Known(having("terminal"), [one.id for one in plan.tasks], beside)
    try:
        pages = guide.read(_texts(book), known.machines, known.tasks, beside)
    except errors.BadInput as error:
        _told_of(plan.source, error)
        return Told(guide.read({}, (), known.tasks), own, wrong=True)
    language = guide_languages.best(guide_languages.languages(book.files), own, spoken)
    if language:
        try:
            return Told(guide_languages.translated(pages, _texts(book, language), language, known), language)
        except errors.BadInput as error:
            _told_of(plan.source, error)
    return Told(pages, own)


def words(book: shelf.Book, plan: Plan, spoken: str) -> Spoken:
    """What the tasks are called for somebody who is spoken to in that language."""
    own = book.blueprint.about.language
    language = guide_languages.best(guide_languages.languages(book.files), own, spoken)
    if language:
        try:
            return Spoken(language, _words(book, language, plan.tasks))
        except errors.BadInput as error:
            _told_of(plan.source, error)
    return Spoken(own)


def _known(book: shelf.Book) -> guide_reader.Known:
    machines = inventory.machines(book.blueprint)
    hidden = {one.name for one in machines if one.block.hidden}

    def refused(path: tuple[str, ...]) -> str:
        if why := references.refusal(book.blueprint, path) or references.given_away(book.blueprint, path):
            return why
        return f"machine '{path[1]}' is hidden, and would be given away here" if path[0] == "machines" and path[1] in hidden else ""

    terminals, desktops = ([one.name for one in machines if access in one.get("access")] for access in ("terminal", "desktop"))
    beside = guide.Beside(desktops, tuple(book.blueprint.apps), _named(book, ""), refused)
    return guide_reader.Known(terminals, [task.id for task in book.blueprint.tasks], beside)


def _texts(book: shelf.Book, language: str = "") -> dict[str, str]:
    return {path: book.files[path].read_text(encoding="utf-8", errors="replace") for path in guide_languages.pages(book.files, language)}


def _named(book: shelf.Book, language: str) -> frozenset[str]:
    begin = f"{guide_languages.folder(language)}/{guide_images.FOLDER}/"
    return frozenset(path.removeprefix(begin) for path in book.files if path.startswith(begin))


def _images(book: shelf.Book) -> list[errors.Complaint]:
    found = []
    for language in ("", *guide_languages.languages(book.files)):
        for name in sorted(_named(book, language)):
            path = f"{guide_languages.folder(language)}/{guide_images.FOLDER}/{name}"
            if guide_images.NAME.fullmatch(name) and (why := guide_images.mistake(name, book.files[path].read_bytes())):
                found.append(errors.Complaint(path, 1, 1, why))
    return found


def _wrong(book: shelf.Book, pages: Sequence[guide.Page], language: str, known: guide_reader.Known) -> list[errors.Complaint]:
    """Of one translation: its mistakes, and what is to be warned of."""
    found: list[errors.Complaint] = []
    there = replace(known, beside=replace(known.beside, images=_named(book, "") | _named(book, language)))
    texts = _texts(book, language)
    try:
        found += guide.written(texts, replace(there, placed={}))[1]
        guide_languages.translated(pages, texts, language, there)
    except errors.BadInput as error:
        found += error.complaints
    try:
        _words(book, language, book.blueprint.tasks, known.beside.refused)
    except errors.BadInput as error:
        found += error.complaints
    return found


def _words(
    book: shelf.Book, language: str, tasks: Sequence[Task | PlannedTask], refused: Callable[[tuple[str, ...]], str] | None = None
) -> Mapping[str, Words]:
    path = f"{guide_languages.folder(language)}/{_TASKS}"
    if path in book.files:
        text = marked.decode(book.files[path].read_bytes(), path)
        return task_words.read(text, path, tasks, refused or (lambda _: ""))
    if not tasks:
        return {}
    missing = errors.Complaint(path, 1, 1, "there is no such file; the tasks are not translated")
    raise errors.BadInput("the tasks are not translated.", hint=f"Write {path}.", complaints=(missing,))


def _told_of(source: str, error: errors.BadInput) -> None:
    _log.warning("the guide of %s cannot be read: %s", source, "; ".join(str(one) for one in error.complaints))
