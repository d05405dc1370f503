"""Golden machines, seen from people and time: which set a class stands on, opening one, baking anew, taking old ones away.

A set is an environment like a seat's, so the runner does all of its work; here are only wishes. It is opened by the class that
needs it first, or ahead of time; the store's unique name of a living set lets one of many who ask at once open it.
"""

from __future__ import annotations

import secrets
import string
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from labctl import errors, ports
from labctl.model import baking, lifecycle, placing
from labctl.model.classroom import Classroom, Seat
from labctl.model.environment import Environment, Lease, State
from labctl.model.plan import Plan
from labctl.model.site import Site

PLOTLESS = 1
"""Any plot: a golden digest is the same on all of them."""


@dataclass(frozen=True)
class Held:
    """A living set with its environment, and who stands on it."""

    room: Classroom
    environment: Environment
    standing: tuple[Environment, ...]


@dataclass(frozen=True)
class Goldens:
    """See the module. `store` is the port Goldens."""

    store: ports.Goldens
    classrooms: ports.Classrooms
    environments: ports.Environments
    journal: ports.Journal
    bell: ports.Bell
    clock: ports.Clock
    library: ports.Library
    site: Callable[[], Site]
    provisioner: Callable[[], ports.Provisioner]

    def digest(self, book: ports.Book, bound: str = "") -> str:
        """The golden digest of a blueprint on this site (on the node `bound`, where storage is each node's own); "" where nothing of
        it is the same for everybody.
        """
        if not baking.needed(book.blueprint):
            return ""
        return baking.golden_digest(self._plan(book, new_id(), PLOTLESS, "", bound), book.digests.files)

    def under(self, plans: Sequence[Plan], book: ports.Book, who: str) -> tuple[Plan, ...]:
        """These plans, which know their nodes, as clones of golden machines: of one set where storage is shared, else of one on each
        node. As they are where nothing is baked. Raises as `ensure`.
        """
        sets = {bound: self.ensure(book, who, bound) for bound in sorted({plan.bound for plan in plans})}
        stood = []
        for plan in plans:
            ground = sets[plan.bound]
            stood.append(plan if ground is None else baking.stand(plan, self.site(), ground.id, ground.plot))
        return tuple(stood)

    def ahead(self, book: ports.Book, who: str) -> tuple[Environment, ...]:
        """Have them baked before any class needs them: one set, or one on each node with templates where storage is each node's own.
        Empty where nothing is baked. Raises as `ensure`.
        """
        if not self.digest(book):
            return ()
        plan = self._plan(book, new_id(), PLOTLESS, "", "")
        supply = self.provisioner().survey((plan,))
        nodes = placing.able(plan, self.site(), supply)
        made = (self.ensure(book, who, bound) for bound in sorted({"" if node.shared else node.name for node in nodes}))
        return tuple(env for env in made if env is not None)

    def ensure(self, book: ports.Book, who: str, bound: str = "") -> Environment | None:
        """The living set for this blueprint, opened if there is none; None where nothing is baked. Raises Conflict while a set of
        this digest is on its way out, or no plot is free; BadInput, NotFound, Unreachable as opening a class does.
        """
        digest = self.digest(book, bound)
        if not digest:
            return None
        return self._living(digest) or self._open(book, digest, who, bound)

    def _living(self, digest: str) -> Environment | None:
        for room in self.store.goldens():
            if room.digest == digest:
                env = self.environments.environment(room.seats[0].environment)
                if env.facts.state is State.GONE:
                    continue
                if lifecycle.leaving(env, self.clock.now()):
                    why = lifecycle.shown_trouble(env)
                    said = f" ({why.cause or why.reason})" if why else ""
                    raise errors.Conflict(
                        f"golden machines of '{room.blueprint}' are being removed at this moment{said}.", hint="Try again in a minute."
                    )
                return env
        return None

    def _open(self, book: ports.Book, digest: str, who: str, bound: str) -> Environment:
        now = self.clock.now()
        slug, environment = baking.slug(digest), new_id()
        room = Classroom(
            slug=slug,
            title=f"Golden machines of {book.blueprint.about.title}",
            blueprint=book.name,
            digest=digest,
            lease=Lease(now, now + baking.FRESH),
            opened=now,
            trainer=who,
            seats=(Seat(slug, 1, None, environment),),
            golden=True,
        )
        source = f"{book.name}@{book.digests.blueprint}"

        def plans(plots: Sequence[int]) -> Sequence[Plan]:
            made = self.provisioner().preflight((self._plan(book, environment, plots[0], slug, bound),))
            self._keep(book, source)
            return made

        try:
            self.classrooms.open(room, plans, self.site().plots)
        except errors.Conflict:
            # Somebody else opened the same set in this moment.
            if (found := self._living(digest)) is None:
                raise
            return found
        self.journal.write(environment, "open", f"golden machines of {book.name}", who)
        self._ring(environment)
        return self.environments.environment(environment)

    def _keep(self, book: ports.Book, source: str) -> None:
        """The files that the bake will read. A frozen book lies on the shelf already."""
        try:
            self.library.frozen(source)
        except errors.NotFound:
            if self.library.freeze(book.name) != source:
                raise errors.Conflict(f"the blueprint '{book.name}' was changed at this moment.", hint="Try again.") from None

    def _plan(self, book: ports.Book, environment: str, plot: int, slug: str, bound: str) -> Plan:
        source, site = f"{book.name}@{book.digests.blueprint}", self.site()
        made = baking.plan(book.blueprint, site, environment=environment, plot=plot, classroom=slug or "golden", source=source)
        return placing.bound(made, site, bound)

    def again(self, env: Environment, who: str) -> None:
        """Golden machines that a seat waits for will never be there: bake others, and let the seat stand on those. Raises as `ensure`."""
        plan = self.environments.plan(env.id)
        ground = self.ensure(self.library.frozen(plan.source), who, plan.bound)
        if ground is None:
            raise errors.PermanentError(f"the blueprint of '{env.classroom}' has nothing to bake any more.")
        self.store.stand(env.id, lambda old: baking.stand(old, self.site(), ground.id, ground.plot))

    def list(self) -> tuple[Held, ...]:
        """All living sets, oldest first."""
        return tuple(replace(one, standing=self.store.standing(one.environment.id)) for one in self._sets())

    def _sets(self) -> tuple[Held, ...]:
        """The same without looking who stands on them, who may be a thousand."""
        rooms = self.store.goldens()
        return tuple(Held(room, self.environments.environment(room.seats[0].environment), ()) for room in rooms)

    def remove(self, name: str, *, who: str) -> Classroom:
        """Take a set away, named by its slug, its digest's digits, or its blueprint where that has one set only. Raises NotFound;
        Conflict while a class stands on it.
        """
        held = self._find(name)
        if not self.store.retire(held.environment.id):
            classes = ", ".join(sorted({env.classroom for env in held.standing})) or "a class that was opened just now"
            raise errors.Conflict(
                f"the golden machines of '{held.room.blueprint}' ({held.room.slug}) are in use: {classes}.",
                hint="Its machines are clones that stand on their disks; close the class first.",
            )
        self.journal.write(held.environment.id, "close", "golden machines are to be removed", who)
        self._ring(held.environment.id)
        return held.room

    def _find(self, name: str) -> Held:
        held = self.list()
        found = [one for one in held if name in {one.room.slug, one.room.slug.removeprefix(baking.PREFIX), one.room.blueprint}]
        if len(found) == 1:
            return found[0]
        known = ", ".join(f"{one.room.slug} ({one.room.blueprint})" for one in found or held)
        if found:
            raise errors.Conflict(f"'{name}' has {len(found)} sets of golden machines.", hint=f"Name one: {known}.")
        raise errors.NotFound(f"there are no golden machines '{name}'.", hint=f"There are: {known}." if known else "There are none at all.")

    def expire(self) -> tuple[str, ...]:
        """Want a set gone if and only if nobody stands on it, and a newer READY set of the same blueprint exists or its lease (30
        days from when it was opened) is over. A set whose bake failed for good goes by itself (`lifecycle.leaving`). Returns slugs.
        """
        now = self.clock.now()
        held = self._sets()
        sets = Counter(one.room.blueprint for one in held)
        rivals = [one for one in held if sets[one.room.blueprint] > 1]
        newest = {self._reach(one): one.room.opened for one in rivals if one.environment.facts.state is State.READY}
        retired = []
        for one in held:
            superseded = one in rivals and newest.get(self._reach(one), one.room.opened) > one.room.opened
            old = superseded or now >= one.room.lease.ends
            # Whether somebody stands on it is looked at by the store, in the transaction that wants it gone.
            if old and not lifecycle.leaving(one.environment, now) and self.store.retire(one.environment.id):
                why = "a newer set of the same blueprint is ready" if superseded else f"it is from {one.room.opened:%Y-%m-%d}"
                self.journal.write(one.environment.id, "close", f"golden machines are to be removed: {why}")
                self._ring(one.environment.id)
                retired.append(one.room.slug)
        return tuple(retired)

    def _reach(self, one: Held) -> tuple[str, str]:
        """Which seats it is for: a newer set on another node's own storage does not stand in for it."""
        try:
            return one.room.blueprint, self.environments.plan(one.environment.id).bound
        except errors.NotFound:
            return one.room.blueprint, ""

    def _ring(self, environment: str) -> None:
        try:
            self.bell.ring(environment)
        except errors.TemporaryError:
            # The wish is written; the sweep rings.
            return


def new_id() -> str:
    """Ten characters, beginning with a letter: 50 bits of chance, short enough for host and pool names."""
    rest = string.ascii_lowercase + string.digits
    return secrets.choice(string.ascii_lowercase) + "".join(secrets.choice(rest) for _ in range(9))
