"""The Provisioner of `labctl.ports`: existence through an engine, moments (power, snapshots) through the client.

Each verb may be repeated. `remove` does not trust any record: after the engine has removed what it knows, everything that
carries the environment's mark is searched for and removed too, and what is still there afterwards is reported as left.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from pathlib import Path
from typing import TypeVar

from infra import freezing, leftovers, preflight, project, removal, returning, vitals
from infra import program as program_
from infra import state as state_
from infra.engines import choice
from infra.engines import engine as engine_
from infra.work import Work
from labctl import errors, ports
from labctl.drivers import gates
from labctl.drivers.proxmox import access, firewall, guests, snapshots
from labctl.drivers.proxmox import client as client_
from labctl.drivers.proxmox import cluster as cluster_
from labctl.model import capacity
from labctl.model import environment as environment_
from labctl.model import plan as plan_
from labctl.model import site as site_

_AT_ONCE = 8
"""Guests of one environment at work at once."""
_NOW = -1.0
"""The urgency of what a person waits for: before everything that is prepared."""
Result = TypeVar("Result")
_SHOWN = (
    errors.Unreachable,
    errors.Full,
    errors.Busy,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.PermanentError,
    errors.LabctlError,
)


class Provisioner:
    """`state` is the root of Pulumi's `file://` backend; `deploy_key` the public half of labctl's own SSH key; `patience` how many
    seconds a call is repeated while the cluster is busy or away.
    """

    def __init__(
        self,
        site: site_.Site,
        state: Path,
        engine: str,
        passphrase_file: Path,
        deploy_key: str = "",
        *,
        patience: float = client_.PATIENCE,
    ) -> None:
        self._patience = patience
        self._site = site
        self._deploy_key = deploy_key
        self._backend = state_.Backend(state)
        self._gates = gates.Gates(state / "gates")
        self._engine_name = engine
        self._passphrase_file = passphrase_file

    @functools.cached_property
    def _client(self) -> client_.Client:
        """Made at first use, so that labctl starts while the cluster is down."""
        return client_.Client(self._site.cluster, patience=self._patience)

    @functools.cached_property
    def _asking(self) -> client_.Client:
        """For what a person waits for: it gives up after seconds."""
        return client_.Client(self._site.cluster, timeout=20, patience=4)

    @functools.cached_property
    def _engine(self) -> engine_.Engine:
        return choice.choose(self._engine_name, self._backend, self._passphrase_file)

    def describe(self) -> str:
        """Which engine works here, in words."""
        return choice.describe(self._engine_name, self._backend)

    def install_engine(self) -> str:
        """Get the real engine from its vendor; says where it is. Raises Unreachable."""
        return choice.install(self._backend)

    def access_findings(self) -> tuple[str, ...]:
        """What the token lacks, one line each."""
        return tuple(access.findings(self._asking, self._site))

    def wall_findings(self) -> tuple[tuple[str, str], ...]:
        """What is open on the cluster's side of the management network, and what to switch on."""
        return tuple(firewall.findings(self._asking, self._site))

    def preflight(self, plans: Sequence[plan_.Plan]) -> tuple[plan_.Plan, ...]:
        """See `ports.Provisioner`."""
        return preflight.check(self._cluster(self._asking), self._site, plans)

    def survey(self, plans: Sequence[plan_.Plan]) -> capacity.Supply:
        """See `ports.Provisioner`."""
        return preflight.survey(self._cluster(self._asking), self._site, plans)

    def build(self, plan: plan_.Plan, progress: ports.Progress) -> tuple[environment_.Machine, ...]:
        """See `ports.Provisioner`."""
        work = self._work(progress, plan)
        to = self._cluster(group=plan.classroom)
        program = program_.draw(plan, self._site, self._deploy_key)
        self._engine.recover(plan.environment)
        outcome = self._engine.up(program, work)
        if not outcome.well:
            raise _worst(work, outcome)
        project.folder(self._backend)
        state_.write_whole(self._backend.root / f"{plan.environment}.program.json", program.dump())
        stand_ins = self._each(plan.machines, lambda machine: _up(to, machine, started=machine.vmid in work.started))
        return tuple(_machine(machine, stand_in=found) for machine, found in zip(plan.machines, stand_ins, strict=True))

    def remove(self, environment: str, plot: int, progress: ports.Progress) -> ports.Removal:
        """See `ports.Provisioner`."""
        removed: list[str] = []
        trouble: list[errors.LabctlError] = []
        shaken = False
        if self._backend.known(environment):
            try:
                self._engine.recover(environment)  # Busy goes up: whoever still works on it must end first
                outcome = self._engine.destroy(environment, self._work(progress))
                removed += [f"{name} (on record)" for name in outcome.deleted]
                shaken = not outcome.well
            except errors.PermanentError as error:  # a record that cannot be read: the marks are enough
                trouble.append(error)
        swept = removal.sweep(self._work(progress), self._site, environment, plot, shaken=shaken)
        if not swept.left:
            self._backend.forget(environment)
            (self._backend.root / f"{environment}.program.json").unlink(missing_ok=True)
        left = (*swept.left, *(f"file {name}" for name in self._backend.crumbs(environment)))
        if trouble and left:
            raise trouble[0]
        return ports.Removal((*removed, *swept.removed), left)

    def mark_ready(self, plan: plan_.Plan, progress: ports.Progress) -> None:
        """See `ports.Provisioner`."""
        to = self._cluster()
        progress("keeping the state to which a reset goes back")
        self._each(plan.machines, lambda machine: snapshots.keep(to, _place(machine)))

    def reset(self, plan: plan_.Plan, progress: ports.Progress, *, keep: str = "") -> ports.Rolled:
        """See `ports.Provisioner`. What was there is kept on storages that can go forward again (`snapshots.FORWARD`); on others, and
        where a guest has to be made anew, nothing is kept.
        """
        return returning.reset(self._work(progress, plan, urgency=_NOW), self._site, plan, snapshots.BEFORE + keep if keep else "")

    def go_back(self, plan: plan_.Plan, name: str, progress: ports.Progress) -> None:
        """See `ports.Provisioner`."""
        returning.go_back(self._work(progress, plan, urgency=_NOW), plan, snapshots.BEFORE + name)

    def ailing(self, machines: Sequence[environment_.Machine]) -> ports.Ailing:
        """See `ports.Provisioner`."""
        return vitals.ailing(self._cluster(self._asking), machines)

    def wake(self, plan: plan_.Plan, progress: ports.Progress) -> None:
        """See `ports.Provisioner`."""
        to = self._cluster(group=plan.classroom, urgency=_NOW)
        self._each(plan.machines, lambda machine: vitals.wake(to, machine, progress))

    def forget_kept(self, plan: plan_.Plan, progress: ports.Progress) -> None:
        """See `ports.Provisioner`."""
        to = self._cluster()
        progress("what was kept before a reset goes")
        self._each(plan.machines, lambda machine: snapshots.forget(to, _place(machine)))

    def discard(self, plan: plan_.Plan, machines: Sequence[str], progress: ports.Progress) -> None:
        """See `ports.Provisioner`."""
        returning.discard(self._work(progress, plan, urgency=_NOW), plan, machines)

    def freeze(
        self,
        plan: plan_.Plan,
        machines: Sequence[environment_.Machine],
        seal: Callable[[environment_.Machine], None],
        progress: ports.Progress,
    ) -> None:
        """See `ports.Provisioner`."""
        freezing.freeze(self._work(progress, plan), plan, machines, seal)

    def leftovers(self, living: Sequence[str]) -> tuple[str, ...]:
        """See `ports.Provisioner`."""
        to, alive = self._cluster(self._asking), set(living)
        lines = [
            f"{found.place} of environment {found.mark.environment} ({found.mark.machine})"
            for found in leftovers.guests_of(to, self._site)
            if found.mark and found.mark.environment not in alive
        ]
        lines += [f"VNet {vnet} of environment {owner}" for vnet, owner in leftovers.vnets_of(to, self._site).items() if owner not in alive]
        lines += [f"pool {pool} of environment {owner}" for pool, owner in leftovers.pools_of(to, self._site).items() if owner not in alive]
        lines += [f"record of environment {stack}" for stack in self._backend.stacks() if stack not in alive]
        return tuple(lines)

    def _work(self, progress: ports.Progress, plan: plan_.Plan | None = None, *, urgency: float = 0.0) -> Work:
        """For one update of an engine, which may end it with a `Cancel`; never used again after it."""
        return Work(self._cluster(group=plan.classroom if plan else "", urgency=urgency), progress)

    def _cluster(self, client: client_.Client | None = None, *, group: str = "", urgency: float = 0.0) -> cluster_.Cluster:
        site = self._site
        return cluster_.Cluster(client or self._client, self._gates, storage=site.storage, pool=site.pool, group=group, urgency=urgency)

    @staticmethod
    def _each(machines: Iterable[plan_.PlannedMachine], call: Callable[[plan_.PlannedMachine], Result]) -> list[Result]:
        """All machines at once; the first error goes up when all are through."""
        with futures.ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="guest") as pool:
            jobs = [pool.submit(call, machine) for machine in machines]
        return [job.result() for job in jobs]


def _place(machine: plan_.PlannedMachine) -> guests.Place:
    return guests.Place(machine.node, machine.kind, machine.vmid)


def _machine(machine: plan_.PlannedMachine, *, stand_in: bool) -> environment_.Machine:
    return environment_.Machine(
        machine.name, machine.vmid, machine.node, machine.kind, machine.address, machine.nics[0].mac, stand_in=stand_in
    )


def _up(to: cluster_.Cluster, machine: plan_.PlannedMachine, *, started: bool) -> bool:
    """See that it runs; whether a container stands in for the VM. Labctl's own sandbox node says that where Proxmox names QEMU's
    version, and it is the same for all VMs of a node.
    """
    if not started:
        guests.start(to, _place(machine))
    if machine.kind != "vm":
        return False
    fact, known = f"stand-ins on {machine.node}", to.client.known
    if fact not in known:
        known[fact] = "stand-in" in str(guests.status(to, _place(machine)).get("running-qemu", ""))
    return bool(known[fact])


def _worst(work: Work, outcome: engine_.Outcome) -> errors.LabctlError:
    """One error for a failed update: permanent if any part of it is, with everything that failed in its text."""
    text = "; ".join(outcome.failures)
    if not work.failures:
        return errors.PermanentError(text)
    worst = min(work.failures, key=lambda one: isinstance(one, errors.TemporaryError))
    made = next(kind for kind in _SHOWN if isinstance(worst, kind))(text, hint=worst.hint)
    made.machine, made.node = worst.machine, worst.node
    return made
