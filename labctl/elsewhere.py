"""Other nodes for what one failed: the same seat planned there, or a new environment for the seat where the old one's guests cannot go.

Steps ask here (`labctl.steps.elsewhere`). VMIDs are the whole cluster's: while guests stand on a node that is away, their numbers are
taken, so the seat gets another plot, and what is left on the old one is removed as soon as the node is back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from labctl import errors, goldens, ports
from labctl.model import lifecycle
from labctl.model import seats as seats_
from labctl.model.classroom import Seat
from labctl.model.environment import Environment, State, Wanted, Wishes
from labctl.model.plan import Plan
from labctl.model.site import Site


@dataclass(frozen=True)
class Elsewhere:
    """Fills `labctl.steps.kit.Elsewhere`."""

    classrooms: ports.Classrooms
    journal: ports.Journal
    bell: ports.Bell
    clock: ports.Clock
    library: ports.Library
    goldens: goldens.Goldens
    site: Callable[[], Site]
    provisioner: Callable[[], ports.Provisioner]

    def away(self, plan: Plan) -> str:
        """The node of this plan, if the cluster has others that are up while this one is away; else empty."""
        try:
            up = {node.name for node in self.provisioner().survey((plan,)).nodes}
        except errors.LabctlError:
            # Nobody can say: then it is not the node that is known to be away.
            return ""
        return next((machine.node for machine in plan.machines if up and machine.node not in up), "")

    def elsewhere(self, plan: Plan, node: str) -> Plan:
        """The plan on another node than this one and those it avoids already. Where storage is each node's own, the other node has
        golden machines of its own, or gets some now. Raises what a preflight raises.
        """
        freed: dict[str, object] = {"avoid": (*plan.avoid, node), "bound": ""}
        if plan.bound and plan.stands_on:
            freed["stands_on"] = None
        (placed,) = self.provisioner().preflight((plan.model_copy(update=freed),))
        if plan.stands_on is None or placed.stands_on is not None:
            return placed
        return self.goldens.under((placed,), self.library.frozen(plan.source), "labctl")[0]

    def replace(self, env: Environment, plan: Plan, node: str) -> bool:
        """Give the seat a new environment, planned elsewhere with the same values, and want the old one gone: one transaction. False
        where it is no learner's or spare's place any more. Raises Conflict (no plot, no room, class over) and what a preflight does.
        """
        seat = self._seat(env)
        if seat is None:
            return False
        book, site = self.library.frozen(plan.source), self.site()
        fresh = replace(seat, environment=goldens.new_id())
        values = {variable.name: variable.value for variable in plan.variables}

        def planned(plot: int) -> Plan:
            made = seats_.plan(book.blueprint, site, fresh, plot, plan.source, values)
            kept = {"principal": plan.principal, "avoid": (*plan.avoid, node)}
            placed = self.provisioner().preflight((made.model_copy(update=kept),))
            return self.goldens.under(placed, book, "labctl")[0]

        self.classrooms.replace(seat, fresh, planned, self._wishes, site.plots)
        words = f"seat {seat.number} gets other machines, for {node} is away"
        self.journal.write(env.id, "elsewhere", f"{words}; what it has there is removed once {node} is back")
        self.journal.write(fresh.environment, "elsewhere", f"class {seat.classroom}, {words}")
        self._ring(fresh.environment)
        return True

    def _seat(self, env: Environment) -> Seat | None:
        seats = self.classrooms.classroom(env.classroom).seats if not env.golden else ()
        return next((seat for seat in seats if seat.environment == env.id and not env.wishes.aside), None)

    def _wishes(self, old: Environment) -> Wishes:
        """Of the environment that is given up."""
        if old.facts.state is State.GONE or lifecycle.leaving(old, self.clock.now()):
            raise errors.Conflict(f"seat {old.seat} of class '{old.classroom}' is being removed.", hint="Its class is over.")
        return replace(old.wishes, wanted=Wanted.GONE, aside=True)

    def _ring(self, environment: str) -> None:
        try:
            self.bell.ring(environment)
        except errors.TemporaryError:
            # It is written down as due; the sweep rings.
            return
