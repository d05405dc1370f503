"""The guide of one seat as its learner sees it: pages with values, which of them are open, and the boxes of tasks on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl import errors, wiring
from labctl.drivers import shelf, shelf_guide
from labctl.model import guide, guide_images, guide_languages, guide_values, task_words
from labctl.model.plan import Plan
from labctl.model.task_boxes import Box
from labctl.model.task_words import Spoken


@dataclass(frozen=True)
class Guide:
    """Pages in order, whether the guide cannot be read, the seat's boxes by their task, and in which language the pages are."""

    pages: tuple[guide.Page, ...] = ()
    wrong: bool = False
    boxes: Mapping[str, Box] = field(default_factory=dict)
    language: str = ""

    def waits_for(self, page: guide.Page) -> tuple[str, ...]:
        """Titles of the tasks that are to be done before this page opens; none where it is open."""
        return tuple(box.title for task in page.requires if (box := self.boxes.get(task)) is not None and not box.over)

    @property
    def done(self) -> int:
        """How many tasks are done or given up."""
        return sum(box.over for box in self.boxes.values())

    @property
    def points(self) -> int:
        """What they brought."""
        return sum(box.standing.earned for box in self.boxes.values())


def files(page: guide.Page) -> tuple[guide.Code, ...]:
    """Its file blocks in order, those in folds too."""
    every = [inner for piece in page.pieces for inner in (piece.pieces if isinstance(piece, guide.Fold) else (piece,))]
    return tuple(piece for piece in every if isinstance(piece, guide.Code) and piece.kind == "file")


def of(house: wiring.Wiring, slug: str, number: int, environment: str, spoken: str = "") -> Guide:
    """The guide of the frozen blueprint with this seat's values, for somebody who is spoken to in that language. A guide with a mistake
    must not take the terminals away with it; its tasks are there all the same.
    """
    try:
        plan = house.environments.plan(environment)
        book = house.shelf.frozen(plan.source)
    except errors.LabctlError:
        return Guide()
    boxes = {one.id: one for one in house.examining.boxes(slug, number, _words(book, plan, spoken))}
    told = shelf_guide.told(book, plan, spoken)
    pages = told.pages if told.wrong else tuple(guide_values.filled(one, plan) for one in told.pages)
    return Guide(pages, wrong=told.wrong, boxes=boxes, language=told.language)


def image(house: wiring.Wiring, slug: str, number: int, environment: str, name: str, spoken: str) -> bytes:
    """An image that a page shows which is open to this seat; the translation's own where it has one. Raises NotFound for all else."""
    missing = errors.NotFound("there is no such image in the guide.", hint="Its page may have changed; load it again.")
    book = of(house, slug, number, environment, spoken)
    if not guide_images.NAME.fullmatch(name) or not any(name in _shown(page) for page in book.pages if not book.waits_for(page)):
        raise missing
    files = house.shelf.frozen(house.environments.plan(environment).source).files
    places = [f"{guide_languages.folder(language)}/{guide_images.FOLDER}/{name}" for language in (book.language, "")]
    # A name is a key of what was frozen, never a path.
    file = next((files[place] for place in places if place in files), None)
    if file is None or file.stat().st_size > guide_images.MOST_BYTES or guide_images.mistake(name, data := file.read_bytes()):
        raise missing
    return data


def _shown(page: guide.Page) -> frozenset[str]:
    every = [inner for piece in page.pieces for inner in (piece.pieces if isinstance(piece, guide.Fold) else (piece,))]
    lines = [line for piece in every if isinstance(piece, guide.Text) for line in piece.markdown.splitlines()]
    return frozenset(one.name for line in lines for one in guide_images.shown(line))


def words(house: wiring.Wiring, environment: str, spoken: str) -> Spoken:
    """What the tasks of a seat are called for somebody who is spoken to in that language."""
    try:
        plan = house.environments.plan(environment)
        return _words(house.shelf.frozen(plan.source), plan, spoken)
    except errors.LabctlError:
        return task_words.OWN


def _words(book: shelf.Book, plan: Plan, spoken: str) -> Spoken:
    return shelf_guide.words(book, plan, spoken).filled(guide_values.filling(plan))
