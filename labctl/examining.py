"""Looks into a learner's machines: checks of tasks, their setup, files that the guide writes (`blueprint.md` 11, 13, 16).

A look goes over labctl's own connection, in a few threads of the process that was asked (`task_ports.Hands`): it neither takes nor waits
for the runner's claim, so it never holds up a step. Instead it is begun only while the seat may be entered, one look a seat at a time,
and what it found counts only if the machines are still the same and in the same round when it ends. Rules are in
`labctl.model.tasks`; answers and hints, for which nobody looks into machines, in `labctl.tasking`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import timedelta

from labctl import desk as desk_
from labctl import errors, ports, task_ports
from labctl.model import lifecycle, task_boxes, task_words, tasks
from labctl.model.classroom import Classroom
from labctl.model.environment import Environment
from labctl.model.plan import Plan, PlannedTask
from labctl.model.task_words import Spoken
from labctl.model.tasks import Outcome, Standing, State

QUEUE = timedelta(minutes=2)
"""How long a look may wait for a free hand before the seat may be looked into anew."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class At:
    """One task at one seat, as it was when somebody asked; `known` of all its tasks."""

    slug: str
    number: int
    env: Environment
    plan: Plan
    task: PlannedTask
    known: Mapping[str, Standing]

    @property
    def standing(self) -> Standing:
        """What is known of this one."""
        return self.known.get(self.task.id, Standing(self.task.id))


@dataclass(frozen=True)
class Examining:
    """See the module. `holder` is this process."""

    desk: desk_.Desk
    standings: task_ports.Standings
    looks: task_ports.Looks
    examiner: Callable[[], task_ports.Examiner]
    shelf: ports.Shelf
    hands: task_ports.Hands
    holder: str
    _counts: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    _patrolled: set[tuple[str, int]] = field(default_factory=set, repr=False, compare=False)

    def boxes(self, slug: str, number: int, said: Spoken = task_words.OWN) -> tuple[task_boxes.Box, ...]:
        """The tasks of a seat as its learner may see them, in the words of `said`; none where its plan is gone. Raises NotFound."""
        _, env = self.desk.seat(slug, number)
        try:
            plan = self.desk.environments.plan(env.id)
        except errors.NotFound:
            return ()
        looking = self.looks.looking(slug, number) if plan.tasks else ""
        return task_boxes.boxes(plan, self._known(slug, number), env, looking, said)

    def box(self, slug: str, number: int, task: str, said: Spoken = task_words.OWN) -> task_boxes.Box:
        """One of them. Raises NotFound."""
        for one in self.boxes(slug, number, said):
            if one.id == task:
                return one
        raise _no_task(task)

    def of(self, room: Classroom) -> int:
        """How many tasks the class's blueprint has; looked up once, for frozen ones never change."""
        source = f"{room.blueprint}@{room.digest}"
        if source not in self._counts:
            try:
                self._counts[source] = len(self.desk.library.frozen(source).blueprint.tasks)
            except errors.LabctlError:
                return 0
        return self._counts[source]

    def check(self, slug: str, number: int, task: str, *, who: str) -> Future[None]:
        """Begin a look; what it finds is written when it ends. Raises NotFound, BadInput (the task has no checks), Conflict: locked, the
        seat cannot be entered now, or a look goes on.
        """
        at = self.at(slug, number, task, "checks")
        self._must_be_ready(at)
        if at.task.setup and not task_boxes.holds(at.standing.set_up, at.env):
            self.prepare(slug, number)
            raise errors.Conflict(f"the machines are still being prepared for '{at.task.title}'.", hint="Press again in a moment.")
        holder = self._begin(at, sum(check.timeout for check in at.task.checks))

        def look() -> None:
            try:
                self._look(at, who)
            finally:
                self.looks.end_look(slug, number, holder)
            # What it opened could not be prepared while the look went on.
            self.prepare(slug, number)

        return self.hands.do(look)

    def write(self, slug: str, number: int, machine: str, path: str, content: str, *, who: str) -> Future[None]:
        """Write a file on a machine of the seat as its learner would. Raises NotFound, Conflict; its end may raise
        BadInput, Unreachable.
        """
        _, env = self.desk.seat(slug, number)
        plan = self.desk.environments.plan(env.id)
        made = {one.name: one for one in env.facts.machines}
        if machine not in made or "terminal" not in plan.machine(machine).access:
            raise errors.NotFound(f"there is no machine '{machine}' with a terminal.")
        self._must_be_entered(env, number, slug)
        self.desk.journal.write(env.id, "guide", f"{machine}: {path} is written from the guide", who)
        return self.hands.do(lambda: self.examiner().write(plan, made[machine], path, content))

    def prepare(self, slug: str, number: int) -> Future[None] | None:
        """Begin the `setup` of tasks that are open and not prepared on these machines yet; None where nothing is due or can be begun."""
        _, env = self.desk.seat(slug, number)
        if not self._enterable(env):
            return None
        plan = self.desk.environments.plan(env.id)
        due = self._unprepared(slug, number, env, plan)
        if not due:
            return None
        at = At(slug, number, env, plan, due[0], {})
        try:
            holder = self._begin(at, sum(action.timeout for task in due for action in task.setup))
        except errors.Conflict:
            return None

        def set_up() -> None:
            try:
                for task in self._unprepared(slug, number, env, plan):
                    self._set_up(replace(at, task=task))
            finally:
                self.looks.end_look(slug, number, holder)

        return self.hands.do(set_up)

    def patrol(self, slug: str, number: int) -> Future[None] | None:
        """Look into what is open without anybody's pressing: what passes is done, what fails says nothing. None where nothing is due."""
        self.prepare(slug, number)
        _, env = self.desk.seat(slug, number)
        if (slug, number) in self._patrolled or not self._enterable(env):
            return None
        plan, known = self.desk.environments.plan(env.id), self._known(slug, number)
        due = [
            task
            for task in plan.tasks
            if task.proof == "checks"
            and tasks.state(task, known) is State.OPEN
            and (not task.setup or task_boxes.holds(known.get(task.id, Standing(task.id)).set_up, env))
        ]
        if not due:
            return None
        self._patrolled.add((slug, number))

        def look() -> None:
            try:
                for task in due:
                    self._look(At(slug, number, env, plan, task, known), "labctl", quiet=True)
            finally:
                self._patrolled.discard((slug, number))

        return self.hands.do(look)

    def _known(self, slug: str, number: int) -> dict[str, Standing]:
        return {one.task: one for one in self.standings.standings(slug, number)}

    def at(self, slug: str, number: int, task: str, proof: str = "") -> At:
        """The task of a seat, if it is open. Raises NotFound, BadInput (a spare, another proof), Conflict (locked, class closed)."""
        seat, env = self.desk.seat(slug, number)
        if self.desk.room(slug).closed is not None:
            raise errors.Conflict(f"class '{slug}' is closed.", hint="Nobody is in it any more.")
        if seat.learner is None:
            raise errors.BadInput(f"seat {number} of class '{slug}' is a spare.", hint="Nobody sits there who could do tasks.")
        plan = self.desk.environments.plan(env.id)
        found = next((one for one in plan.tasks if one.id == task), None)
        if found is None:
            raise _no_task(task)
        if proof and found.proof != proof:
            raise errors.BadInput(f"task '{task}' is not proven by {proof} but by {found.proof}.", hint="Its box has the right button.")
        known = self._known(slug, number)
        if tasks.state(found, known) is State.LOCKED:
            raise errors.Conflict(f"task '{task}' is not open yet.", hint="What it requires comes first; its box names it.")
        return At(slug, number, env, plan, found, known)

    def _enterable(self, env: Environment) -> bool:
        now = self.desk.clock.now()
        return not env.wishes.aside and not lifecycle.leaving(env, now) and lifecycle.status(env, now) is lifecycle.Status.READY

    def _must_be_ready(self, at: At) -> None:
        self._must_be_entered(at.env, at.number, at.slug)

    def _must_be_entered(self, env: Environment, number: int, slug: str) -> None:
        if not self._enterable(env):
            word = lifecycle.status(env, self.desk.clock.now()).value
            raise errors.Conflict(f"seat {number} of class '{slug}' is {word}.", hint="Its machines can be looked into once it is ready.")

    def _begin(self, at: At, seconds: int) -> str:
        holder = f"{self.holder}/{secrets.token_hex(4)}"
        until = self.desk.clock.now() + QUEUE + timedelta(seconds=seconds)
        if not self.looks.begin_look(at.slug, at.number, at.task.id, holder, until):
            raise errors.Conflict(f"a check of seat {at.number} is going on.", hint="Wait for its end, then press again.")
        return holder

    def _look(self, at: At, who: str, *, quiet: bool = False) -> None:
        exam = self.examiner().examine(at.plan, at.env.facts.machines, self.shelf.folder(at.plan.source), at.task)
        if exam.outcome is Outcome.PASSED and not self._same(at):
            exam = task_ports.Exam(Outcome.UNKNOWN, detail="the machines were set back meanwhile")
        if exam.outcome is Outcome.PASSED:
            self.finish(at, who, "done (its checks passed)")
        elif not quiet:
            now = self.desk.clock.now()
            self.standings.mark_task(
                at.slug, at.number, at.task.id, lambda before: replace(before, outcome=exam.outcome, message=exam.message, at=now)
            )
            word = "not done yet" if exam.outcome is Outcome.FAILED else "could not be looked into"
            self.tell(at, f"{word}: {exam.detail}", who)

    def _same(self, at: At) -> bool:
        """Whether these are still the seat's machines, in the round in which they were looked into."""
        try:
            _, env = self.desk.seat(at.slug, at.number)
        except errors.NotFound:
            return False
        return env.id == at.env.id and env.wishes.round == at.env.wishes.round and self._enterable(env)

    def finish(self, at: At, who: str, word: str) -> None:
        """It is done; `word` is how, for the journal. What was done before keeps its points."""
        now, seen = self.desk.clock.now(), task_boxes.here(at.env)

        def done(before: Standing) -> Standing:
            passed = replace(before, outcome=Outcome.PASSED, message="", at=now, proven=seen)
            return passed if before.done is not None else replace(passed, done=now, earned=tasks.worth(at.task, before.hints))

        before = at.standing
        self.standings.mark_task(at.slug, at.number, at.task.id, done)
        if before.done is None:
            self.tell(at, word, who)
            self.prepare(at.slug, at.number)

    def _unprepared(self, slug: str, number: int, env: Environment, plan: Plan) -> list[PlannedTask]:
        with_setup = [task for task in plan.tasks if task.setup]
        known = self._known(slug, number) if with_setup else {}
        return [
            task
            for task in with_setup
            if tasks.state(task, known) is State.OPEN and not task_boxes.holds(known.get(task.id, Standing(task.id)).set_up, env)
        ]

    def _set_up(self, at: At) -> None:
        try:
            self.examiner().act(at.plan, at.env.facts.machines, self.shelf.folder(at.plan.source), at.task.setup)
        except errors.LabctlError as error:
            _log.warning("task %s of %s cannot be prepared: %s", at.task.id, at.env.id, error)
            self.tell(at, f"cannot be prepared: {error.message}", "labctl")
            return
        if self._same(at):
            self.standings.mark_task(at.slug, at.number, at.task.id, lambda before: replace(before, set_up=task_boxes.here(at.env)))
            self.tell(at, "prepared", "labctl")

    def tell(self, at: At, text: str, who: str) -> None:
        """A line of the seat's journal."""
        self.desk.journal.write(at.env.id, "task", f"{at.task.id}: {text}", who)


def _no_task(task: str) -> errors.NotFound:
    return errors.NotFound(f"there is no task '{task}'.", hint="The seat's page shows all of them.")
