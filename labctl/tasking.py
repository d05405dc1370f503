"""What learners say of their tasks: answers, choices, their word, asking for a hint, giving up (`blueprint.md` 13).

Nobody looks into machines here (`labctl.examining` does), so it goes on while a seat starts again. Rules are in `labctl.model.tasks`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from labctl import errors
from labctl import examining as examining_
from labctl.examining import At
from labctl.model import tasks
from labctl.model.tasks import Outcome, Standing


@dataclass(frozen=True)
class Tasking:
    """See the module."""

    examining: examining_.Examining

    def answer(self, slug: str, number: int, task: str, said: str, *, who: str) -> bool:
        """Whether that is right; a try. Raises NotFound, BadInput, Conflict (locked, done, too soon, no tries left)."""
        at = self.examining.at(slug, number, task, "answer")
        if not said.strip() or len(said) > tasks.LONGEST:
            raise errors.BadInput(f"an answer has 1 to {tasks.LONGEST} signs.", hint="Write it into the field, then send it.")
        self._count(at)
        assert at.task.answer is not None, "the reader saw to it"
        return self._judge(at, tasks.right(at.task.answer, said), who)

    def choose(self, slug: str, number: int, task: str, places: Collection[int], *, who: str) -> bool:
        """The same for choices, by their places in the order that this seat sees, from 0."""
        at = self.examining.at(slug, number, task, "choices")
        if not places or any(not 0 <= place < len(at.task.choices) for place in places):
            raise errors.BadInput("nothing of what is there was chosen.", hint="Choose, then send it.")
        self._count(at)
        return self._judge(at, tasks.chosen_right(at.plan, at.task, places), who)

    def confirm(self, slug: str, number: int, task: str, *, who: str) -> None:
        """The learner says so. May be repeated. Raises as `answer` does."""
        at = self.examining.at(slug, number, task, "confirm")
        if at.standing.done is None:
            self.examining.finish(at, who, "done (their word)")

    def hint(self, slug: str, number: int, task: str, which: int, *, who: str) -> str:
        """Open the hint of that number, from 1, and read it; once opened it costs nothing more. Raises BadInput where it is
        not the next.
        """
        at = self.examining.at(slug, number, task)
        if not 1 <= which <= len(at.task.hints):
            raise errors.BadInput(f"task '{task}' has {len(at.task.hints)} hints.", hint="They are opened in order.")

        def opened(before: Standing) -> Standing:
            if which > before.hints + 1:
                raise errors.BadInput(f"hint {before.hints + 1} comes first.", hint="Hints are opened in order.")
            return replace(before, hints=max(before.hints, which)) if before.done is None else before

        before = at.standing
        if self.examining.standings.mark_task(slug, number, task, opened).hints > before.hints:
            self.examining.tell(at, f"hint {which} was opened", who)
        return at.task.hints[which - 1].text

    def give_up(self, slug: str, number: int, task: str, *, who: str) -> None:
        """No points, the explanation is shown, what follows opens. May be repeated. Raises NotFound, Conflict (locked)."""
        at = self.examining.at(slug, number, task)
        now = self.examining.desk.clock.now()

        def given_up(before: Standing) -> Standing:
            return replace(before, done=now, gave_up=True, earned=0) if before.done is None else before

        if at.standing.done is None:
            self.examining.standings.mark_task(slug, number, task, given_up)
            self.examining.tell(at, "given up", who)
            self.examining.prepare(slug, number)

    def _count(self, at: At) -> None:
        """A try is counted before it is made, in one transaction: many at once are no more tries than one after another."""
        now = self.examining.desk.clock.now()

        def counted(before: Standing) -> Standing:
            if before.done is not None:
                raise errors.Conflict(f"task '{at.task.id}' is done.", hint="There is nothing more to answer.")
            if at.task.attempts is not None and before.tries >= at.task.attempts:
                raise errors.Conflict(f"no tries are left for task '{at.task.id}'.", hint="Giving up shows the explanation and goes on.")
            if before.tries and before.at is not None and now - before.at < tasks.PAUSE:
                raise errors.Conflict("there are three seconds between two tries.", hint="Wait a moment, then send it again.")
            return replace(before, tries=before.tries + 1, at=now)

        self.examining.standings.mark_task(at.slug, at.number, at.task.id, counted)

    def _judge(self, at: At, good: bool, who: str) -> bool:
        if good:
            self.examining.finish(at, who, "done (answered)")
            return True
        standing = self.examining.standings.mark_task(
            at.slug, at.number, at.task.id, lambda before: replace(before, outcome=Outcome.FAILED, message="")
        )
        self.examining.tell(at, f"wrong answer, try {standing.tries}", who)
        return False
