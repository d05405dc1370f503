"""What a blueprint would make for N learners on a site: the dry run, from the very planner that the real run uses. Pure.

Values of variables are drawn too, but the real run draws others; what people see of it is `labctl.model.summary`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from labctl import errors
from labctl.model import blueprint as language
from labctl.model import inventory, planning
from labctl.model import plan as plan_
from labctl.model import site as site_

MOST_SEATS = 2000
"""More than any site has plots for in one class; above it a dry run would only be slow."""


def plans(
    lab: language.Blueprint, site: site_.Site, seats: int, source: str, answers: Mapping[str, Any] | None = None
) -> tuple[plan_.Plan, ...]:
    """The plans of `seats` learners on plots 1 and up, `answers` given to what a trainer is asked.

    Raises BadInput when it cannot be, or not so often.
    """
    if not 1 <= seats <= min(MOST_SEATS, len(site.plots)):
        raise errors.BadInput(
            f"{seats} seats are not possible: this site has room for 1 to {len(site.plots)}.", hint="Give another number."
        )
    # Not random at all, so that a dry run says the same each time.
    chooser = random.Random(1)  # noqa: S311
    values = planning.draw(lab, answers or {}, chooser)
    return tuple(_plan(lab, site, number, source, values) for number in range(1, seats + 1))


def _plan(lab: language.Blueprint, site: site_.Site, number: int, source: str, values: dict[str, Any]) -> plan_.Plan:
    seat = plan_.SeatRef(number=number, name=f"Learner {number}", login=f"learner{number}")
    return planning.plan(
        lab, site, environment=f"dry{number:07}", plot=number, classroom="dry-run", seat=seat, source=source, values=values
    )


def offline_site(lab: language.Blueprint) -> site_.Site:
    """A site that has every image of this blueprint in every kind, for looking at it where no site is set up."""
    template = site_.Template(node="node", vmid=9000)
    images = {machine.get("image"): site_.Image(vm=(template,), container=(template,)) for machine in inventory.machines(lab)}
    return site_.Site(cluster=site_.Cluster(secret_file="", ca_file=""), images=images)
