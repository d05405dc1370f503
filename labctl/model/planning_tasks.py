"""Tasks of one seat: the blueprint's, with every reference resolved. Part of `labctl.model.planning`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from labctl.model import blueprint_steps, blueprint_tasks, references
from labctl.model import plan as plan_


def task(
    written: blueprint_tasks.Task,
    check: Callable[[blueprint_steps.Check], plan_.PlannedCheck],
    lookup: Callable[[tuple[str, ...]], Any],
    first: str,
) -> plan_.PlannedTask:
    """The task as it is for this seat. `check` and `lookup` are the planner's; `first` is the machine where none is named."""

    def text(value: str) -> str:
        return references.written(references.resolve(value, lookup))

    def actions(several: tuple[blueprint_tasks.Action, ...]) -> tuple[plan_.PlannedAction, ...]:
        return tuple(
            plan_.PlannedAction(
                kind=one.kind,
                what=text(one.run) if one.run is not None else str(one.script),
                machine=one.machine or first,
                as_user=one.as_,
                timeout=one.timeout,
            )
            for one in several
        )

    answer = written.answer
    return plan_.PlannedTask(
        id=written.id,
        title=written.title,
        points=written.points,
        requires=written.requires,
        proof=written.proof,
        answer=None
        if answer is None
        else plan_.PlannedAnswer(
            texts=tuple(text(one) for one in answer.is_ or ()),
            matches=None if answer.matches is None else references.written(references.resolve(answer.matches, lookup, re.escape)),
            sha256=answer.sha256,
            case=answer.case,
        ),
        choices=tuple(plan_.PlannedChoice(text=one.text, right=one.right) for one in written.choices or ()),
        checks=tuple(check(one) for one in written.checks or ()),
        attempts=written.attempts,
        hints=tuple(plan_.PlannedHint(text=text(one.text), cost=one.cost) for one in written.hints),
        explain=text(written.explain or ""),
        setup=actions(written.setup),
        solve=actions(written.solve),
        skills=written.skills,
        minutes=written.minutes,
        optional=written.optional,
    )
