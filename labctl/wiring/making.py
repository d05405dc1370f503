"""How classes are made, kept and taken away: steps, runner, desk, goldens, sweep, watch."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from labctl import elsewhere, goldens, runner, sweep, watch
from labctl.drivers import liveness
from labctl.steps import kit as kit_
from labctl.wiring.outside import Outside

if TYPE_CHECKING:
    from labctl import desk as desk_
    from labctl import fitting as fitting_
    from labctl import seating as seating_


class Making(Outside):
    """See the module."""

    @cached_property
    def goldens(self) -> goldens.Goldens:
        """Golden machines as people and the sweep wish them."""
        return goldens.Goldens(
            store=self.golden_rows,
            classrooms=self.classrooms,
            environments=self.environments,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            library=self.shelf,
            site=lambda: self.site,
            provisioner=lambda: self.provisioner,
        )

    @cached_property
    def elsewhere(self) -> elsewhere.Elsewhere:
        """Other nodes for what one failed."""
        return elsewhere.Elsewhere(
            classrooms=self.classrooms,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            library=self.shelf,
            goldens=self.goldens,
            site=lambda: self.site,
            provisioner=lambda: self.provisioner,
        )

    @cached_property
    def kit(self) -> kit_.Kit:
        """What steps may use."""
        return kit_.Kit(
            environments=self.environments,
            provisioner=self.provisioner,
            wire=self.wire,
            configurator=self.configurator,
            prober=self.prober,
            shelf=self.shelf,
            traces=self.traces,
            places=self.elsewhere,
        )

    @cached_property
    def stopping(self) -> threading.Event:
        """Set when this process is told to end."""
        return threading.Event()

    @cached_property
    def runner(self) -> runner.Runner:
        """Does steps."""
        return runner.Runner(
            kit=self.kit,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            holder=liveness.myself(),
            hold=timedelta(seconds=self.settings.claim_seconds),
            goldens=self.golden_rows,
            timings=self.timings,
            backlog=self.backlog,
            undo_for=timedelta(minutes=self.settings.undo_minutes),
            places=self.places,
            stopping=self.stopping.is_set,
        )

    @cached_property
    def desk(self) -> desk_.Desk:
        """Takes people's wishes."""
        from labctl import desk as desk_

        return desk_.Desk(
            classrooms=self.classrooms,
            environments=self.environments,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            library=self.shelf,
            cluster=lambda: desk_.Cluster(self.site, self.provisioner),
            keys=self.keys,
            goldens=self.goldens,
        )

    @cached_property
    def seating(self) -> seating_.Seating:
        """Takes people's wishes for single seats."""
        from labctl import seating

        return seating.Seating(self.desk)

    @cached_property
    def fitting(self) -> fitting_.Fitting:
        """Says whether a class fits."""
        from labctl import fitting

        return fitting.Fitting(self.desk, self.timings, self.workers)

    @cached_property
    def watch(self) -> watch.Watch:
        """Looks whether machines run."""
        return watch.Watch(
            environments=self.environments,
            provisioner=self.provisioner,
            journal=self.journal,
            bell=self.bell,
            clock=self.clock,
            holder=liveness.myself(),
            hold=timedelta(seconds=self.settings.claim_seconds),
        )

    def sweep(self) -> tuple[str, ...]:
        """One tick of the sweep."""
        rung = sweep.sweep(self.backlog, self.classrooms, self.bell, self.clock)
        self.goldens.expire()
        return rung
