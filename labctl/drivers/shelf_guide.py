"""The guide of a blueprint's folder, read as authors need it: pages, or every mistake with its line (`blueprint.md` 16)."""

from __future__ import annotations

from dataclasses import replace

from labctl import errors
from labctl.drivers import shelf
from labctl.model import guide, inventory


def read(book: shelf.Book) -> tuple[tuple[guide.Page, ...], tuple[errors.Complaint, ...]]:
    """Its pages and what is to be warned of. Raises BadInput with all complaints, each with its file's whole path."""
    machines = [one.name for one in inventory.machines(book.blueprint) if "terminal" in one.get("access")]
    texts = {path: file.read_text(encoding="utf-8", errors="replace") for path, file in book.files.items() if guide.FILE.fullmatch(path)}
    tasks = [task.id for task in book.blueprint.tasks]

    def whole(one: errors.Complaint) -> errors.Complaint:
        return replace(one, file=str(book.folder / one.file))

    try:
        pages = guide.read(texts, machines, tasks)
    except errors.BadInput as error:
        found = tuple(whole(one) for one in error.complaints)
        raise errors.BadInput(error.message, hint="correct the file and run `labctl blueprint check` again", complaints=found) from None
    return pages, tuple(whole(one) for one in guide.unplaced(pages, texts, tasks))
