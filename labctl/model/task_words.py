"""What learners read of tasks in another language: `guide.<lang>/tasks.yaml` (`blueprint.md` 16), read strictly.

What is right, what it costs and in which order choices are shown stay the blueprint's: a translation has words only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from labctl import errors
from labctl.model import marked, references
from labctl.model.blueprint_tasks import Task
from labctl.model.plan import PlannedTask

KEYS = ("title", "hints", "explain", "choices")


@dataclass(frozen=True)
class Words:
    """Of one task: as many hints and choices as it has, in its order. References stand as they were written."""

    title: str
    hints: tuple[str, ...] = ()
    explain: str = ""
    choices: tuple[str, ...] = ()

    def filled(self, fill: Callable[[str], str]) -> Words:
        """With every text put through `fill`."""
        return Words(self.title, tuple(map(fill, self.hints)), fill(self.explain), tuple(map(fill, self.choices)))


@dataclass(frozen=True)
class Spoken:
    """In which language a seat's tasks are shown, and by which words; those of the blueprint where there are none."""

    language: str = ""
    words: Mapping[str, Words] = field(default_factory=dict)

    def of(self, task: PlannedTask) -> Words:
        """The task's."""
        own = Words(task.title, tuple(hint.text for hint in task.hints), task.explain, tuple(choice.text for choice in task.choices))
        return self.words.get(task.id, own)

    def filled(self, fill: Callable[[str], str]) -> Spoken:
        """With every text put through `fill`."""
        return Spoken(self.language, {task: words.filled(fill) for task, words in self.words.items()})


OWN = Spoken()
"""As the blueprint says it."""


def read(text: str, file: str, tasks: Sequence[Task | PlannedTask], refused: Callable[[tuple[str, ...]], str]) -> Mapping[str, Words]:
    """Task -> its words. `refused` says why a reference may not stand where learners read. Raises BadInput with all complaints."""
    tree = marked.read(text, file)
    reader = _Reader(tree, refused)
    words = reader.all(tasks)
    if reader.found:
        raise marked.refusal(file, reader.found)
    return words


class _Reader:
    def __init__(self, tree: marked.Tree, refused: Callable[[tuple[str, ...]], str]) -> None:
        self._tree, self._refused = tree, refused
        self.found: list[errors.Complaint] = []

    def all(self, tasks: Sequence[Task | PlannedTask]) -> dict[str, Words]:
        """Of the whole file."""
        root = self._tree.root or {}
        if not isinstance(root, dict):
            self._wrong((), "tasks in another language are a block: the task's id, then title, hints, explain, choices")
            return {}
        known = {task.id: task for task in tasks}
        for name in root:
            if name not in known:
                self._wrong((name,), references.absent("task", name, known), key=True)
        for name in known:
            if name not in root:
                self._wrong((), f"task '{name}' is missing here; every task is translated")
        return {name: self._task(task, root[name]) for name, task in known.items() if name in root}

    def _task(self, task: Task | PlannedTask, block: object) -> Words:
        if not isinstance(block, dict):
            self._wrong((task.id,), f"'{task.id}' is a block with {', '.join(KEYS)}", key=True)
            return Words("")
        for key in block:
            if key not in KEYS:
                self._wrong((task.id, key), f"there is no key '{key}' here; there are: {', '.join(KEYS)}", key=True)
        title = self._text((task.id, "title"), block.get("title"))
        if "title" not in block:
            self._wrong((task.id,), "'title' is missing", key=True)
        explain = self._text((task.id, "explain"), block.get("explain"))
        if bool(task.explain) != ("explain" in block):
            said = "'explain' is missing" if task.explain else "the task has no 'explain' to be translated"
            self._wrong((task.id, *(() if task.explain else ("explain",))), said, key=True)
        hints = self._texts((task.id, "hints"), block.get("hints", []), len(task.hints))
        return Words(title, hints, explain, self._texts((task.id, "choices"), block.get("choices", []), len(task.choices or ())))

    def _text(self, loc: marked.Loc, value: object) -> str:
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip():
            self._wrong(loc, f"'{loc[-1]}' is a text" if isinstance(loc[-1], str) else "this is a text")
            return ""
        try:
            paths = references.paths(value)
        except references.Unclosed as error:
            self._wrong(loc, str(error))
            return ""
        if paths and loc[-1] == "title":
            self._wrong(loc, "a reference is not possible here")
        for path in paths:
            if why := self._refused(path):
                self._wrong(loc, why)
        return str(value)

    def _texts(self, loc: marked.Loc, value: object, number: int) -> tuple[str, ...]:
        if not isinstance(value, list):
            self._wrong(loc, f"'{loc[-1]}' is a list of texts", key=True)
            return ()
        if len(value) != number:
            self._wrong(loc, f"the task has {number} {loc[-1]}, and here are {len(value)}", key=True)
        return tuple(self._text((*loc, place), one) for place, one in enumerate(value))

    def _wrong(self, loc: marked.Loc, text: str, *, key: bool = False) -> None:
        while key and loc and loc not in self._tree.keys:
            loc = loc[:-1]
        self.found.append(self._tree.complaint(self._tree.key_mark(loc) if key else self._tree.value_mark(loc), text))
