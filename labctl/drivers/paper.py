"""Guests of paper: nothing runs in them, so nobody can log in. Stands where SSH, Ansible and the management network stand.

It asks the cluster whether a guest is the one that is meant, runs and has booted, and lets pass what logging in and configuring would
take. What it cannot know it does not claim: no program runs in such a guest, so no check of a blueprint is made. Everything else is
labctl's own and real: store, queue, lifecycle, engine, and every call to the cluster. Fills `ports.Wire`, `Prober`, `Configurator`, `Keys`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from labctl import errors, ports, task_ports
from labctl.drivers.proxmox import client as client_
from labctl.drivers.proxmox import guests
from labctl.model.environment import Machine
from labctl.model.plan import Plan, PlannedAction, PlannedTask
from labctl.model.site import Site
from labctl.model.tasks import Outcome

WORDS = "guests are paper: nothing runs in them and nobody can log in; times are modelled"
"""What people read wherever a paper cluster is shown."""

BOOT_SECONDS = 90.0
"""Modelled seconds that a started guest may take until it has booted: as long as a real one's sshd may take."""

_FIRST_LOOK, _LONGEST_LOOK = 0.5, 4.0
"""Modelled seconds between two looks at a guest that boots."""

_LEAST_LOOK = 0.05
"""Seconds of ours between two looks, however fast the cluster's clock runs: the control plane's does not run faster."""


@dataclass(frozen=True)
class Times:
    """Modelled seconds of what happens inside guests. One environment's machines are done at once, so each counts once for a step.

    Measured on real containers: an SSH login 0.2 s, first contact with its writes 0.5 s, one play of ten tasks on one host 5.8 s; a play
    that installs packages takes several times that. Checks of the catalogue's courses take 0.1 to 0.4 s.
    """

    enrol: float = 0.8
    login: float = 0.2
    play: float = 20.0
    script: float = 2.0
    write: float = 0.2
    check: float = 0.3
    seal: float = 1.0

    def step(self, kind: str) -> float:
        """Of one configure step."""
        return {"write": self.write, "script": self.script}.get(kind, self.play)


TIMES = Times()


class Wire:
    """There is no management network to lay: guests of paper have no cards that anything could reach."""

    def open(self, machines: Sequence[Machine]) -> None:
        """Nothing to fix."""

    def close(self, plot: int) -> None:
        """Nothing to forget."""

    def lay(self) -> None:
        """Nothing to lay."""

    def remove(self) -> None:
        """Nothing to take away."""

    def findings(self) -> tuple[str, ...]:
        """Nothing can be wrong with what is not there."""
        return ()


class Keys:
    """No file could open a guest of paper."""

    def bundle(self, plan: Plan, machines: Sequence[Machine], until: datetime) -> ports.Bundle:
        """Raises Conflict always."""
        del machines, until
        raise errors.Conflict(
            f"nobody can log in to seat {plan.seat.number} of {plan.classroom}: this cluster's {WORDS}.",
            hint="Open the class on a cluster with real guests.",
        )

    def certify(self, public_key: str, login: str, principal: str, until: datetime, *, shell: bool = True) -> str:
        """Raises Conflict always."""
        del public_key, until, shell
        raise errors.Conflict(f"nobody can log in to {principal} as {login}: this cluster's {WORDS}.")


class Prober:
    """See the module. `speed`: how many times faster than ours the cluster's clock runs. `patience`: modelled seconds for a
    boot; `grace`: seconds of ours more, for the cluster's own process may lag.
    """

    def __init__(self, site: Site, speed: float = 1.0, times: Times = TIMES, *, patience: float = BOOT_SECONDS, grace: float = 5.0) -> None:
        self._site = site
        self._speed = speed
        self._times = times
        self._patience = patience
        self._grace = grace
        self._boots: dict[str, float] = {}
        """Kind -> how long a boot usually takes, in modelled seconds; learned."""

    @functools.cached_property
    def _client(self) -> client_.Client:
        """Made at first use, so that labctl starts while the cluster is down."""
        return client_.Client(self._site.cluster)

    def enrol(self, plan: Plan, machines: Sequence[Machine], progress: ports.Progress) -> tuple[Machine, ...]:
        """See `ports.Prober`. Machines come back as they are: paper has no host key."""
        self._meet(plan, machines, progress)
        self._pass(self._times.enrol)
        return tuple(machines)

    def prove(
        self,
        plan: Plan,
        machines: Sequence[Machine],
        folder: Path,
        progress: ports.Progress,
        *,
        neighbours: ports.Neighbours | None = None,
    ) -> None:
        """See `ports.Prober`. Raises CheckFailed for a guest that is not this plan's, Unreachable for one that does not boot. Paper sends
        no packets, so nobody is tried.
        """
        del folder, neighbours
        self._meet(plan, machines, progress)
        # Machines are proven side by side, the checks of one after another.
        checks = max((sum(check.machine == machine.name for check in plan.checks) for machine in machines), default=0)
        self._pass(2 * self._times.login + checks * self._times.check)
        progress("all machines run and have booted; checks are not made on paper")

    def leave(self, environment: str) -> None:
        """Nothing was opened."""

    def seal(self, plan: Plan, machine: Machine, progress: ports.Progress) -> None:
        """See `ports.Prober`."""
        self._meet(plan, (machine,), progress)
        self._pass(self._times.seal)
        progress(f"{machine.name}: sealed (paper)")

    def _meet(self, plan: Plan, machines: Sequence[Machine], progress: ports.Progress) -> None:
        """Until each of them has booted. They boot side by side, so looking at one after another loses no time."""
        began = time.monotonic()
        for machine in machines:
            planned = plan.machine(machine.name)
            place = guests.Place(planned.node, planned.kind, machine.vmid)
            try:
                self._await(place, f"{plan.environment}-{planned.name}", began)
            except errors.LabctlError as error:
                error.machine = machine.name
                raise
            progress(f"{machine.name}: has booted")

    def _await(self, place: guests.Place, name: str, began: float) -> None:
        """The first look comes shortly before guests of that kind have usually booted: asking each of a thousand again and again costs."""
        uptime, early, pause = self._uptime(place, name), False, _FIRST_LOOK
        if 0 < uptime < 0.9 * self._boots.get(place.kind, 0.0):
            self._pass(0.9 * self._boots[place.kind] - uptime)
            pause = max(0.1 * self._boots[place.kind], _FIRST_LOOK)
        while not (uptime and self._booted(place)):
            if time.monotonic() - began > self._patience / self._speed + self._grace:
                raise errors.Unreachable(f"{place} has not booted after {self._patience:.0f} s (modelled).")
            time.sleep(max(pause / self._speed, _LEAST_LOOK))
            early, pause = True, min(pause * 1.3, _LONGEST_LOOK)
            uptime = uptime or self._uptime(place, name)
        if early:
            took = self._uptime(place, name)
            self._boots[place.kind] = 0.7 * self._boots.get(place.kind, took) + 0.3 * took

    def _uptime(self, place: guests.Place, name: str) -> float:
        """Modelled seconds for which it has run; 0 while it does not. Raises CheckFailed for another guest than the one of that name."""
        now = self._client.get(f"{place.path}/status/current")
        if now.get("name") not in {name, None}:
            raise errors.CheckFailed(f"{place} is called {now['name']}, not {name}: it is not the machine of this seat.")
        return max(float(now.get("uptime") or 0), 1.0) if now.get("status") == "running" else 0.0

    def _booted(self, place: guests.Place) -> bool:
        """Whether its system is up: as its agent says, for a container by having its addresses (`proxmox-truth.md` 2.1)."""
        if place.kind == "container":
            return _has_address(self._client.get(f"{place.path}/interfaces"))
        try:
            self._client.post(f"{place.path}/agent/ping")
        except (errors.TemporaryError, errors.PermanentError):  # "QEMU guest agent is not running" is a plain 500 (3.10)
            return False
        return True

    def _pass(self, seconds: float) -> None:
        time.sleep(seconds / self._speed)


class Configurator:
    """See the module."""

    def __init__(self, speed: float = 1.0, times: Times = TIMES) -> None:
        self._speed = speed
        self._times = times

    def configure(self, plan: Plan, machines: Sequence[Machine], folder: Path, progress: ports.Progress) -> None:
        """See `ports.Configurator`. Steps come one after another; each does all its machines at once."""
        del machines, folder
        for number, step in enumerate(plan.steps, 1):
            time.sleep(self._times.step(step.kind) / self._speed)
            progress(f"{', '.join(step.hosts)}: {step.title} (step {number}, paper: only its time has passed)")


class Examiner:
    """Nothing can be looked into."""

    def examine(self, plan: Plan, machines: Sequence[Machine], folder: Path, task: PlannedTask) -> task_ports.Exam:
        """See `task_ports.Examiner`: it could not be looked into, which never counts against a learner."""
        del plan, machines, folder, task
        return task_ports.Exam(Outcome.UNKNOWN, detail=f"this cluster's {WORDS}")

    def act(self, plan: Plan, machines: Sequence[Machine], folder: Path, actions: Sequence[PlannedAction]) -> None:
        """See `task_ports.Examiner`. Raises Unreachable always."""
        del plan, machines, folder, actions
        raise errors.Unreachable(f"nothing can be done in machines: this cluster's {WORDS}.")

    def write(self, plan: Plan, machine: Machine, path: str, content: str) -> None:
        """See `task_ports.Examiner`. Raises Unreachable always."""
        del plan, machine, path, content
        raise errors.Unreachable(f"no file can be written: this cluster's {WORDS}.")


def _has_address(rows: object) -> bool:
    """Whether a container shows an address on its management card."""
    return isinstance(rows, list) and any(row.get("inet") for row in rows if isinstance(row, dict))
