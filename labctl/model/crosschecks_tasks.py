"""Cross-checks of tasks: names, order, machines of their checks and actions, skills, and what references would give away."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.model import blueprint as language
from labctl.model import blueprint_tasks, crosschecks_steps, marked, references
from labctl.model.finding import Finding


def findings(blueprint: language.Blueprint) -> Iterator[Finding]:
    """Everything about tasks."""
    places: dict[str, int] = {}
    for number, task in enumerate(blueprint.tasks):
        if task.id in places:
            yield Finding(("tasks", number, "id"), f"'{task.id}' is already the id of another task; choose another")
        places.setdefault(task.id, number)
    for number, task in enumerate(blueprint.tasks):
        loc: marked.Loc = ("tasks", number)
        yield from _requires(places, number, task)
        for place, skill in enumerate(task.skills):
            if skill not in blueprint.about.skills:
                yield Finding((*loc, "skills", place), references.absent("skill", skill, blueprint.about.skills))
        for place, check in enumerate(task.checks or ()):
            yield from crosschecks_steps.check(blueprint, (*loc, "checks", place), check)
        for key in ("setup", "solve"):
            for place, action in enumerate(getattr(task, key)):
                yield from _action(blueprint, (*loc, key, place), action)
        yield from _told(blueprint, loc, task)
        if task.checks and not task.solve:
            yield Finding(
                (*loc, "checks"), f"task '{task.id}' has checks but no solve: nothing shows that it can be done", warning=True, at_key=True
            )


def _requires(places: dict[str, int], number: int, task: blueprint_tasks.Task) -> Iterator[Finding]:
    for place, other in enumerate(task.requires):
        loc: marked.Loc = ("tasks", number, "requires", place)
        if other not in places:
            yield Finding(loc, references.absent("task", other, places))
        elif places[other] == number:
            yield Finding(loc, f"task '{other}' cannot require itself")
        elif places[other] > number:
            yield Finding(loc, f"task '{other}' comes later; a task requires earlier ones")


def _action(blueprint: language.Blueprint, loc: marked.Loc, action: blueprint_tasks.Action) -> Iterator[Finding]:
    yield from crosschecks_steps.place(blueprint, loc, action.machine, "action")
    if action.run is not None:
        yield from crosschecks_steps.texts(blueprint, loc, {"run": action.run})


def _told(blueprint: language.Blueprint, loc: marked.Loc, task: blueprint_tasks.Task) -> Iterator[Finding]:
    """What learners read must not hold what they may not know; what they have to find may."""
    if task.answer is not None:
        texts = {"is": list(task.answer.is_ or ()), "matches": task.answer.matches}
        for inside, text in references.scattered(texts):
            for path in references.paths(text):
                if complaint := references.refusal(blueprint, path):
                    yield Finding((*loc, "answer", *inside), complaint)
    for place, hint in enumerate(task.hints):
        yield from _open(blueprint, (*loc, "hints", place, "text"), hint.text)
    yield from _open(blueprint, (*loc, "explain"), task.explain or "")


def _open(blueprint: language.Blueprint, loc: marked.Loc, text: str) -> Iterator[Finding]:
    for path in references.paths(text):
        if complaint := references.refusal(blueprint, path) or references.given_away(blueprint, path):
            yield Finding(loc, complaint)
