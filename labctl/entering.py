"""Who may go in where, now: asked at each connection, each channel and each second by the door, and by whoever opens a terminal.

A seat may be entered while it is READY under a lease that has begun and not ended (`readiness.enterable`); nothing else is looked
at. One-time codes are for learners without a key (`access.md` 2.4). Bytes are moved by `labctl.door`, not here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from labctl import desk as desk_
from labctl import errors, ports
from labctl.model import lifecycle, passage, readiness
from labctl.model.classroom import Seat
from labctl.model.environment import Environment, Machine, State
from labctl.model.plan import Plan, PlannedMachine

ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""30 signs that nobody takes for one another."""

LENGTH = 8

CODE_LIFE = timedelta(minutes=2)

REMEMBERED = 20_000
"""Principals of environments, kept by this process."""

_DESKTOP, _ENTERED = frozenset({"desktop"}), frozenset({"terminal", "desktop"})

_CLOSED = "that seat cannot be entered now"
"""To the door nothing more is said: which seats exist is not for those outside to know."""


@dataclass(frozen=True)
class Entering:
    """See the module."""

    desk: desk_.Desk
    codes: ports.Codes
    keys: ports.Keys
    _principals: dict[tuple[str, int], str] = field(default_factory=dict, repr=False, compare=False)

    def way(self, principal: str) -> passage.Way:
        """For whoever shows a certificate with this principal. Raises Forbidden for everything that is not so now."""
        named = passage.seat_of(principal)
        if named is None:
            raise errors.Forbidden(_CLOSED)
        try:
            seat, env = self.desk.seat(*named)
        except errors.NotFound:
            raise errors.Forbidden(_CLOSED) from None
        found = self._open(seat, env)
        # A later class of the same name has the same seats and other principals.
        if found is None or found.principal != principal:
            raise errors.Forbidden(_CLOSED)
        return found

    def machine(self, way: passage.Way, name: str) -> passage.Target | None:
        """Any machine of a seat that may be entered, also one that its learner may not enter: its web apps are behind it."""
        env = self.desk.environments.environment(way.environment)
        plan = self.desk.environments.plan(way.environment)
        return next((target for target, _, _ in _machines(plan, env) if target.name == name), None)

    def still(self, principals: Sequence[str]) -> frozenset[str]:
        """Which of these may be in now, with the environment each would come to ("principal environment"). Asked each second about
        everybody who is in, so a class is looked at once, however many of its seats are asked about, and no plan is opened twice.
        """
        return self._those(principals, self._enterable)

    def unready(self, principals: Sequence[str]) -> frozenset[str]:
        """The same of seats that are not ready, and whose machines may be looked at (`screens_of`)."""
        return self._those(principals, self._looked_at)

    def _those(self, principals: Sequence[str], holds: Callable[[Environment], bool]) -> frozenset[str]:
        asked: dict[str, dict[str, int]] = {}
        for principal in principals:
            if (named := passage.seat_of(principal)) is not None:
                asked.setdefault(named[0], {})[principal] = named[1]
        return frozenset(one for slug, seats in asked.items() for one in self._those_of(slug, seats, holds))

    def _those_of(self, slug: str, seats: Mapping[str, int], holds: Callable[[Environment], bool]) -> Iterator[str]:
        for env in self.desk.environments.seated(slug, frozenset(seats.values())):
            if holds(env) and (principal := self._principal(env)) in seats:
                yield f"{principal} {env.id}"

    def _principal(self, env: Environment) -> str:
        """It changes with a handing over only, so it is read from the plan once."""
        key = (env.id, env.wishes.hand)
        if key not in self._principals:
            if len(self._principals) >= REMEMBERED:
                self._principals.clear()
            self._principals[key] = self.desk.environments.plan(env.id).principal
        return self._principals[key]

    def _enterable(self, env: Environment) -> bool:
        return readiness.enterable(env, self.desk.clock.now())

    def _looked_at(self, env: Environment) -> bool:
        now = self.desk.clock.now()
        rests = not env.wishes.aside and lifecycle.status(env, now) is lifecycle.Status.READY
        return env.facts.state is not State.GONE and not lifecycle.leaving(env, now) and not rests

    def screens_of(self, slug: str, number: int) -> passage.Way:
        """Of a seat that is not ready: the screens of all its machines, and nothing to enter; for those who run the class. Raises NotFound,
        Conflict where it is ready, or on its way out.
        """
        seat, env = self.desk.seat(slug, number)
        if not self._looked_at(env):
            word = lifecycle.status(env, self.desk.clock.now()).value
            hint = "Its terminals and desktops are on its page." if self._enterable(env) else "Nothing of it is left to look at."
            raise errors.Conflict(f"seat {number} of class '{slug}' is {word}.", hint=hint)
        return replace(self._leads(seat, env, screens=None), targets=())

    def own_screens_of(self, slug: str, number: int) -> passage.Way:
        """Of a seat that may be entered: the screens of the machines that its learner may enter, and of no other, for whoever sits at a
        machine's own screen may start it in another way. Raises NotFound, Conflict where it cannot be entered now.
        """
        return replace(self._entered(slug, number, screens=_ENTERED), targets=())

    def way_of(self, slug: str, number: int) -> passage.Way:
        """Of a seat by its number. Raises NotFound, Conflict where it cannot be entered now."""
        return self._entered(slug, number)

    def _entered(self, slug: str, number: int, screens: frozenset[str] = _DESKTOP) -> passage.Way:
        seat, env = self.desk.seat(slug, number)
        if not self._enterable(env):
            word = lifecycle.status(env, self.desk.clock.now()).value
            raise errors.Conflict(f"seat {number} of class '{slug}' is {word}.", hint="It can be entered once it is ready.")
        return self._leads(seat, env, screens)

    def new_code(self, slug: str, number: int, *, who: str) -> tuple[str, datetime]:
        """A code for one login at the door, and until when. Raises NotFound, Conflict where the seat cannot be entered."""
        way = self.way_of(slug, number)
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        until = min(self.desk.clock.now() + CODE_LIFE, way.until)
        self.codes.keep_code(code, way.environment, until)
        self.desk.journal.write(way.environment, "enter", f"a code for one login was made, good until {until:%H:%M:%S} UTC", who)
        return code, until

    def redeem(self, code: str, login: str) -> passage.Way:
        """The seat a code was made for, once, and only under its learner's own login. A code that was shown is used up, whatever
        came of it. Raises Forbidden.
        """
        text = "".join(sign for sign in code.lower() if sign in ALPHABET)
        environment = self.codes.use_up(text) if len(text) == LENGTH else None
        if environment is None:
            raise errors.Forbidden("that code is not good (any more)")
        env = self.desk.environments.environment(environment)
        try:
            seat, now_there = self.desk.seat(env.classroom, env.seat)
        except errors.NotFound:
            raise errors.Forbidden(_CLOSED) from None
        found = self._open(seat, now_there) if now_there.id == environment else None
        if found is None or found.login != login:
            raise errors.Forbidden("that code is not good (any more)")
        self.desk.journal.write(environment, "enter", "a code was used", login)
        return found

    def certify(self, principal: str, public_key: str) -> str:
        """A certificate of ten minutes for the door's own key, with which it goes in for a learner who has none. Raises Forbidden."""
        way = self.way(principal)
        return self.keys.certify(public_key, way.login, way.principal, self.desk.clock.now() + timedelta(minutes=10))

    def _open(self, seat: Seat, env: Environment) -> passage.Way | None:
        return self._leads(seat, env) if self._enterable(env) else None

    def _leads(self, seat: Seat, env: Environment, screens: frozenset[str] | None = _DESKTOP) -> passage.Way:
        """`screens`: of machines with one of these ways in; None: of all."""
        plan = self.desk.environments.plan(env.id)
        return passage.Way(
            environment=env.id,
            classroom=seat.classroom,
            seat=seat.number,
            learner=plan.seat.name,
            login=plan.seat.login,
            principal=plan.principal,
            until=env.wishes.lease.ends,
            targets=tuple(target for target, planned, _ in _machines(plan, env) if "terminal" in planned.access),
            screens=tuple(
                passage.Screen(target, made.node, made.vmid, made.kind)
                for target, planned, made in _machines(plan, env)
                if screens is None or screens & set(planned.access)
            ),
        )


def _machines(plan: Plan, env: Environment) -> Iterator[tuple[passage.Target, PlannedMachine, Machine]]:
    known = {machine.name: machine for machine in env.facts.machines}
    for planned in plan.machines:
        if (made := known.get(planned.name)) is not None:
            host = passage.host_name(plan.principal, planned.name)
            yield passage.Target(planned.name, made.address, planned.login, host, made.host_key), planned, made
