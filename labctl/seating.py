"""What happens to single seats while a class runs: a learner gets a spare's machines, and a reset is undone.

The desk's verbs, kept apart from opening and closing. Wishes are written here; the work is the runner's.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from labctl import desk as desk_
from labctl import errors, goldens
from labctl.model import drawing, handing, lifecycle, planning
from labctl.model import seats as seats_
from labctl.model.classroom import Classroom, Seat
from labctl.model.environment import Environment, State, Step, Wanted, Wishes
from labctl.model.lifecycle import Status
from labctl.model.plan import Plan


@dataclass(frozen=True)
class Swap:
    """What a swap came to: the seat, whose place its old machines have now, and whether they are kept. `added` is the new spare's
    seat; `not_added` says why there is none although one was asked for.
    """

    seat: int
    spare: int
    kept: bool
    added: int | None = None
    not_added: str = ""


@dataclass(frozen=True)
class Seating:
    """See the module."""

    desk: desk_.Desk

    def undo(self, slug: str, number: int, *, who: str) -> Environment:
        """Go back to what was there before the last reset. Raises NotFound, Conflict (nothing to undo), Unreachable (broker)."""
        _, env = self.desk.seat(slug, number)
        now = self.desk.clock.now()
        if env.facts.kept is None or now >= env.facts.kept.until:
            raise errors.Conflict(
                f"there is nothing to undo on seat {number} of class '{slug}'.",
                hint="Only a reset can be undone: until the next one, and not for long.",
            )
        if lifecycle.due(env, now) in {Step.RESET, Step.HAND_OVER}:
            word = lifecycle.status(env, now).value
            raise errors.Conflict(f"seat {number} of class '{slug}' is {word}.", hint="Wait until that is done.")
        return self.desk.again(env, "undo", who, lambda wishes: replace(wishes, round=wishes.round + 1, undo=wishes.round + 1))

    def swap(self, slug: str, number: int, *, who: str, keep: bool = False, refill: bool = False) -> Swap:
        """Give the seat's learner the machines of a spare that is ready, with the learner's own identity and values. The old
        machines are removed, or kept aside for a look; `refill` makes a new spare.

        Raises NotFound, BadInput (the seat is a spare), Conflict (no spare, class over), Unreachable (broker).
        """
        room = self.desk.room(slug)
        seat, _ = self.desk.seat(slug, number)
        if seat.learner is None:
            raise errors.BadInput(f"seat {number} of class '{slug}' is a spare itself.", hint="Name a learner's seat.")
        spare = self._spare(room)
        self.desk.bell.listen()
        self._exchange(seat, spare, keep=keep)
        what = "kept aside" if keep else "removed"
        self.desk.journal.write(spare.environment, "swap", f"given to {seat.learner.name} on seat {number}", who)
        self.desk.journal.write(seat.environment, "swap", f"taken from seat {number}, in place of spare {spare.number}; {what}", who)
        self.desk.ring([spare.environment, seat.environment])
        done = Swap(number, spare.number, kept=keep)
        if not refill:
            return done
        try:
            return replace(done, added=self._add_spare(slug, spare, who))
        except errors.LabctlError as error:
            # The learner has working machines by now: that there is no new spare must not look as if nothing had happened.
            return replace(done, not_added=error.told)

    def _spare(self, room: Classroom) -> Seat:
        now = self.desk.clock.now()
        known = {env.id: env for env in self.desk.environments.environments(classroom=room.slug)}
        spares = [seat for seat in room.seats if seat.learner is None and seat.environment in known]
        spares = [seat for seat in spares if not known[seat.environment].wishes.aside]
        for seat in spares:
            if _ready(known[seat.environment], now):
                return seat
        if not spares:
            hint = "Reset the seat instead; the next class may be opened with spares."
            raise errors.Conflict(f"class '{room.slug}' has no spare.", hint=hint)
        words = ", ".join(f"seat {seat.number} is {lifecycle.status(known[seat.environment], now).value}" for seat in spares)
        raise errors.Conflict(f"class '{room.slug}' has no spare that is ready: {words}.", hint="Wait until one is, or reset the seat.")

    def _exchange(self, seat: Seat, spare: Seat, *, keep: bool) -> None:
        now = self.desk.clock.now()
        site = self.desk.cluster().site
        lab = self.desk.library.frozen(self.desk.environments.plan(spare.environment).source).blueprint

        def change(old: Environment, new: Environment) -> tuple[Wishes, Wishes]:
            if lifecycle.leaving(old, now) or old.facts.state is State.GONE:
                raise errors.Conflict(f"seat {seat.number} of class '{seat.classroom}' is being removed.", hint="Its class is over.")
            if not _ready(new, now):
                raise errors.Conflict(f"spare {spare.number} is not ready any more.", hint="Try again.")
            aside = replace(old.wishes, aside=True, wanted=old.wishes.wanted if keep else Wanted.GONE)
            return aside, replace(new.wishes, hand=new.wishes.hand + 1, round=new.wishes.round + 1)

        def plan(old: Plan, new: Plan) -> Plan:
            values = {variable.name: variable.value for variable in old.variables}
            moved = replace(seat, environment=new.environment)
            fresh = seats_.plan(lab, site, moved, new.plot, new.source, values)
            return handing.handed(new, fresh.model_copy(update={"principal": old.principal}))

        self.desk.classrooms.exchange(seat, spare, plan, change)

    def _add_spare(self, slug: str, like: Seat, who: str) -> int:
        cluster = self.desk.cluster()
        kept = self.desk.environments.plan(like.environment)
        book = self.desk.library.frozen(kept.source)
        lab = book.blueprint
        answers = {one.name: one.value for one in kept.variables if one.name in drawing.questions(lab)}
        seat = Seat(slug, max(one.number for one in self.desk.room(slug).seats) + 1, None, goldens.new_id())
        values = planning.draw(lab, answers, secrets.SystemRandom())

        def plan(plot: int) -> Plan:
            made = cluster.provisioner.preflight((seats_.plan(lab, cluster.site, seat, plot, kept.source, values),))
            return self.desk.goldens.under(made, book, who)[0]

        self.desk.classrooms.add_seat(slug, seat, plan, cluster.site.plots)
        self.desk.journal.write(seat.environment, "open", f"class {slug}, seat {seat.number}: a new spare", who)
        self.desk.ring([seat.environment])
        return seat.number


def _ready(env: Environment, now: datetime) -> bool:
    return lifecycle.status(env, now) is Status.READY and not lifecycle.leaving(env, now)
