"""The guide of one seat as its learner sees it: pages with values, which of them are open, and the boxes of tasks on them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl import errors, wiring
from labctl.model import guide, guide_values
from labctl.model.plan import Plan
from labctl.model.task_boxes import Box

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Guide:
    """Pages in order, whether the guide cannot be read, and the seat's boxes by their task."""

    pages: tuple[guide.Page, ...] = ()
    wrong: bool = False
    boxes: Mapping[str, Box] = field(default_factory=dict)

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


def of(house: wiring.Wiring, slug: str, number: int, environment: str) -> Guide:
    """The guide of the frozen blueprint with this seat's values. A guide with a mistake must not take the terminals away with it; its
    tasks are there all the same.
    """
    try:
        plan = house.environments.plan(environment)
        book = house.shelf.frozen(plan.source)
    except errors.LabctlError:
        return Guide()
    boxes = {one.id: one for one in house.examining.boxes(slug, number)}
    files = {path: file.read_text(encoding="utf-8", errors="replace") for path, file in book.files.items() if guide.FILE.fullmatch(path)}
    try:
        pages = _read(files, plan)
    except errors.BadInput as error:
        _log.warning("the guide of %s cannot be read: %s", plan.source, "; ".join(str(one) for one in error.complaints))
        return Guide(_read({}, plan), wrong=True, boxes=boxes)
    return Guide(tuple(guide_values.filled(one, plan) for one in pages), boxes=boxes)


def _read(files: Mapping[str, str], plan: Plan) -> tuple[guide.Page, ...]:
    machines = [one.name for one in plan.machines if "terminal" in one.access]
    return guide.read(files, machines, [one.id for one in plan.tasks])
