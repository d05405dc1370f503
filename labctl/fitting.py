"""Does it fit, where, what is short, and when would all be ready: asked before a class is opened. Nothing is written.

The plans are those of the real planner on the very plots that would be drawn; the sums are `labctl.model.capacity`'s.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from labctl import desk as desk_
from labctl import errors, ports
from labctl.model import capacity, placing, planning
from labctl.model import seats as seats_
from labctl.model.classroom import Seat
from labctl.model.plan import Plan
from labctl.model.site import NETWORKS_PER_PLOT, SLOTS_PER_PLOT, Site

MOST_SEATS = 5000
"""Above it an answer would only be slow: no site has as many plots."""


@dataclass(frozen=True)
class Fitting:
    """`at_once`: how many steps are done at once here."""

    desk: desk_.Desk
    timings: ports.Timings
    at_once: int

    def fit(
        self, blueprint: str, seats: int, *, spares: int = 0, starts: datetime | None = None, answers: Mapping[str, Any] | None = None
    ) -> capacity.Fit:
        """For so many learners and spares. Raises BadInput, NotFound, Forbidden, Unreachable (node)."""
        if not 1 <= seats <= MOST_SEATS or not 0 <= spares <= seats_.MOST_SPARES:
            hint = f"Give 1 to {MOST_SEATS} seats and 0 to {seats_.MOST_SPARES} spares."
            raise errors.BadInput(f"{seats} seats and {spares} spares cannot be asked for.", hint=hint)
        return self.of(self.desk.book(blueprint), seats + spares, starts=starts, answers=answers or {})

    def of(self, book: ports.Book, seats: int, *, starts: datetime | None = None, answers: Mapping[str, Any]) -> capacity.Fit:
        """For a blueprint that was read already."""
        cluster = self.desk.cluster()
        free = self.desk.classrooms.free_plots(cluster.site.plots)
        plans = _plans(book, cluster.site, free[:seats] or cluster.site.plots[:1], answers)
        supply = cluster.provisioner.survey(plans)
        # Where plots are short, the seats without one count like the others: they are placed too, to say what they would take.
        placed = placing.spread((*plans, *(plans[-1] for _ in range(seats - len(plans)))), cluster.site, supply)
        if not free:
            # Planned on a plot that others live on, only to know the size of a seat.
            supply = replace(supply, vmids=frozenset(), tags=frozenset())
        answer = capacity.fit(placed, supply, seats, plots=len(free), bound=_bound(cluster.site), blueprint=book.name)
        now = self.desk.clock.now()
        return capacity.timed(answer, self.timings.times(book.name), at_once=self.at_once, begins=max(starts or now, now))


def _plans(book: ports.Book, site: Site, plots: Sequence[int], answers: Mapping[str, Any]) -> tuple[Plan, ...]:
    values = planning.draw(book.blueprint, answers, secrets.SystemRandom())
    source = f"{book.name}@{book.digests.blueprint}"
    seats = (Seat("dry-run", number, None, f"dry{number:07}") for number in range(1, len(plots) + 1))
    return tuple(seats_.plan(book.blueprint, site, seat, plot, source, values) for seat, plot in zip(seats, plots, strict=True))


def _bound(site: Site) -> str:
    """What limits this site's plots."""
    by_address = site.management.num_addresses // SLOTS_PER_PLOT - 1
    tags = f"VNet tags of zone {site.zone}, {NETWORKS_PER_PLOT} each"
    return f"plots (by the {tags})" if len(site.plots) < by_address else f"plots (by the addresses of {site.management})"
