"""A class as this process saw it last: a look asks the store what was written since, and only those seats are made into shapes anew.

The clock changes what is shown too, but at moments that are known ahead (`urgency.moments`), so it costs nothing until one has come.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from api import shapes, shown
from labctl import ports, wiring
from labctl.model import classroom as classroom_
from labctl.model import environment as environment_
from labctl.model import lifecycle, urgency
from labctl.model.sight import Sight

_versions = itertools.count(1)
"""One count for all classes: one that was forgotten and is seen anew is newer than all that its viewers know."""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """The board, its seats by their numbers, and at which version each became as it is; `room_at`: the class itself, in more than its
    counts. `waiting`: who waits for help, longest first.
    """

    board: shapes.Board
    seats: Mapping[int, shapes.SeatShape]
    waiting: tuple[shapes.SeatShape, ...]
    changed_at: Mapping[int, int]
    room_at: int
    version: int

    @property
    def over(self) -> bool:
        """Whether the class is closed and everything in it gone."""
        return self.board.classroom.closed is not None and all(seat.status == "gone" for seat in self.board.seats)


class Lines:
    """The newest journal line of single environments, read on from where the last question ended."""

    MOST = 1000

    def __init__(self, journal: ports.Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[int, str]] = {}

    def newest(self, environment: str) -> str:
        """Whatever class it is in."""
        with self._lock:
            number, text = self._kept.pop(environment, (0, ""))
            while lines := self._journal.read(environment=environment, after=number, limit=1000):
                number, text = lines[-1].number, lines[-1].text
            if len(self._kept) >= self.MOST:
                self._kept.clear()
            self._kept[environment] = number, text
            return text


class Class:
    """One class. Threads take turns; who waited for a look that began after they asked takes what that saw."""

    def __init__(self, wired: wiring.Wiring, lines: Lines, slug: str) -> None:
        self._wired = wired
        self._lines = lines
        self._slug = slug
        self._lock = threading.Lock()
        self._begun = 0.0
        self._sight: Sight | None = None
        self._seen: Seen | None = None
        self._tasks = 0
        self._at = self._until = _NEVER
        self._waiting: dict[int, str] = {}
        """Seats whose golden machines are being baked, and which environment that is."""
        self._baking: dict[str, str] = {}
        """Its newest line."""

    def look(self) -> Seen:
        """As it is now. Blocks on the database. Raises NotFound."""
        asked = time.monotonic()
        with self._lock:
            if self._seen is None or self._begun <= asked:
                self._begun = time.monotonic()
                self._seen = self._look()
            return self._seen

    def _look(self) -> Seen:
        before, sight = self._sight, self._wired.sights.sight(self._slug, self._sight)
        tasks = self._wired.examining.of(sight.room)
        baking = {ground: self._lines.newest(ground) for ground in set(self._waiting.values())}
        now = self._wired.clock.now()
        # From here on nothing fails: what was read is kept together with what is made of it.
        if before is None or sight.changed is None:
            before, changed = None, None
            self._waiting.clear()
        else:
            changed = sight.changed | (self._waiting.keys() if baking != self._baking else frozenset())
        if changed is None or tasks != self._tasks or not self._at <= now < self._until:
            changed, self._until = frozenset(seat.number for seat in sight.room.seats), _NEVER
        self._sight, self._tasks, self._baking, self._at = sight, tasks, baking, now
        places = {seat.number: seat for seat in sight.room.seats} if changed else {}
        fresh = {number: self._shape(sight, places[number], now) for number in changed if number in places}
        same_room = before is not None and before.room is sight.room and before.message == sight.message
        return self._made(sight, fresh, now, same_room=same_room)

    def _made(self, sight: Sight, fresh: Mapping[int, shapes.SeatShape | None], now: datetime, *, same_room: bool) -> Seen:
        old = self._seen
        changed = {number: shape for number, shape in fresh.items() if old is None or old.seats.get(number) != shape}
        if old is not None and same_room and not changed:
            return replace(old, board=old.board.model_copy(update={"now": now}))
        version = next(_versions)
        seats: dict[int, shapes.SeatShape | None] = {**(old.seats if old else {}), **changed}
        if old is None or not same_room or len(seats) != len(old.seats) or None in changed.values():
            # Seats came or went.
            seats = {one.number: seats.get(one.number) for one in sight.room.seats}
        there = {number: shape for number, shape in seats.items() if shape is not None}
        listed = list(there.values())
        room = shown.classroom(sight.room, listed, paper=self._wired.paper, message=sight.message)
        changed_at = {**(old.changed_at if old else {}), **dict.fromkeys(changed, version)}
        room_at = old.room_at if old and same_room else version
        waiting = tuple(sorted((seat for seat in listed if seat.hand_since), key=lambda seat: seat.hand_since or _NEVER))
        return Seen(shapes.Board(classroom=room, seats=listed, now=now), there, waiting, changed_at, room_at, version)

    def _shape(self, sight: Sight, one: classroom_.Seat, now: datetime) -> shapes.SeatShape | None:
        """The seat as it is shown now; None for a moment where its environment was not there yet when the store was asked."""
        env = sight.environments.get(one.environment)
        if env is None:
            return None
        join = sight.joinings.get(one.number)
        moments = urgency.moments(env, now)[:1]
        if join is not None and join.until is not None and join.until > now:
            moments.append(join.until)
        self._until = min([self._until, *moments])
        return shown.seat(one, env, now, self._note(sight, env, now), self._beside(sight, one, now))

    def _note(self, sight: Sight, env: environment_.Environment, now: datetime) -> str:
        self._waiting.pop(env.seat, None)
        if env.ground is None or not lifecycle.waits_for_ground(env) or lifecycle.leaving(env, now):
            return sight.lines.get(env.id, "")
        ground = self._waiting[env.seat] = env.ground.environment
        if ground not in self._baking:
            self._baking[ground] = self._lines.newest(ground)
        return f"golden machines are being baked: {self._baking[ground]}"

    def _beside(self, sight: Sight, one: classroom_.Seat, now: datetime) -> shown.Beside:
        """Who waits for help since when (in a closed class nobody), how far they are in guide and tasks, who asks to type along."""
        hand = None if sight.room.closed else sight.hands.get(one.number)
        page, score, join = sight.reached.get(one.number), sight.scores.get(one.number), sight.joinings.get(one.number)
        asks = join is not None and join.holds(now)
        counted = self._tasks if one.learner else 0
        return shown.Beside(
            hand_since=hand.since if hand else None,
            guide_page=page.page if page else 0,
            guide_pages=page.pages if page else 0,
            tasks=counted,
            tasks_done=score.done if score and counted else 0,
            points=score.points if score and counted else 0,
            tasks_changed=score.changed if score and counted else None,
            joining=join.answer.value if join and asks else "",
            joining_by=join.who if join and asks else "",
        )
