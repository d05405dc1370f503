"""What a blueprint would make for N learners on a site: the dry run, from the very planner that the real run uses. Pure.

Values of variables are drawn but not shown: the real run draws others.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl import errors
from labctl.model import blueprint as language
from labctl.model import inventory, planning
from labctl.model import plan as plan_
from labctl.model import site as site_

MOST_SEATS = 2000
"""More than any site has plots for in one class; above it a dry run would only be slow."""


@dataclass(frozen=True)
class Preview:
    """Plans of all seats. `memory` in MiB, `disk` in GiB (0 where templates decide), both for the whole class."""

    plans: tuple[plan_.Plan, ...]

    @property
    def guests(self) -> int:
        """How many guests there would be."""
        return sum(len(plan.machines) for plan in self.plans)

    @property
    def networks(self) -> int:
        """How many VNets there would be, beside the management network."""
        return sum(len(plan.networks) for plan in self.plans)

    @property
    def memory(self) -> int:
        """MiB that the guests may use together."""
        return sum(machine.memory for plan in self.plans for machine in plan.machines)

    @property
    def disk(self) -> int:
        """GiB of disks that the blueprint asks for."""
        return sum(machine.disk or 0 for plan in self.plans for machine in plan.machines)


def preview(lab: language.Blueprint, site: site_.Site, seats: int, source: str, answers: Mapping[str, Any] | None = None) -> Preview:
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
    return Preview(tuple(_plan(lab, site, number, source, values) for number in range(1, seats + 1)))


def _plan(lab: language.Blueprint, site: site_.Site, number: int, source: str, values: dict[str, Any]) -> plan_.Plan:
    seat = plan_.SeatRef(number=number, name=f"Learner {number}", login=f"learner{number}")
    return planning.plan(
        lab, site, environment=f"dry{number:07}", plot=number, classroom="dry-run", seat=seat, source=source, values=values
    )


def offline_site(lab: language.Blueprint) -> site_.Site:
    """A site that has every image of this blueprint in every kind, for looking at it where no site is set up."""
    template = site_.Template(node="node", vmid=9000)
    images = {machine.get("image"): site_.Image(vm=template, container=template) for machine in inventory.machines(lab)}
    return site_.Site(cluster=site_.Cluster(secret_file="", ca_file=""), images=images)


def shown(found: Preview) -> dict[str, Any]:
    """As JSON would have it: what the class takes together, and each seat's plan without the drawn values."""
    return {
        "blueprint": found.plans[0].blueprint,
        "seats": len(found.plans),
        "guests": found.guests,
        "networks": found.networks,
        "memory_mib": found.memory,
        "disk_gib": found.disk,
        "plans": [_without_values(plan) for plan in found.plans],
    }


def _without_values(plan: plan_.Plan) -> dict[str, Any]:
    # Files to write and vars of plays may hold drawn values too, so only their names are shown.
    whole = plan.model_dump(mode="json", exclude={"variables", "steps", "checks"})
    for machine in whole["machines"]:
        machine.pop("password")
    whole["steps"] = [{"kind": step.kind, "what": step.what, "hosts": list(step.hosts), "title": step.title} for step in plan.steps]
    whole["checks"] = [{"kind": check.kind, "machine": check.machine} for check in plan.checks]
    whole["variables"] = [variable.name for variable in plan.variables]
    return whole
