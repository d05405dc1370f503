"""What a learner may be shown of a task: never a right answer, a hint only when it was opened, the explanation only at the end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labctl.model import second_chances, task_words, tasks
from labctl.model.environment import Environment
from labctl.model.plan import Plan, PlannedTask
from labctl.model.task_words import Spoken
from labctl.model.tasks import Standing, State


@dataclass(frozen=True)
class Box:
    """One task as one seat sees it. `worth`: points that are left of it; `said`: what its last look came to; `requires`: titles of what is
    still to be done before; `hints` that are open, of `hints_all`, and what the next costs; `tries_left` None where there is no limit;
    `looking` while a check of this seat goes on for it; `stale`: it was proven on machines that were set back since; `waits`: its machines
    are still being prepared; `language` of its words, where that is known.
    """

    id: str
    title: str
    points: int
    proof: str
    state: State
    standing: Standing
    worth: int
    said: str = ""
    requires: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    hints_all: int = 0
    next_cost: int = 0
    choices: tuple[str, ...] = ()
    several: bool = False
    tries_left: int | None = None
    explain: str = ""
    minutes: int | None = None
    optional: bool = False
    looking: bool = False
    stale: bool = False
    waits: bool = False
    language: str = ""

    @property
    def over(self) -> bool:
        """Whether it is done or given up."""
        return self.state in {State.DONE, State.GIVEN_UP}


def here(env: Environment) -> str:
    """What tells these machines, as they were first set up or last set back, from all others."""
    return f"{env.id}/{env.wishes.round}"


def holds(mark: str, env: Environment) -> bool:
    """Whether what was true on the machines of that mark is so on these: the same, or gone back to after a reset."""
    return mark == here(env) or (second_chances.goes_back(env) and mark.partition("/")[0] == env.id)


def boxes(
    plan: Plan, standings: Mapping[str, Standing], env: Environment, looking: str = "", said: Spoken = task_words.OWN
) -> tuple[Box, ...]:
    """All tasks of a seat in their order. `looking`: the task that a look goes on for; `said`: by which words they are shown."""
    return tuple(box(plan, task, standings, env, looking, said) for task in plan.tasks)


def box(
    plan: Plan, task: PlannedTask, standings: Mapping[str, Standing], env: Environment, looking: str = "", said: Spoken = task_words.OWN
) -> Box:
    """One of them."""
    mine = standings.get(task.id, Standing(task.id))
    state = tasks.state(task, standings)
    words = said.of(task)
    titles = {one.id: said.of(one).title for one in plan.tasks}
    over = state in {State.DONE, State.GIVEN_UP}
    shown = state is not State.LOCKED
    return Box(
        id=task.id,
        title=words.title,
        points=task.points,
        proof=task.proof,
        state=state,
        standing=mine,
        said=words.title if mine.message == task.title else mine.message,
        worth=tasks.worth(task, mine.hints),
        requires=tuple(titles[other] for other in task.requires if not _done(standings.get(other))),
        hints=words.hints[: mine.hints],
        hints_all=len(task.hints),
        next_cost=task.hints[mine.hints].cost if mine.hints < len(task.hints) else 0,
        # In which order they are shown follows from the blueprint's own texts, so a place means the same in every language.
        choices=tuple(words.choices[number] for number in tasks.shuffled(plan, task)) if shown else (),
        several=sum(choice.right for choice in task.choices) > 1,
        tries_left=None if task.attempts is None else max(0, task.attempts - mine.tries),
        explain=words.explain if over else "",
        minutes=task.minutes,
        optional=task.optional,
        looking=looking == task.id,
        stale=state is State.DONE and task.proof == "checks" and not holds(mine.proven, env),
        waits=bool(task.setup) and state is State.OPEN and not holds(mine.set_up, env),
        language=said.language,
    )


def _done(standing: Standing | None) -> bool:
    return standing is not None and standing.done is not None
