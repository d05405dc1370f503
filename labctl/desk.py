"""The front desk: open a class, extend, reset, retry, close, hand out a seat's files. Writes wishes, rings, and is done.

Everything that may be wrong is looked at before anything is written. What happens then is the runner's business; who may ask
is the doors' business.
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from labctl import errors, goldens, ports
from labctl.model import lasting, lifecycle, planning, roster
from labctl.model import seats as seats_
from labctl.model.blueprint import Blueprint
from labctl.model.classroom import Classroom, Seat
from labctl.model.environment import Environment, Lease, State, Step, Wishes
from labctl.model.plan import Plan
from labctl.model.site import Site

SLUG = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
"""A class's name: it stands in addresses, host names and folders."""

AWAKE = 16
"""Rings for one wish at most, however many seats it is for."""


@dataclass(frozen=True)
class Cluster:
    """What the desk asks of the cluster before a class is opened."""

    site: Site
    provisioner: ports.Provisioner


@dataclass(frozen=True)
class Desk:
    """Takes people's wishes. `cluster` is asked for only when a class is opened: closing needs none."""

    classrooms: ports.Classrooms
    environments: ports.Environments
    journal: ports.Journal
    bell: ports.Bell
    clock: ports.Clock
    library: ports.Library
    cluster: Callable[[], Cluster]
    keys: ports.Keys
    goldens: goldens.Goldens

    def open(
        self,
        blueprint: str,
        roster_csv: bytes,
        *,
        slug: str,
        title: str = "",
        starts: datetime | None = None,
        ends: datetime | None = None,
        answers: Mapping[str, Any] | None = None,
        trainer: str,
        seats: int | None = None,
        spares: int = 0,
        may_join: bool = False,
    ) -> Classroom:
        """Open a class of one seat for each line of the roster (only the first `seats`, if that is given) and of `spares` seats
        without a learner: all of it is written, or nothing. `may_join`: learners agree beforehand that trainers type in their terminals.

        Raises BadInput (name, roster, dates, answers, blueprint), NotFound (blueprint, template), Conflict (name taken, no room on
        the cluster), Unreachable (node, broker).
        """
        _check_name(slug)
        learners = seats_.chosen(roster.parse(roster_csv, "roster"), seats, spares)
        book = self.book(blueprint)
        now = self.clock.now()
        room = Classroom(
            slug=slug,
            title=title or book.blueprint.about.title,
            blueprint=book.name,
            digest=book.digests.blueprint,
            lease=_lease(book.blueprint, starts or now, ends, now),
            opened=now,
            trainer=trainer,
            may_join=may_join,
            seats=tuple(Seat(slug, number, learner, goldens.new_id()) for number, learner in enumerate(learners, start=1)),
        )
        cluster = self.cluster()
        plans = self._planner(book, room, cluster, answers or {})
        self.bell.listen()
        self.classrooms.open(room, plans, cluster.site.plots)
        self.journal.write_all({seat.environment: f"class {slug}, seat {seat.number}: {book.name}" for seat in room.seats}, "open", trainer)
        self.ring(seat.environment for seat in room.seats)
        return room

    def _planner(
        self, book: ports.Book, room: Classroom, cluster: Cluster, answers: Mapping[str, Any]
    ) -> Callable[[Sequence[int]], Sequence[Plan]]:
        """What the store calls with the plots it drew: plans for all seats, once the cluster has said that they fit."""
        chooser = secrets.SystemRandom()
        values = {seat.number: planning.draw(book.blueprint, answers, chooser) for seat in room.seats}
        source = f"{book.name}@{book.digests.blueprint}"

        def plans(plots: Sequence[int]) -> Sequence[Plan]:
            pairs = zip(room.seats, plots, strict=True)
            made = tuple(seats_.plan(book.blueprint, cluster.site, seat, plot, source, values[seat.number]) for seat, plot in pairs)
            made = cluster.provisioner.preflight(made)
            if self.library.freeze(book.name) != source:
                raise errors.Conflict(f"the blueprint '{book.name}' was changed while the class was being opened.", hint="Try again.")
            # Only now, when the class will be opened: nothing is baked for a class that is refused.
            return self.goldens.under(made, book, room.trainer)

        return plans

    def extend(self, slug: str, until: datetime, *, who: str) -> Classroom:
        """Let the class and everything in it live until then. Raises NotFound, BadInput, Conflict."""
        room = self.room(slug)
        now = self.clock.now()
        if until <= room.lease.ends:
            raise errors.BadInput(
                f"class '{slug}' already lasts until {_show(room.lease.ends)}.", hint="Give a later time; to end it, close it."
            )
        # Machines that a swap put aside, or that were made afresh elsewhere, leave while the class goes on.
        staying = [env for env in self.environments.environments(classroom=slug) if not lifecycle.leaving(env, now)]
        if room.closed is not None or now >= room.lease.ends or not staying:
            raise errors.Conflict(f"class '{slug}' is over: its machines are being removed, or gone.", hint="Open it again.")
        extended = self.classrooms.extend(slug, until)
        self.journal.write_all({seat.environment: f"until {_show(until)}" for seat in room.seats}, "extend", who)
        return extended

    def reset(self, slug: str, number: int, *, who: str) -> Environment:
        """Start a seat again: back to how it was when it first was ready. Also clears the way where a step failed. Raises
        NotFound, Conflict, Unreachable (broker).
        """
        _, env = self.seat(slug, number)
        return self.again(env, "reset", who)

    def retry(self, slug: str, *, who: str) -> tuple[Environment, ...]:
        """Try again wherever a seat of the class failed or is stuck; those seats. Raises NotFound."""
        self.room(slug)
        now = self.clock.now()
        found = [env for env in self.environments.environments(classroom=slug) if _is_helped(env, now)]
        return tuple(self.again(env, "retry", who) for env in found)

    def close(self, slug: str, *, who: str) -> Classroom:
        """Want everything of the class gone. May be repeated. Raises NotFound; Unreachable when it is written down, but the
        broker is away, so that nothing happens before it is back.
        """
        self.room(slug)
        self.classrooms.close(slug, self.clock.now())
        left = self.environments.environments(classroom=slug)
        self.journal.write_all({env.id: f"class {slug} is closed" for env in left}, "close", who)
        self.ring(env.id for env in left)
        if left:
            self._say_if_nobody_hears(f"class '{slug}' is closed, but nothing is removed yet")
        return self.classrooms.classroom(slug)

    def seat(self, slug: str, number: int) -> tuple[Seat, Environment]:
        """Raises NotFound, saying which there are."""
        room = self.room(slug)
        for seat in room.seats:
            if seat.number == number:
                return seat, self.environments.environment(seat.environment)
        raise errors.NotFound(f"class '{slug}' has no seat {number}.", hint=f"It has the seats 1 to {len(room.seats)}.")

    def bundle(self, slug: str, number: int) -> ports.Bundle:
        """Fresh files for plain OpenSSH, good until the lease ends. Raises NotFound, Conflict before there is anything to reach."""
        _, env = self.seat(slug, number)
        now = self.clock.now()
        status = lifecycle.status(env, now)
        if env.facts.state not in {State.CONFIGURED, State.READY} or lifecycle.leaving(env, now):
            raise errors.Conflict(f"seat {number} of class '{slug}' is {status.value}.", hint="Its files can be had once it is ready.")
        return self.keys.bundle(self.environments.plan(env.id), env.facts.machines, env.wishes.lease.ends)

    def again(self, env: Environment, word: str, who: str, change: Callable[[Wishes], Wishes] | None = None) -> Environment:
        """One more round, by `change` or plainly. Raises Conflict where the seat is on its way out, Unreachable (broker)."""
        now = self.clock.now()
        removing = lifecycle.leaving(env, now)
        if env.facts.state is State.GONE or (removing and word != "retry"):
            raise errors.Conflict(
                f"seat {env.seat} of class '{env.classroom}' is {lifecycle.status(env, now).value}.",
                hint="Its class is over; open a new one.",
            )
        self.bell.listen()
        if lifecycle.broken_ground(env):
            self.goldens.again(env, who)
        changed = self.classrooms.wish(env.id, change or _next_round)
        self.journal.write(env.id, word, f"round {changed.wishes.round}", who)
        self.ring([env.id])
        return changed

    def book(self, name: str) -> ports.Book:
        """What is on the shelf. Raises NotFound, BadInput."""
        # The shelf also takes paths, for authors; a class is opened from what is on the shelf, by anybody who may ask the API.
        if "/" in name or "." in name:
            raise errors.BadInput(f"'{name}' is not the name of a blueprint.", hint="`labctl blueprint list` shows all blueprints.")
        return self.library.book(name)

    def window(self, blueprint: str, starts: datetime | None, ends: datetime | None) -> Lease:
        """From when until when a class of it would last that is opened with these. Raises NotFound, BadInput."""
        now = self.clock.now()
        return _lease(self.book(blueprint).blueprint, starts or now, ends, now)

    def room(self, slug: str) -> Classroom:
        """Raises NotFound, saying which there are."""
        try:
            # A set of golden machines has a name that no class can have, and is nobody's to close as one.
            return self.classrooms.classroom(slug if SLUG.fullmatch(slug) else "")
        except errors.NotFound:
            known = [room.slug for room in self.classrooms.classrooms()]
            hint = f"There are: {', '.join(known)}." if known else "There is none at all; `labctl class open` opens one."
            raise errors.NotFound(f"there is no class '{slug}'.", hint=hint) from None

    def ring(self, environments: Iterable[str]) -> None:
        """Wake workers for them; where the broker is away, the sweep will. Whoever takes one wakes the next worker, so few rings do."""
        for environment in itertools.islice(environments, AWAKE):
            try:
                self.bell.ring(environment)
            except errors.TemporaryError:
                # The wish is written, and the sweep rings for it as soon as there is a broker again.
                return

    def _say_if_nobody_hears(self, written: str) -> None:
        try:
            self.bell.listen()
        except errors.TemporaryError as error:
            raise errors.Unreachable(f"{written}: {error.message}", hint=error.hint) from None


def _check_name(slug: str) -> None:
    if not SLUG.fullmatch(slug):
        raise errors.BadInput(
            f"'{slug}' is not a name for a class.",
            hint="Small letters, digits and '-', beginning with a letter, at most 40: monday-linux",
        )


def _is_helped(env: Environment, now: datetime) -> bool:
    """Whether another round helps: where machines are only switched on again it would take the learner's work away."""
    word = lifecycle.status(env, now)
    return word is lifecycle.Status.FAILED or (word is lifecycle.Status.STUCK and lifecycle.due(env, now) is not Step.RESUME)


def _next_round(wishes: Wishes) -> Wishes:
    return replace(wishes, round=wishes.round + 1)


def _lease(lab: Blueprint, starts: datetime, ends: datetime | None, now: datetime) -> Lease:
    if ends is None:
        ends = starts + lasting.usual(lab)
    if ends <= starts:
        raise errors.BadInput(f"the class would end ({_show(ends)}) before it begins ({_show(starts)}).", hint="Give a later end.")
    if ends <= now:
        raise errors.BadInput(f"the class would be over already ({_show(ends)}).", hint="Give an end in the future.")
    return Lease(starts, ends)


def _show(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
